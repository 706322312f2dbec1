"""Reports made again, of an artifact that nobody trained: people look where it is bright."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.attention_spec import AttentionSpec
from features.errors import AuguryError
from models.attention.ablation import AblationError
from models.attention.dataset import ExamplesFolder
from models.attention.measuring import measure, measure_regions
from models.attention.predictor import Predictor
from models.attention.reporting import ReportError, make_report
from models.examples_folder import DatasetError
from tests.tiny_attention import write_attention_artifact


@pytest.fixture(scope="module")
def bright(make: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an artifact, ``model``, and the examples that it was judged on, whose images have two kinds."""
    root = tmp_path_factory.mktemp("report")
    card = {"history": [{"epoch": 1, "train_loss": 1.0, "validation_loss": 1.1}], "examples": str(root / "examples")}
    folder = write_attention_artifact(root / "model", **card)
    spec = AttentionSpec.from_json((folder / "attention_spec.json").read_text())
    make.write(root / "examples", spec=spec, kind=[b"page"])
    shutil.copy(root / "examples/dataset_card.json", folder)
    predictor, examples = Predictor.load(folder), ExamplesFolder.open(str(root / "examples"))
    evaluation = measure(predictor, examples.read("test"), np.full((48, 64), 1 / (48 * 64), np.float32))
    (folder / "evaluation.json").write_text(json.dumps(evaluation))
    return root


def changed(bright: Path, folder: Path, **change: Any) -> str:
    """Writes a copy of the artifact whose evaluation says something else."""
    shutil.copytree(bright / "model", folder)
    evaluation = json.loads((folder / "evaluation.json").read_text())
    (folder / "evaluation.json").write_text(json.dumps(evaluation | change))
    return str(folder)


def test_it_shows_what_training_measured_and_the_images_of_the_cards_examples(bright: Path) -> None:
    made = make_report(bright / "model")
    assert made.without_pictures is None
    evaluation = json.loads((bright / "model/evaluation.json").read_text())
    assert f"{evaluation['metrics']['nss']:.3f}" in made.html
    assert made.html.count("<img ") == 2 * 3 * evaluation["images_judged"]
    for words in ("Learning curves", "Kind of content", ">page<", "Where it is worst"):
        assert words in made.html


def test_without_examples_it_says_why_there_are_no_pictures(bright: Path, tmp_path: Path) -> None:
    folder = changed(bright, tmp_path / "model")
    card = json.loads((tmp_path / "model/model_card.json").read_text())
    (tmp_path / "model/model_card.json").write_text(json.dumps(card | {"examples": "gone"}))
    made = make_report(folder)
    assert "<img " not in made.html
    assert made.without_pictures is not None and "gone is not a complete examples folder" in made.without_pictures
    with pytest.raises(DatasetError, match="gone is not a complete examples folder"):
        make_report(folder, measure_again=True)
    with pytest.raises(DatasetError, match="nowhere is not a complete examples folder"):
        make_report(folder, examples="nowhere")
    assert "<img " in make_report(folder, examples=str(bright / "examples")).html


def test_what_is_measured_again_replaces_what_training_measured(bright: Path, tmp_path: Path) -> None:
    folder = changed(bright, tmp_path / "model", metrics={"nss": 9.0}, images=[])
    told: list[str] = []
    made = make_report(folder, measure_again=True, progress=lambda stage, done, total, note: told.append(stage))
    evaluation = json.loads((bright / "model/evaluation.json").read_text())
    assert f"{evaluation['metrics']['nss']:.3f}" in made.html
    assert "How far shares of regions can be trusted" in made.html
    assert told


def test_regions_are_measured_within_the_image(bright: Path) -> None:
    predictor, examples = Predictor.load(bright / "model"), ExamplesFolder.open(str(bright / "examples"))
    found = measure_regions(predictor, examples.read("validation"))
    assert found is not None
    assert found["boxes"] == 6 * 20
    assert 1 <= found["effective_fixations"] <= 100_000
    assert 0 <= found["coverage"] <= 1
    one = examples.read("validation")
    assert measure_regions(predictor, type(one)(one.name, one.spec, one.stored[:1])) is None


def test_the_ablation_is_of_the_same_images_only(bright: Path, tmp_path: Path) -> None:
    same = changed(bright, tmp_path / "same")
    rows = [("plain", same), ("better", str(bright / "model"))]
    made = make_report(bright / "model", ablation=rows)
    assert "What each part brings" in made.html
    assert "+0.000" in made.html
    evaluation = json.loads((bright / "model/evaluation.json").read_text())
    other = changed(bright, tmp_path / "other", images=evaluation["images"][1:])
    with pytest.raises(AblationError, match=r"the artifact and other were evaluated on .*\(1 images are of"):
        make_report(bright / "model", ablation=[("other", other)])


def test_examples_of_another_spec_are_refused(bright: Path, make: Any, tmp_path: Path) -> None:
    make.write(tmp_path / "examples")
    with pytest.raises(DatasetError, match=r"has spec \w{12}, the model was trained with \w{12}; name examples of the"):
        make_report(bright / "model", examples=str(tmp_path / "examples"))


def test_examples_without_the_images_are_refused(bright: Path, make: Any, tmp_path: Path) -> None:
    spec = AttentionSpec.from_json((bright / "model/attention_spec.json").read_text())
    make.write(tmp_path / "examples", {"train": 2, "validation": 2, "test": 1}, spec=spec)
    with pytest.raises(DatasetError, match="test has no image bright/.*, which the model was evaluated on"):
        make_report(bright / "model", examples=str(tmp_path / "examples"))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("evaluation.json", None, "evaluation.json.*name the folder of a trained model"),
        ("model_card.json", "{", "model_card.json is not JSON"),
        ("dataset_card.json", "[]", "dataset_card.json holds no JSON object"),
        ("evaluation.json", '{"version": 0}', "evaluation.json has version 0, this code reads 1; evaluate again"),
    ],
)
def test_an_artifact_that_is_not_whole_is_refused(
    bright: Path, tmp_path: Path, name: str, text: str | None, message: str
) -> None:
    folder = Path(changed(bright, tmp_path / "model"))
    (folder / name).unlink()
    if text is not None:
        (folder / name).write_text(text)
    with pytest.raises((ReportError, AuguryError), match=message):
        make_report(folder)
