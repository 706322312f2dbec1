"""What a version says of itself, and what the fast store must keep for it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from features.checks import EVENT_TYPES
from features.recent_events import RecentRules
from features.spec import FeatureSpec
from models.behavior.loaded import check_store, load_model
from models.behavior.segments import edges_around
from models.cards import ModelError
from tests.tiny_model import SPEC, artifact


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An artifact that a test may damage."""
    return Path(shutil.copytree(artifact(), tmp_path / "model"))


def test_base_rates_are_those_of_the_train_labels(folder: Path) -> None:
    labels = json.loads((folder / "dataset_card.json").read_text())["splits"]["train"]["labels"]
    model = load_model(folder, "purchase", "v")
    total = labels["0"] + labels["1"]
    expected = np.array([labels["0"] / total, labels["1"] / total], np.float32)
    assert model.base_rates.tolist() == expected.tolist()
    assert model.base_rate == float(expected[1])
    assert model.spec == SPEC
    assert model.columns == SPEC.required_columns()


def test_segment_edges_are_those_of_the_evaluation(folder: Path) -> None:
    [view] = json.loads((folder / "evaluation.json").read_text())["views"]
    model = load_model(folder, "purchase", "v")
    assert list(model.segment_edges[1]) == view["segment_edges"]
    low = np.float32(view["segment_edges"][0] / 2)
    assert model.headline(np.array([1 - low, low], np.float32)) == (float(low), "very low")


def test_an_artifact_without_edges_has_them_around_its_base_rate(folder: Path) -> None:
    evaluation = json.loads((folder / "evaluation.json").read_text())
    del evaluation["views"][0]["segment_edges"]
    (folder / "evaluation.json").write_text(json.dumps(evaluation))
    model = load_model(folder, "purchase", "v")
    assert model.segment_edges[1] == tuple(edges_around(float(model.base_rates[1])))
    assert model.headline(model.base_rates)[1] == "medium"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "dataset_card.json is not JSON"),
        ("[]", "dataset_card.json holds no JSON object"),
        ("{}", "dataset_card.json counts no train labels"),
        ('{"splits": {"train": {"labels": {"0": 0}}}}', "expected some of each; train again"),
        ('{"splits": {"train": {"labels": {"0": "x"}}}}', "counts no train labels"),
    ],
)
def test_a_card_that_counts_no_labels_is_refused(folder: Path, content: str, message: str) -> None:
    (folder / "dataset_card.json").write_text(content)
    with pytest.raises(ModelError, match=message):
        load_model(folder, "purchase", "v")


def test_a_store_that_keeps_everything_is_fine() -> None:
    check_store(FeatureSpec(), RecentRules(), "m v")


def test_a_type_that_the_store_does_not_keep_is_refused_by_name() -> None:
    rules = RecentRules(types=("track", "page"))
    with pytest.raises(
        ModelError,
        match=r"^m v sees alias events, which the fast store does not keep \(store_types is track,page\); keep them, "
        "or train a model that hides them$",
    ):
        check_store(FeatureSpec(), rules, "m v")


def test_a_type_whose_events_are_hidden_need_not_be_kept() -> None:
    rules = RecentRules(types=tuple(kind for kind in EVENT_TYPES if kind != "identify"))
    check_store(FeatureSpec(hides=("Identify",)), rules, "m v")
    with pytest.raises(ModelError, match="sees identify events"):
        check_store(FeatureSpec(hides=("Order Completed",)), rules, "m v")


def test_a_store_that_keeps_too_few_events_is_refused() -> None:
    with pytest.raises(ModelError, match=r"reads the last 40 events, but the fast store keeps 39 of each visitor"):
        check_store(FeatureSpec(), RecentRules(count=39), "m v")
