"""How good the model of one target is on products that it never saw; beside the truth, where the data are simulated."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from models.creative.conversion import metrics as m
from models.creative.conversion.ensemble import Ensemble
from models.creative.conversion.rows import Rows
from models.creative.conversion.trees import Counts, Floats
from models.creative.estimates import Estimates

UNKNOWN = "unknown"
_MOST_GROUPS = 50
_REPEATS = 3


def evaluate(
    counts: Counts, estimates: Estimates, rows: Rows, truth: Floats | None, base_rate: float, variants: Sequence[str]
) -> dict[str, Any]:
    """Returns the evaluation of one target, JSON-able; ``metrics`` are those of the model card.

    Args:
        counts: of the test rows.
        estimates: of the same rows.
        rows: the same rows.
        truth: their true probabilities, where those are known.
        base_rate: share of all training messages, the prediction of one who looks at nothing.
        variants: names.
    """
    k, n, p = counts.count, counts.among, estimates.probability
    base = np.full(len(p), base_rate)
    found: dict[str, Any] = {
        "metrics": {
            "accuracy": m.accuracy(k, n, p),
            "log_loss": m.log_loss(k, n, p),
            "auc": m.roc_auc(k, n, p),
            "ece": m.ece(k, n, p),
        },
        "base": {"rate": base_rate, "accuracy": m.accuracy(k, n, base), "log_loss": m.log_loss(k, n, base)},
        "rate": counts.rate,
        "messages": int(n.sum()),
        "rows": len(p),
        "products": int(counts.product.max()) + 1,
        "interval_width": float((estimates.high - estimates.low).mean()),
        "reliability": [bucket._asdict() for bucket in m.buckets(k, n, p)],
        "by_variant": _groups(rows.column("variant").to_pylist(), k, n, p, truth, variants),
        "by_kind": _groups(rows.column("kind").to_pylist(), k, n, p, truth),
    }
    if truth is not None:
        found["truth"] = against_truth(counts, estimates, truth, _photo_pairs(rows))
    return found


def against_truth(
    counts: Counts, estimates: Estimates, truth: Floats, pairs: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
) -> dict[str, Any]:
    """Returns what nobody could do better than, and how often intervals hold the truth.

    Args:
        counts: N rows.
        estimates: of them.
        truth: float64 (N,).
        pairs: two int64 (M,): rows whose difference is judged, here two versions of one product in one campaign.
    """
    k, n, p = counts.count, counts.among, estimates.probability
    held = (estimates.low <= truth) & (truth <= estimates.high)
    found: dict[str, Any] = {
        "ceiling_accuracy": m.ceiling(n, truth),
        "auc": m.roc_auc(k, n, truth),
        "auc_gap": m.roc_auc(k, n, truth) - m.roc_auc(k, n, p),
        "log_loss": m.log_loss(k, n, truth),
        "mean_distance": float((n * np.abs(p - truth)).sum() / n.sum()),
        "coverage": float(held.mean()),
    }
    first, second = pairs
    if len(first):
        value, low, high = estimates.differences(first, second)
        gap = truth[first] - truth[second]
        equal = np.abs(gap) < 1e-12
        reliable = (low > 0) | (high < 0)
        found |= {
            "pairs": len(first),
            "pair_coverage": float(((low <= gap + 1e-12) & (gap - 1e-12 <= high)).mean()),
            "reliable_and_right": _share(reliable & (np.sign(value) == np.sign(gap)), ~equal),
            "reliable_and_wrong": _share(reliable & (np.sign(value) != np.sign(gap)), ~equal),
            "reliable_though_equal": _share(reliable, equal),
        }
    return found


def importance(ensemble: Ensemble, counts: Counts, columns: Sequence[str], seed: int) -> dict[str, float]:
    """Returns by how much the log loss of a message rises where a group of columns is shuffled among the rows.

    Breiman, "Random forests", 2001, section 10, with the columns of a vector shuffled together; the mean of three.

    Args:
        ensemble: of the target.
        counts: of the test rows.
        columns: the group of every column.
        seed: of the shuffling.
    """
    whole = m.log_loss(counts.count, counts.among, ensemble.rates(counts.matrix))
    found = {}
    for group in dict.fromkeys(columns):
        places, random, risen = [i for i, name in enumerate(columns) if name == group], np.random.default_rng(seed), 0.0
        for _ in range(_REPEATS):
            shuffled = counts.matrix.copy()
            shuffled[:, places] = shuffled[random.permutation(len(shuffled))][:, places]
            risen += m.log_loss(counts.count, counts.among, ensemble.rates(shuffled)) - whole
        found[group] = risen / _REPEATS
    return found


def overall(targets: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Returns the metrics of the model card: those of each target, and of all the worst (of the log loss the mean)."""
    found = {name: dict(part["metrics"]) for name, part in targets.items()}
    worst = {
        "auc": min(part["auc"] for part in found.values()),
        "ece": max(part["ece"] for part in found.values()),
        "log_loss": float(np.mean([part["log_loss"] for part in found.values()])),
        "skill": min(1 - part["metrics"]["log_loss"] / part["base"]["log_loss"] for part in targets.values()),
    }
    return {**worst, **found}


def _groups(
    names: Sequence[str | None],
    count: npt.NDArray[np.int64],
    among: npt.NDArray[np.int64],
    rates: Floats,
    truth: Floats | None,
    order: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Returns the figures of rows of one name each, in ``order`` or those with most messages first."""
    labels = np.array([name or UNKNOWN for name in names])
    found = []
    for name in sorted(set(labels.tolist())):
        here = labels == name
        k, n, p = count[here], among[here], rates[here]
        total = int(n.sum())
        row = {
            "name": name,
            "messages": total,
            "rate": float(k.sum() / total),
            "predicted": float((n * p).sum() / total),
            "accuracy": m.accuracy(k, n, p),
            "log_loss": m.log_loss(k, n, p),
            "auc": _finite(m.roc_auc(k, n, p)),
        }
        if truth is not None:
            row["truth"] = float((n * truth[here]).sum() / total)
            row["ceiling"] = m.ceiling(n, truth[here])
        found.append(row)
    if order:
        return sorted(found, key=lambda row: list(order).index(row["name"]) if row["name"] in order else len(order))
    return sorted(found, key=lambda row: (-row["messages"], row["name"]))[:_MOST_GROUPS]


def _photo_pairs(rows: Rows) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Returns each row with the next of the same product and campaign but another variant."""
    group, variant = rows.codes("product"), rows.codes("variant")
    for name in ("campaign", "campaign_type", "industry"):
        codes = rows.codes(name)
        group = group * (int(codes.max(initial=0)) + 1) + codes
    order = np.lexsort((variant, group))
    same = (group[order][1:] == group[order][:-1]) & (variant[order][1:] != variant[order][:-1])
    return order[:-1][same], order[1:][same]


def _share(hits: npt.NDArray[np.bool_], among: npt.NDArray[np.bool_]) -> float | None:
    return float(hits[among].mean()) if among.any() else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
