"""Evaluation: every figure of a model and of the baselines beside it, on the same examples, as plain JSON."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from models.behavior import metrics
from models.behavior.calibration import MatrixScaling
from models.behavior.metrics import Bools, Floats, Interval, MetricsError
from models.behavior.segments import segment_edges

VERSION = 1
MODEL = "model"
"""The name of the predictions that are judged; all others stand beside them."""

_SLICES = 4
_MOST_VALUES = 5
_DISTRIBUTION_BINS = 40
_TOP_SHARE, _TOP_RATE = 0.2, 0.1


def evaluate(
    labels: npt.ArrayLike,
    predictions: Mapping[str, npt.ArrayLike],
    stats: Mapping[str, npt.ArrayLike] | None = None,
    *,
    uncalibrated: npt.ArrayLike | None = None,
    calibration: MatrixScaling | None = None,
    history: Sequence[Mapping[str, float]] = (),
    class_names: Sequence[str] | None = None,
    truth: npt.ArrayLike | None = None,
    importance: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Returns all figures and curves, ready for ``json.dumps(..., allow_nan=False)``; undefined figures are None.

    Args:
        labels: int (N,), 0 to C - 1.
        predictions: name -> probabilities (N, C); ``"model"`` must be there, the others are baselines.
        stats: name -> float (N,), by which to slice.
        uncalibrated: the model's probabilities (N, C) before calibration, for the comparison before and after.
        calibration: the calibrator, for what its own judging examples said.
        history: one row per epoch: ``epoch`` and any numbers, such as ``train_loss`` and ``validation_loss``.
        class_names: C names; by default "no" and "yes", or "class 0", "class 1", ...
        truth: the true probabilities (N, C) where they are known, as for simulated data.
        importance: what ``models.behavior.importance.permutation_importance`` returned.

    Returns:
        ``metrics`` (the model's flat figures, for gates and the model card), ``figures`` (name -> flat figures),
        ``differences`` (baseline -> AUC of the model minus its own, with an interval), ``views`` (curves, segments,
        the model's segment edges and slices of class 1, or of every class of more than two), ``calibration``,
        ``history``, ``truth``, ``importance`` and counts.

    Raises:
        MetricsError: nothing to measure; see ``metrics.check_predictions``.
    """
    if MODEL not in predictions:
        raise MetricsError(f"predictions {sorted(predictions)} lack {MODEL!r}, the one that is judged")
    checked = {name: metrics.check_predictions(labels, found, name) for name, found in predictions.items()}
    y, model = checked[MODEL]
    named = {name: found for name, (_, found) in checked.items()}
    classes = model.shape[1]
    wrong = {name: found.shape[1] for name, found in named.items() if found.shape[1] != classes}
    if wrong:
        raise MetricsError(f"predictions have {wrong} classes where the model has {classes}; expected as many")
    columns = {name: _stat(name, values, len(y)) for name, values in (stats or {}).items()}
    names = list(class_names or (["no", "yes"] if classes == 2 else [f"class {k}" for k in range(classes)]))
    if len(names) != classes:
        raise MetricsError(f"{len(names)} class names for {classes} classes; expected one each")
    bare = None if uncalibrated is None else metrics.check_predictions(labels, uncalibrated, "uncalibrated")[1]
    figures = {name: _figures(y, found) for name, found in named.items()}
    views = [
        _view(k, names[k], positive, {name: found[:, k] for name, found in named.items()}, bare, columns)
        for k, positive, _ in metrics.one_vs_rest(y, model)
    ]
    return {
        "version": VERSION,
        "examples": len(y),
        "classes": classes,
        "class_names": names,
        "label_counts": np.bincount(y, minlength=classes).tolist(),
        "metrics": figures[MODEL],
        "figures": figures,
        "differences": {
            name: _interval(metrics.auc_difference(y, model, found)) for name, found in named.items() if name != MODEL
        },
        "views": views,
        "calibration": _calibration(y, model, bare, calibration),
        "history": [dict(row) for row in history],
        "truth": None if truth is None else _truth(y, named, truth),
        "importance": None if importance is None else dict(importance),
    }


def _figures(y: npt.NDArray[np.int64], p: Floats) -> dict[str, float]:
    auc = metrics.auc_with_interval(y, p)
    views = metrics.one_vs_rest(y, p)
    return {
        "auc": auc.value,
        "auc_low": auc.low,
        "auc_high": auc.high,
        "pr_auc": metrics.pr_auc(y, p),
        "log_loss": metrics.log_loss(y, p),
        "brier": metrics.brier(y, p),
        "ece": metrics.ece(y, p),
        "ece_equal_mass": metrics.ece(y, p, equal_mass=True),
        "top_20_share": float(
            np.mean([metrics.share_of_positives(hit, scores, _TOP_SHARE) for _, hit, scores in views])
        ),
        "top_10_rate": float(np.mean([metrics.positive_rate(hit, scores, _TOP_RATE) for _, hit, scores in views])),
    }


def _view(
    label: int,
    name: str,
    positive: Bools,
    scores: Mapping[str, Floats],
    uncalibrated: Floats | None,
    stats: Mapping[str, Floats],
) -> dict[str, Any]:
    upper = max(float(np.quantile(found, 0.999)) for found in scores.values())
    edges = np.linspace(0, 1 if upper > 0.5 else np.ceil(upper * 20 + 1e-9) / 20, _DISTRIBUTION_BINS + 1)
    view = {
        "class": label,
        "name": name,
        "positives": int(positive.sum()),
        "rate": float(positive.mean()),
        "segment_edges": segment_edges(scores[MODEL]),
        "curves": {which: _curves(positive, found, edges) for which, found in scores.items()},
        "calibration_before": None,
        "slices": list(_slices(positive, scores, stats)),
    }
    if uncalibrated is not None:
        view["calibration_before"] = _buckets(positive, uncalibrated[:, label])
    return view


