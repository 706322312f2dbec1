"""Evaluations of all families in one form."""

import json
from pathlib import Path

import pytest

from serving.console.charts import Bucket
from serving.console.evaluation_view import judged
from tests.tiny_model import artifact


def test_of_behaviour() -> None:
    evaluation = json.loads((artifact() / "evaluation.json").read_text())
    [found] = judged(evaluation)
    [view] = evaluation["views"]
    assert (found.title, found.rate) == ("yes", view["rate"])
    assert [segment[0] for segment in found.segments] == ["very low", "low", "medium", "high", "very high"]
    bucket = view["curves"]["model"]["calibration"][0]
    fields = ("examples", "predicted", "rate", "low", "high")
    assert found.after[0] == Bucket(*(bucket[field] for field in fields))
    assert len(found.before) == len(view["calibration_before"])
    assert [part.stat for part in found.slices] == [part["stat"] for part in view["slices"]]


def test_of_creative(creative_artifact: Path) -> None:
    evaluation = json.loads((creative_artifact / "evaluation.json").read_text())
    found = judged(evaluation)
    assert [one.title for one in found] == list(evaluation["targets"])
    first = evaluation["targets"]["click_through"]
    assert len(found[0].after) == len(first["reliability"])
    assert found[0].after[0].examples == first["reliability"][0]["messages"]
    assert {part.stat for part in found[0].slices} == {"variant", "kind"}
    assert not found[0].segments


@pytest.mark.parametrize("evaluation", [{}, {"views": [{}]}, {"views": "x"}, {"targets": {"a": None}}, {"views": [3]}])
def test_what_cannot_be_read_is_left_out(evaluation: dict[str, object]) -> None:
    assert judged(evaluation) == []
