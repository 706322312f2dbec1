"""Weeks of outcomes: figures by other means, alarms where they are due, and nothing said of too little."""

from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from features.weeks import WEEK_US
from models.behavior.outcomes.judging import AlarmRules, Reference, judge
from models.behavior.outcomes.report import alarm_text, render_outcomes
from models.behavior.outcomes.rows import OutcomesError, Rows

MONDAY_US = 1_767_571_200_000_000
DAY_US = 86_400_000_000


def week_of(
    number: int,
    scores: np.ndarray,
    positive: np.ndarray | None,
    *,
    version: str = "v1",
    status: str = "known",
    known: bool = True,
) -> pa.Table:
    """A week's predictions, one a visitor; without ``positive`` nobody knows the answers."""
    count = len(scores)
    label = pa.nulls(count, pa.int64()) if positive is None else pa.array(positive.astype(np.int64))
    return pa.table(
        {
            "visitor": [f"{version}-{number}-{index}" for index in range(count)],
            "time_us": pa.array(np.full(count, MONDAY_US + number * WEEK_US + DAY_US)),
            "week_us": pa.array(np.full(count, MONDAY_US + number * WEEK_US)),
            "version": [version] * count,
            "known": [known] * count,
            "probability": pa.array(scores.astype(np.float32)),
            "predicted": pa.array(np.ones(count, np.int64)),
            "status": [status] * count,
            "label": label,
        }
    )


def card(weeks: float, settle_days: float = 2) -> dict[str, Any]:
    return {
        "model": "purchase",
        "settle_days": settle_days,
        "created_us": 0,
        "window": {"start_us": MONDAY_US, "end_us": MONDAY_US + round(weeks * WEEK_US)},
        "unusable_versions": {},
        "predictions": {"judged": 1, "read": 1, "left_out": {}, "rejected": {}, "statuses": {"known": 1}},
        "events": {"dropped": {"bot": 2}, "rejected": {}},
    }


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(3)