def _curves(positive: Bools, scores: Floats, edges: Floats) -> dict[str, Any]:
    x, y = metrics.gain_curve(positive, scores)
    shares = np.linspace(0, 1, 101)
    negatives, positives = metrics.distribution(positive, np.minimum(scores, edges[-1]), edges)
    return {
        "roc": _points(*metrics.roc_points(positive, scores)),
        "pr": _points(*metrics.pr_points(positive, scores)),
        "gain": _points(shares, np.interp(shares, x, y)),
        "calibration": _buckets(positive, scores),
        "distribution": {"edges": _rounded(edges), "negatives": _rounded(negatives), "positives": _rounded(positives)},
        "segments": [segment._asdict() for segment in metrics.segments(positive, scores)],
        "top_20_share": metrics.share_of_positives(positive, scores, _TOP_SHARE),
        "top_10_rate": metrics.positive_rate(positive, scores, _TOP_RATE),
        "auc": metrics.roc_auc(positive, scores),
        "mean_prediction": float(scores.mean()),
    }


def _slices(positive: Bools, scores: Mapping[str, Floats], stats: Mapping[str, Floats]) -> Iterator[dict[str, Any]]:
    """Yields the figures of every slice: the top 10 % are those of the slice itself."""
    for stat, values in stats.items():
        for name, rows in cut_stat(values):
            hit = positive[rows]
            several = 0 < hit.sum() < len(hit)
            yield {
                "stat": stat,
                "slice": name,
                "examples": len(hit),
                "positives": int(hit.sum()),
                "rate": float(hit.mean()),
                "figures": {
                    which: {
                        "top_10_rate": metrics.positive_rate(hit, found[rows], _TOP_RATE),
                        "auc": metrics.roc_auc(hit, found[rows]) if several else None,
                        "mean_prediction": float(found[rows].mean()),
                    }
                    for which, found in scores.items()
                },
            }


def cut_stat(values: Floats) -> Iterator[tuple[str, Bools]]:
    """Yields (name, rows) of quarters of a stat, or of its values where there are few; missing values stand apart."""
    missing = np.isnan(values)
    known = values[~missing]
    distinct = np.unique(known)
    if len(distinct) <= _MOST_VALUES:
        yield from ((f"{value:g}", values == value) for value in distinct)
    else:
        cuts = np.unique(np.quantile(known, np.arange(1, _SLICES) / _SLICES, method="inverted_cdf"))
        cuts = cuts[cuts < distinct[-1]]
        which = np.searchsorted(cuts, values, side="left")
        for part in range(len(cuts) + 1):
            low = f"above {cuts[part - 1]:.4g}" if part else ""
            high = f"up to {cuts[part]:.4g}" if part < len(cuts) else ""
            yield ", ".join(filter(None, (low, high))), (which == part) & ~missing
    if missing.any():
        yield "missing", missing


def _calibration(
    y: npt.NDArray[np.int64], model: Floats, bare: Floats | None, scaling: MatrixScaling | None
) -> dict[str, Any] | None:
    """Returns the error before and after, on these examples and on those that judged the fit."""
    if bare is None and scaling is None:
        return None
    found: dict[str, Any] = {}
    for when, p in (("before", bare), ("after", model)):
        if p is not None:
            found |= {f"ece_{when}": metrics.ece(y, p), f"log_loss_{when}": metrics.log_loss(y, p)}
    if scaling is not None:
        figures = ("ece_before", "ece_after", "log_loss_before", "log_loss_after")
        judged = {name: getattr(scaling, name) for name in figures}
        found |= {
            "kept": scaling.kept,
            "reason": scaling.reason,
            "weight": scaling.weight.tolist(),
            "bias": scaling.bias.tolist(),
            "judged": {name: None if np.isnan(value) else value for name, value in judged.items()},
        }
    return found


def _truth(y: npt.NDArray[np.int64], named: Mapping[str, Floats], truth: npt.ArrayLike) -> dict[str, Any]:
    _, true = metrics.check_predictions(y, truth, "truth")
    auc = metrics.auc_with_interval(y, true)
    return {
        "auc": auc.value,
        "log_loss": metrics.log_loss(y, true),
        "mean_distance": {name: float(np.abs(found - true).mean()) for name, found in named.items()},
        "auc_gap": {name: auc.value - metrics.auc_with_interval(y, found).value for name, found in named.items()},
    }


def _stat(name: str, values: npt.ArrayLike, n: int) -> Floats:
    found = np.asarray(values, np.float64)
    if found.shape != (n,):
        raise MetricsError(f"stats column {name!r} has shape {found.shape}; expected ({n},), one value per example")
    return found


def _buckets(positive: Bools, scores: Floats) -> list[dict[str, Any]]:
    return [bucket._asdict() for bucket in metrics.calibration_curve(positive, scores)]


def _interval(found: Interval) -> dict[str, float]:
    return {name: float(value) for name, value in found._asdict().items()}


def _points(x: Floats, y: Floats) -> dict[str, list[float]]:
    return {"x": _rounded(x), "y": _rounded(y)}


def _rounded(values: Floats) -> list[float]:
    return [round(value, 6) for value in values.tolist()]
