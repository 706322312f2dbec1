import json

import numpy as np
import pytest

from models.creative.conversion import metrics as m
from models.creative.conversion.rescore import Judged, compare, rescore


def judged(champion: np.ndarray, candidate: np.ndarray) -> Judged:
    """Forty products with two rows each, of which one converts at 0.8 and the other at 0.2."""
    random = np.random.default_rng(0)
    product, truth = np.repeat(np.arange(40), 2), np.tile([0.2, 0.8], 40)
    count, among = random.binomial(20, truth), np.full(80, 20)
    slices = {"variant brighter": truth > 0.5, "all": np.ones(80, bool), "few": product < 5}
    return Judged(count, among, product, champion, candidate, 0.69, slices)


def test_a_candidate_that_knows_nothing_is_surely_worse() -> None:
    truth = np.tile([0.2, 0.8], 40)
    one = judged(truth, np.full(80, 0.5))
    found = compare({"open_rate": one})
    assert found.metrics["auc"] == pytest.approx(m.roc_auc(one.count, one.among, truth))
    assert found.metrics["open_rate.ece"] == found.metrics["ece"]
    assert found.changes["auc"].value == pytest.approx(0.5 - found.metrics["auc"])
    assert found.changes["auc"].high < -0.2 and found.changes["log_loss"].low > 0.1
    assert found.metrics["skill"] == pytest.approx(1 - found.metrics["log_loss"] / 0.69)
    slices = {one.name: one for one in found.slices}
    assert slices.keys() == {"open_rate, variant brighter", "open_rate, all"}  # of "few" there are 5 products
    assert slices["open_rate, all"].change.high < -0.2


def test_a_model_against_itself_differs_by_nothing(data, artifact) -> None:
    found = rescore(artifact, artifact, data["examples"])
    card = json.loads((artifact / "model_card.json").read_bytes())
    for name in ("auc", "ece", "log_loss", "skill"):
        assert found.metrics[name] == pytest.approx(card["metrics"][name], abs=1e-6)
    assert found.changes == {"auc": (0.0, 0.0, 0.0), "log_loss": (0.0, 0.0, 0.0)}
    assert "click_through, variant brighter" in {one.name for one in found.slices}
