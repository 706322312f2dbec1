"""What each part brings: models evaluated on the same images, each beside the one before it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from features.errors import AuguryError
from models.attention.evaluation import METRICS, MODEL

_DRAWS = 2000
_LEVEL = 0.95
_Floats = npt.NDArray[np.float64]


class AblationError(AuguryError, ValueError):
    """Evaluations that cannot stand beside each other."""


def ablation_rows(evaluations: Sequence[tuple[str, Mapping[str, Any]]], *, seed: int = 0) -> list[dict[str, Any]]:
    """Returns a row for each evaluation with its change from the one before it, paired by image.

    The interval of a change is the percentile interval of 2,000 draws of images with replacement (Efron & Tibshirani
    1993, chapter 13), the same images for both models. That of the change in percent draws both means together; it is
    left out where the mean to divide by may be 0, as that of information gain of a model that is no better than the
    prior.

    Args:
        evaluations: (name, what ``models.attention.evaluation.evaluate`` returned), in the order of the rows.
        seed: of the draws.

    Returns:
        ``name``, ``metrics`` (metric -> mean) and ``changes`` (metric -> ``value``, ``low``, ``high``, and ``percent``,
        ``percent_low``, ``percent_high`` or None); the first row has no changes.

    Raises:
        AblationError: an evaluation was made on other images than the first, or a name is there twice.
    """
    names = [name for name, _ in evaluations]
    for name in names:
        if names.count(name) > 1:
            raise AblationError(f"two rows are called {name!r}; name each row once")
    rows: list[dict[str, Any]] = []
    for index, (name, evaluation) in enumerate(evaluations):
        check_same_images(*evaluations[0], name, evaluation)
        changes: dict[str, dict[str, float | None]] = {}
        if index:
            rng = np.random.default_rng([seed, index])
            drawn = rng.integers(0, evaluation["images_judged"], (_DRAWS, evaluation["images_judged"]))
            before = evaluations[index - 1][1]
            for metric in METRICS:
                old, new = _scores(before, metric), _scores(evaluation, metric)
                if old is not None and new is not None:
                    changes[metric] = _change(old, new, drawn)
        rows.append({"name": name, "metrics": dict(evaluation["metrics"]), "changes": changes})
    return rows


def check_same_images(first: str, one: Mapping[str, Any], second: str, other: Mapping[str, Any]) -> None:
    """Refuses evaluations of different images, or of the same ones at another size or with other fixations.

    Raises:
        AblationError: they are.
    """
    ours, theirs = _images(one), _images(other)
    if ours == theirs and one["fixations"] == other["fixations"]:
        return
    alone = sorted(ours.keys() ^ theirs.keys())
    if alone:
        whose = first if alone[0] in ours else second
        why = f"{len(alone)} images are of one of them only, such as {alone[0]} of {whose}"
    elif ours != theirs:
        image = next(name for name, size in sorted(ours.items()) if theirs[name] != size)
        sizes = ["x".join(map(str, size[image])) for size in (ours, theirs)]
        why = f"{image} is {sizes[0]} pixels in one, {sizes[1]} in the other"
    else:
        why = f"their images have {one['fixations']} and {other['fixations']} fixations"
    raise AblationError(
        f"{first} and {second} were evaluated on different test images ({why}); evaluate them on the same ones"
    )


def _images(evaluation: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    return {row["image"]: (row["width"], row["height"]) for row in evaluation["images"]}


def _scores(evaluation: Mapping[str, Any], metric: str) -> _Floats | None:
    """Returns the model's figure of every image, in the order of their names; None where some image has none."""
    rows = sorted(evaluation["images"], key=lambda row: str(row["image"]))
    found = [row["scores"][MODEL].get(metric) for row in rows]
    return None if None in found else np.array(found, np.float64)


def _change(old: _Floats, new: _Floats, drawn: npt.NDArray[np.int64]) -> dict[str, float | None]:
    before, after = old[drawn].mean(axis=1), new[drawn].mean(axis=1)
    low, high = _interval(after - before)
    found: dict[str, float | None] = {"value": float(new.mean() - old.mean()), "low": low, "high": high}
    found |= dict.fromkeys(("percent", "percent_low", "percent_high"))
    if before.min() > 0:
        found["percent"] = 100 * float(new.mean() / old.mean() - 1)
        found["percent_low"], found["percent_high"] = _interval(100 * (after / before - 1))
    return found


def _interval(values: _Floats) -> tuple[float, float]:
    low, high = np.quantile(values, ((1 - _LEVEL) / 2, (1 + _LEVEL) / 2)).tolist()
    return low, high
