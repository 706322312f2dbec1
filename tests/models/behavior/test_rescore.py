"""A champion on a candidate's test examples: against figures computed by hand, and its own predictions."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from models.behavior import metrics
from models.behavior.rescore import compare, rescore
from models.rescored import RescoreError
from tests.tiny_model import artifact


def both(positive: np.ndarray) -> np.ndarray:
    return np.stack([1 - positive, positive], axis=1)


def test_figures_by_hand() -> None:
    """One negative of four stands above a positive for the champion, none for the candidate: AUC 7/8 and 1."""
    labels = np.array([0, 0, 0, 0, 1, 1])
    champion = both(np.array([0.1, 0.2, 0.3, 0.6, 0.5, 0.9]))
    candidate = both(np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.9]))
    found = compare(labels, champion, candidate, {})
    assert found.metrics["auc"] == pytest.approx(7 / 8)
    assert found.changes["auc"].value == pytest.approx(1 / 8)
    assert found.changes["auc"].low < 1 / 8 < found.changes["auc"].high
    # only the fourth example differs: ln(0.4) against ln(0.6)
    assert found.changes["log_loss"].value == pytest.approx(np.log(0.4 / 0.6) / 6)
    gap = np.array([0, 0, 0, np.log(0.4 / 0.6), 0, 0])
    half = 1.959964 * gap.std(ddof=1) / np.sqrt(6)
    assert found.changes["log_loss"].high == pytest.approx(gap.mean() + half, rel=1e-6)
    assert found.slices == ()


def test_a_slice_where_the_candidate_is_worse_shows_and_small_ones_are_left_out() -> None:
    random = np.random.default_rng(0)
    labels = np.tile([0, 1], 400)
    good = np.clip(labels * 0.3 + random.uniform(0.2, 0.6, 800), 0, 1)
    worse = np.where(np.arange(800) < 400, random.uniform(0, 1, 800), good)  # chance on the first half
    by = {"half": np.where(np.arange(800) < 400, 0.0, 1.0), "few": np.where(np.arange(800) < 30, 0.0, 1.0)}
    found = compare(labels, both(good), both(worse), by)
    slices = {one.name: one for one in found.slices}
    assert slices.keys() == {"half 0", "half 1", "few 1"}  # of "few 0" there are 15 of each label
    assert slices["half 0"].change.high < -0.1
    assert slices["half 0"].candidate == pytest.approx(metrics.roc_auc(labels[:400] == 1, worse[:400]))
    assert slices["half 1"].change == (0.0, 0.0, 0.0)


def test_a_model_against_itself_differs_by_nothing() -> None:
    folder = artifact()
    found = rescore(folder, folder, str(folder.parent / "examples"))
    card = json.loads((folder / "model_card.json").read_bytes())
    for name in ("auc", "log_loss", "ece"):
        assert found.metrics[name] == pytest.approx(card["metrics"][name], abs=1e-5)
    assert found.changes["auc"].value == pytest.approx(0, abs=1e-6)


def test_examples_that_it_was_not_judged_on_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "candidate"
    shutil.copytree(artifact(), folder)
    told = pq.read_table(folder / "predictions.parquet")
    place = told.schema.get_field_index("example_id")
    names = ["nobody", *told.column("example_id").to_pylist()[1:]]
    pq.write_table(told.set_column(place, "example_id", [names]), folder / "predictions.parquet")
    with pytest.raises(RescoreError, match=f"lacks 1 of the {told.num_rows} examples .*, the first nobody"):
        rescore(artifact(), folder, str(artifact().parent / "examples"))
    labels = [1 - label for label in told.column("label").to_pylist()]
    changed = told.set_column(told.schema.get_field_index("label"), "label", [labels])
    pq.write_table(changed, folder / "predictions.parquet")
    with pytest.raises(RescoreError, match="has other labels than .* was judged on"):
        rescore(artifact(), folder, str(artifact().parent / "examples"))
