"""What opening a folder of examples, or an artifact, begins with in every family; here for one that nobody has."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from features.fingerprinted import FingerprintedSpec
from features.storage import StorageError
from features.strict import FeatureSpecError
from models.artifact import PredictorError, read_description
from models.examples_folder import DatasetError, SpecFolder, promised_examples


@dataclass(frozen=True)
class TeaSpec(FingerprintedSpec):
    minutes: int = 3
    version: int = 1

    what = "tea spec"
    file = "tea_spec.json"
    code_version = 1
    __hash__ = FingerprintedSpec.__hash__


class TeaFolder(SpecFolder[TeaSpec]):
    spec_class = TeaSpec
    command = "augury tea"
    noun = "cups"
    source = "water"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    spec = TeaSpec(4)
    (tmp_path / "tea_spec.json").write_text(spec.to_json())
    card = {"fingerprint": spec.fingerprint, "splits": {"train": {"examples": 2}, "test": {"examples": "many"}}}
    (tmp_path / "dataset_card.json").write_text(json.dumps(card))
    (tmp_path / "model.json").write_text(json.dumps({"format": "kettle", "fingerprint": spec.fingerprint, "watts": 9}))
    return tmp_path


def test_a_folder_is_opened(folder: Path) -> None:
    opened = TeaFolder.open(f"{folder}/")
    assert (type(opened), opened.path, opened.spec) == (TeaFolder, str(folder), TeaSpec(4))
    assert opened.card["splits"]["train"] == {"examples": 2}


def test_records_are_found_and_nothing_else(folder: Path) -> None:
    (folder / "train").mkdir()
    for name in ("b.tfrecord", "a.tfrecord.gz", "c.txt"):
        (folder / "train" / name).touch()
    assert TeaFolder.open(str(folder)).files("train") == [
        f"{folder}/train/{n}" for n in ("a.tfrecord.gz", "b.tfrecord")
    ]


def test_the_number_of_examples_is_the_cards_where_it_tells_one(folder: Path) -> None:
    opened = TeaFolder.open(str(folder))
    assert [promised_examples(opened.card, split) for split in ("train", "test", "validation")] == [2, None, None]
    opened.check_count("train", 2)
    opened.check_count("test", 7)
    with pytest.raises(DatasetError, match="train holds 1 cups, the dataset card says 2; files are missing"):
        opened.check_count("train", 1)
    with pytest.raises(DatasetError, match="test is empty; use more water, or give test a larger share"):
        opened.check_count("test", 0)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("dataset_card.json", None, "it has no dataset_card.json, which the pipeline writes last; run `augury tea` to"),
        ("dataset_card.json", "{", "dataset_card.json is not JSON ("),
        ("dataset_card.json", "[]", "dataset_card.json is not a dataset card; write the examples again"),
        ("dataset_card.json", "{}", "dataset_card.json is not a dataset card; write the examples again"),
        ("dataset_card.json", '{"fingerprint": "ab"}', "dataset_card.json says ab; they are not of one run"),
        ("tea_spec.json", '{"minutes": 5}', "tea_spec.json has fingerprint "),
    ],
)
def test_a_folder_that_is_not_whole_is_refused(folder: Path, name: str, text: str | None, message: str) -> None:
    (folder / name).unlink()
    if text is not None:
        (folder / name).write_text(text)
    with pytest.raises(DatasetError, match=re.escape(message)):
        TeaFolder.open(str(folder))


def test_an_edited_spec_is_refused(folder: Path) -> None:
    (folder / "tea_spec.json").write_text(TeaSpec(4).to_json().replace('"minutes": 4', '"minutes": 9'))
    with pytest.raises(FeatureSpecError, match="it was edited"):
        TeaFolder.open(str(folder))
    with pytest.raises(FeatureSpecError, match="it was edited"):
        read_description(folder, TeaSpec, "kettle")


def test_an_artifact_says_what_its_model_is(folder: Path) -> None:
    spec, description = read_description(folder, TeaSpec, "kettle", TeaSpec(4))
    assert spec == TeaSpec(4)
    assert description["watts"] == 9


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "model.json does not describe a model (JSONDecodeError"),
        ("{}", "model.json does not describe a model (KeyError('format'))"),
        ("[]", "model.json does not describe a model (TypeError"),
        ('{"format": "pot", "fingerprint": ""}', "model.json: format is 'pot'; expected 'kettle'"),
        ('{"format": "kettle", "fingerprint": "ab"}', "model.json has ab; what the model is asked must be prepared by"),
    ],
)
def test_a_model_of_something_else_is_refused(folder: Path, text: str, message: str) -> None:
    (folder / "model.json").write_text(text)
    with pytest.raises(PredictorError, match=re.escape(message)):
        read_description(folder, TeaSpec, "kettle")


def test_another_spec_in_use_is_refused(folder: Path) -> None:
    with pytest.raises(PredictorError, match=r"tea_spec.json has fingerprint \w{12}, the spec in use has \w{12}; what"):
        read_description(folder, TeaSpec, "kettle", TeaSpec(5))


def test_a_missing_description_is_named(folder: Path) -> None:
    (folder / "model.json").unlink()
    with pytest.raises((StorageError, FileNotFoundError), match=r"model.json"):
        read_description(folder, TeaSpec, "kettle")
