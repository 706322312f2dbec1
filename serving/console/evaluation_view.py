"""The curves, segments and slices of an evaluation in one form, whichever family wrote it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from serving.console.charts import Bucket


@dataclass(frozen=True)
class Slice:
    """A part of the test examples; ``auc`` is None where it has one class only."""

    stat: str
    name: str
    examples: float
    rate: float
    predicted: float
    auc: float | None


@dataclass(frozen=True)
class Judged:
    """What an evaluation says of one class or one target.

    Attributes:
        title: which.
        rate: share of positives.
        after: calibration curve.
        before: the same before calibration; empty where it was not measured.
        segments: fifths by prediction as (name, examples, rate, lift), lowest first.
        slices: by stat, or by variant.
    """

    title: str
    rate: float
    after: tuple[Bucket, ...]
    before: tuple[Bucket, ...]
    segments: tuple[tuple[str, float, float, float], ...]
    slices: tuple[Slice, ...]


def judged(evaluation: Mapping[str, Any]) -> list[Judged]:
    """Returns what an evaluation says of each class or target; what cannot be read is left out.

    Args:
        evaluation: ``evaluation.json`` of a version of any family.
    """
    found: list[Judged] = []
    for title, view, read in _views(evaluation):
        try:
            found.append(read(title, view))
        except (KeyError, TypeError, ValueError, AttributeError):
            continue  # written by another release; the metrics are there all the same
    return found


def _views(evaluation: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    views, targets = evaluation.get("views"), evaluation.get("targets")
    if isinstance(views, list):
        for view in views:
            yield str(view.get("name", "")) if isinstance(view, dict) else "", view, _of_class
    if isinstance(targets, dict):
        for name, view in targets.items():
            yield str(name), view, _of_target


def _of_class(title: str, view: Mapping[str, Any]) -> Judged:
    curves = view["curves"]["model"]
    return Judged(
        title,
        float(view["rate"]),
        _buckets(curves["calibration"], "examples"),
        _buckets(view.get("calibration_before") or (), "examples"),
        tuple((str(s["name"]), float(s["examples"]), float(s["rate"]), float(s["lift"])) for s in curves["segments"]),
        tuple(
            Slice(
                str(s["stat"]),
                str(s["slice"]),
                float(s["examples"]),
                float(s["rate"]),
                float(s["figures"]["model"]["mean_prediction"]),
                _maybe(s["figures"]["model"]["auc"]),
            )
            for s in view.get("slices", ())
        ),
    )


def _of_target(title: str, view: Mapping[str, Any]) -> Judged:
    slices = [
        Slice(stat, str(s["name"]), float(s["messages"]), float(s["rate"]), float(s["predicted"]), _maybe(s.get("auc")))
        for stat, key in (("variant", "by_variant"), ("kind", "by_kind"))
        for s in view.get(key, ())
    ]
    return Judged(title, float(view["rate"]), _buckets(view["reliability"], "messages"), (), (), tuple(slices))


def _buckets(found: Any, weight: str) -> tuple[Bucket, ...]:
    return tuple(
        Bucket(float(b[weight]), float(b["predicted"]), float(b["rate"]), float(b["low"]), float(b["high"]))
        for b in found
    )


def _maybe(value: Any) -> float | None:
    return None if value is None else float(value)