def drawn(random: np.random.Generator, count: int = 1500) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated scores and their outcomes."""
    scores = random.beta(1, 6, count)
    return scores, random.random(count) < scores


def judged(*weeks: pa.Table, until: float = 10, rules: AlarmRules | None = None, **more: Any) -> list[dict[str, Any]]:
    found = judge(Rows(pa.concat_tables(weeks)), card(until), rules or AlarmRules(), **more)
    assert orjson.loads(orjson.dumps(found)) == found
    assert render_outcomes(found).startswith("<!doctype html>")
    return found["weeks"]


def test_a_healthy_week_is_what_it_promised(random: np.random.Generator) -> None:
    scores, positive = drawn(random)
    [week] = judged(week_of(0, scores, positive))
    stored = scores.astype(np.float32).astype(np.float64)
    realised = week["realised"]
    assert (week["model_version"], week["week"], week["settled"]) == ("v1", "2026-01-05", True)
    assert (week["predictions"], week["judged"], week["visitors"]) == (1500, 1500, 1500)
    assert realised["auc"]["value"] == pytest.approx(roc_auc_score(positive, stored))
    assert realised["positive_rate"] == positive.mean()
    top = np.argsort(-stored)[:150]
    assert realised["top_10_rate"] == pytest.approx(positive[top].mean())
    assert [segment["name"] for segment in realised["segments"]][::4] == ["very low", "very high"]
    assert sum(bucket["examples"] for bucket in realised["reliability"]) == 1500
    assert min(bucket["positives"] for bucket in realised["reliability"]) >= 20
    assert week["expected"]["auc"]["low"] < realised["auc"]["value"] < week["expected"]["auc"]["high"]
    assert (week["alarms"], week["not_compared"]) == ([], None)
    assert week["drift"]["from_first_week"] is None


def test_scores_that_rank_nobody_alarm_by_auc_alone(random: np.random.Generator) -> None:
    scores, positive = drawn(random)
    [week] = judged(week_of(0, scores, random.permutation(positive)))
    [alarm] = week["alarms"]
    assert (alarm["figure"], alarm["side"], alarm["week"]) == ("auc", "below", "2026-01-05")
    assert alarm["realised"] == pytest.approx(0.5, abs=0.06) and alarm["low"] > 0.6
    assert alarm_text(alarm).startswith("Week of 2026-01-05: AUC 0.")
    assert "below what the probabilities promised" in alarm_text(alarm)


def test_half_as_many_positives_alarm_by_the_rate(random: np.random.Generator) -> None:
    scores, _ = drawn(random)
    positive = random.random(1500) < scores / 2
    [week] = judged(week_of(0, scores, positive))
    assert [(alarm["figure"], alarm["side"]) for alarm in week["alarms"]] == [("positive_rate", "below")]


def test_no_positive_at_all_has_no_auc_and_alarms(random: np.random.Generator) -> None:
    scores, positive = drawn(random)
    [week] = judged(week_of(0, scores, positive & False))
    assert week["realised"]["auc"] is week["realised"]["ece"] is None
    assert [(alarm["figure"], alarm["realised"]) for alarm in week["alarms"]] == [("positive_rate", 0.0)]


def test_margins_are_outside_of_the_interval(random: np.random.Generator) -> None:
    scores, _ = drawn(random)
    positive = random.random(1500) < scores / 2
    assert judged(week_of(0, scores, positive), rules=AlarmRules(rate_margin=1.0))[0]["alarms"] == []
    wide = judged(week_of(0, scores, random.permutation(positive)), rules=AlarmRules(auc_margin=0.4, rate_margin=1.0))
    assert wide[0]["alarms"] == []


@pytest.mark.parametrize(
    ("count", "rules", "why"),
    [
        (199, AlarmRules(), "199 judged predictions; at least 200 are compared"),
        (300, AlarmRules(min_expected=250), r"positives or negatives are expected; at least 250 are compared"),
    ],
)
def test_too_little_is_not_compared(count: int, rules: AlarmRules, why: str, random: np.random.Generator) -> None:
    scores, positive = drawn(random, count)
    [week] = judged(week_of(0, scores, positive & False), rules=rules)
    assert why in week["not_compared"] and week["alarms"] == []
    assert week["realised"]["positive_rate"] == 0


def test_a_week_whose_answers_are_not_in_has_expectations_alone(random: np.random.Generator) -> None:
    scores, positive = drawn(random)
    later, _ = drawn(random)
    weeks = judged(week_of(0, scores, positive), week_of(1, later, None, status="week_open"), until=2)
    assert [week["settled"] for week in weeks] == [True, False]
    last = weeks[1]
    assert (last["realised"], last["judged"], last["alarms"]) == (None, 0, [])
    assert last["not_compared"] == "its answers are not in yet"
    assert last["expected"]["predictions"] == 1500
    assert last["expected"]["positive_rate"]["value"] == pytest.approx(later.mean(), abs=1e-6)
    assert last["drift"]["first_week"] == "2026-01-05"
    assert last["drift"]["from_first_week"]["verdict"] == "none"


def test_censored_predictions_count_neither_way(random: np.random.Generator) -> None:
    scores, positive = drawn(random)
    others = [
        week_of(0, np.full(40, 0.99), None, status=status, version="v1")
        for status in ("still_running", "censored_by_generator", "no_instance", "no_events")
    ]
    unknown = week_of(0, np.full(30, 0.2), positive[:30] & False, known=False)
    [week] = judged(week_of(0, scores, positive), *others, unknown)
    [alone] = judged(week_of(0, scores, positive))
    assert week["realised"] == alone["realised"] and week["expected"] == alone["expected"]
    assert (week["predictions"], week["judged"], week["nothing_to_predict_from"]) == (1690, 1500, 30)
    assert week["statuses"]["still_running"] == 40


def test_nothing_but_censored(random: np.random.Generator) -> None:
    [week] = judged(week_of(0, np.full(300, 0.5), None, status="still_running"))
    assert (week["settled"], week["expected"], week["realised"]) == (True, None, None)
    assert week["not_compared"] == "none of its predictions was about an instance whose answer is known"


def test_predictions_that_moved_are_drift_and_no_alarm(random: np.random.Generator) -> None:
    """Visitors of another kind, about whom the model is right: a covariate shift."""
    first, later = random.beta(1, 6, 1500), random.beta(3, 4, 1500)
    tables = [week_of(n, p, random.random(1500) < p) for n, p in enumerate((first, later))]
    reference = {"v1": Reference(tuple(np.quantile(first, [0.2, 0.4, 0.6, 0.8])), 5000, 0.7)}
    weeks = judged(*tables, references=reference)
    assert weeks[1]["drift"]["from_first_week"]["verdict"] == "large"
    assert weeks[1]["drift"]["from_test"]["verdict"] == "large"
    assert weeks[0]["drift"]["from_test"]["verdict"] == "none"
    assert [week["alarms"] for week in weeks] == [[], []]


def test_versions_stand_apart(random: np.random.Generator) -> None:
    scores, positive = drawn(random)
    tables = [week_of(0, scores, positive, version=name) for name in ("v1", "v2")]
    weeks = judged(*tables)
    assert [(week["model_version"], week["judged"]) for week in weeks] == [("v1", 1500), ("v2", 1500)]


@pytest.mark.parametrize(
    "given", [{"level": 1.0}, {"level": 0.2}, {"auc_margin": -0.1}, {"rate_margin": 11}, {"min_predictions": 1}]
)
def test_rules_that_cannot_be(given: dict[str, float]) -> None:
    [(name, value)] = given.items()
    with pytest.raises(OutcomesError, match=f"{name} is {value:g}; expected"):
        AlarmRules(**given)  # type: ignore[arg-type]
