"""Realised figures against what the probabilities promised, per version and week, and the alarms that follow."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from features.weeks import WEEK_US, week_name
from models.behavior import metrics
from models.behavior.metrics import Interval
from models.behavior.outcomes.drift import counted, drift, quantile_edges
from models.behavior.outcomes.expected import TOP, clustered_auc, expected_figures
from models.behavior.outcomes.rows import KNOWN, OPEN, OutcomesError, Rows

VERSION = 1
WATCHED = ("auc", "positive_rate")
"""The figures whose realised value is compared with the expected interval."""

_DAY_US = 86_400_000_000
_MIN_POSITIVES_A_BUCKET = 20


@dataclass(frozen=True)
class AlarmRules:
    """When a week alarms.

    Attributes:
        level: share of the weeks in which a healthy model's figure stays inside, were there chance alone.
        auc_margin: a realised AUC may lie so far outside the interval, since no model is calibrated perfectly.
        rate_margin: a realised rate may, as a share of the expected one.
        min_predictions: a week with fewer judged predictions is not compared.
        min_expected: nor one of which fewer positives, or negatives, are expected.
    """

    level: float = 0.99
    auc_margin: float = 0.02
    rate_margin: float = 0.1
    min_predictions: int = 200
    min_expected: float = 20.0

    def __post_init__(self) -> None:
        for name, least, most in (
            ("level", 0.5, 1.0),
            ("auc_margin", 0.0, 0.5),
            ("rate_margin", 0.0, 10.0),
            ("min_predictions", 2, 10**12),
            ("min_expected", 1.0, 1e12),
        ):
            value = getattr(self, name)
            if not least <= value <= most or (name == "level" and value == 1.0):
                raise OutcomesError(f"{name} is {value:g}; expected {least:g} to {most:g}")


class Reference(NamedTuple):
    """What a version's own evaluation says, where it is still there.

    Attributes:
        segment_edges: that part its test predictions in fifths; empty where none were recorded.
        test_examples: how many there were.
        test_auc: on them.
    """

    segment_edges: tuple[float, ...] = ()
    test_examples: int = 0
    test_auc: float | None = None


def judge(
    rows: Rows, card: Mapping[str, Any], rules: AlarmRules, references: Mapping[str, Reference] | None = None
) -> dict[str, Any]:
    """Returns everything that can be said of a folder of outcomes, ready for JSON.

    Args:
        rows: all of it.
        card: its card.
        rules: when a week alarms.
        references: version -> what its own evaluation says.
    """
    known = references or {}
    weeks = [
        entry
        for version in sorted(set(rows.versions.tolist()))
        for entry in _weeks_of(
            rows.take(rows.versions == version), version, card, rules, known.get(version, Reference())
        )
    ]
    return {
        "version": VERSION,
        "model": card["model"],
        "window": card["window"],
        "settle_days": card["settle_days"],
        "created_us": card["created_us"],
        "rules": asdict(rules),
        "predictions": card["predictions"],
        "events": card["events"],
        "unusable_versions": card["unusable_versions"],
        "test_auc": {version: found.test_auc for version, found in known.items()},
        "weeks": weeks,
        "alarms": [{"model_version": week["model_version"], **alarm} for week in weeks for alarm in week["alarms"]],
    }


def _weeks_of(
    rows: Rows, version: str, card: Mapping[str, Any], rules: AlarmRules, reference: Reference
) -> Iterator[dict[str, Any]]:
    first: tuple[str, list[float], Any] | None = None
    for week in np.unique(rows.weeks).tolist():
        here = rows.take(rows.weeks == week)
        asked = here.take(here.known)
        entry = _week(here, asked, version, week, card, rules)
        entry["drift"] = _drift(asked, first, reference)
        if first is None and len(asked) >= rules.min_predictions:
            edges = quantile_edges(asked.scores)
            first = (entry["week"], edges, counted(asked.scores, edges))
        yield entry


def _week(
    rows: Rows, asked: Rows, version: str, week: int, card: Mapping[str, Any], rules: AlarmRules
) -> dict[str, Any]:
    moment = week + WEEK_US + round(card["settle_days"] * _DAY_US)
    settled = moment <= card["window"]["end_us"]
    statuses = Counter(rows.statuses.tolist())
    judged = asked.take(asked.statuses == KNOWN)
    waiting = asked.take(np.isin(asked.statuses, [*OPEN]))
    whole = judged if settled else waiting
    entry: dict[str, Any] = {
        "model_version": version,
        "week": week_name(week),
        "week_us": week,
        "settled": settled,
        "settles_us": moment,
        "predictions": len(rows),
        "visitors": len(np.unique(rows.visitors)),
        "statuses": dict(statuses.most_common()),
        "nothing_to_predict_from": len(rows) - len(asked),
        "judged": len(judged) if settled else 0,
        "expected": None,
        "realised": None,
        "alarms": [],
        "not_compared": None,
    }
    if len(whole):
        promised = expected_figures(whole.scores, whole.visitors, rules.level)
        entry["expected"] = {"predictions": len(whole), **{name: _plain(found) for name, found in promised.items()}}
    if settled and len(judged):
        entry["realised"] = _realised(judged)
        entry["not_compared"] = _too_few(judged, rules)
        if entry["not_compared"] is None:
            entry["alarms"] = list(_alarms(entry, rules))
    elif not settled:
        entry["not_compared"] = "its answers are not in yet"
    else:
        entry["not_compared"] = "none of its predictions was about an instance whose answer is known"
    return entry


def _realised(rows: Rows) -> dict[str, Any]:
    """Returns what came true; figures that need positives and negatives are None where there are only one of them."""
    positive, scores = rows.positive, rows.scores
    several = bool(positive.any() and not positive.all())
    found: dict[str, Any] = {
        "positives": int(positive.sum()),
        "positive_rate": float(positive.mean()),
        "mean_prediction": float(scores.mean()),
        "auc": _plain(clustered_auc(positive, scores, rows.visitors)) if several else None,
    }
    if several:
        labels, both = positive.astype(np.int64), np.column_stack([1 - scores, scores])
        found |= {name: getattr(metrics, name)(labels, both) for name in ("log_loss", "brier", "ece")}
    else:
        found |= dict.fromkeys(("log_loss", "brier", "ece"))
    found["top_10_rate"] = metrics.positive_rate(positive, scores, TOP)
    found["reliability"] = [b._asdict() for b in metrics.calibration_curve(positive, scores, _MIN_POSITIVES_A_BUCKET)]
    found["segments"] = [segment._asdict() for segment in metrics.segments(positive, scores)]
    return found


def _too_few(rows: Rows, rules: AlarmRules) -> str | None:
    if len(rows) < rules.min_predictions:
        return f"{len(rows)} judged predictions; at least {rules.min_predictions} are compared"
    expected = min(float(rows.scores.sum()), float((1 - rows.scores).sum()))
    if expected < rules.min_expected:
        return f"{expected:.1f} positives or negatives are expected; at least {rules.min_expected:g} are compared"
    return None


def _alarms(entry: Mapping[str, Any], rules: AlarmRules) -> Iterator[dict[str, Any]]:
    for name in WATCHED:
        found, promised = entry["realised"][name], entry["expected"].get(name)
        value = found["value"] if isinstance(found, dict) else found
        if value is None or promised is None:
            continue
        margin = rules.auc_margin if name == "auc" else rules.rate_margin * promised["value"]
        low, high = promised["low"] - margin, promised["high"] + margin
        if not low <= value <= high:
            yield {
                "week": entry["week"],
                "week_us": entry["week_us"],
                "figure": name,
                "realised": value,
                "expected": promised["value"],
                "low": low,
                "high": high,
                "side": "below" if value < low else "above",
                "predictions": entry["judged"],
            }


def _drift(rows: Rows, first: tuple[str, list[float], Any] | None, reference: Reference) -> dict[str, Any]:
    found: dict[str, Any] = {"from_first_week": None, "from_test": None, "first_week": first[0] if first else None}
    if not len(rows):
        return found
    if first is not None:
        found["from_first_week"] = _moved(rows, first[1], first[2])
    if reference.segment_edges and reference.test_examples:
        fifths = len(reference.segment_edges) + 1
        expected = np.full(fifths, reference.test_examples / fifths)
        found["from_test"] = _moved(rows, reference.segment_edges, expected)
    return found


def _moved(rows: Rows, edges: Any, expected: Any) -> dict[str, Any]:
    moved = drift(rows.scores, edges, expected)
    return {**moved._asdict(), "verdict": moved.verdict}


def _plain(found: Interval) -> dict[str, float]:
    return {name: float(value) for name, value in found._asdict().items()}
