"""The best that can be done on simulated conversions: what somebody who knew every true probability would reach."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.conversions import TRUTH
from features.creative_spec import CreativeSpec

BINS = 2000
_HEAD = 3


def ceilings(rows: pa.RecordBatch, spec: CreativeSpec) -> Iterator[tuple[str, npt.NDArray[np.float64]]]:
    """Yields (target, sums) of conversions with columns of truth; sums of pieces add up to those of the whole.

    The sums, float64 (3 + 2 ``BINS``,): trials, those that the likelier answer gets right, their log loss, and the
    expected positives and negatives by true probability.
    """
    for target in spec.targets:
        name = f"{TRUTH}{target.name}"
        if name not in rows.schema.names:
            continue
        truth = np.asarray(rows.column(name).to_numpy(zero_copy_only=False), np.float64)
        trials = np.asarray(rows.column(target.among).cast(pa.float64()).to_numpy(zero_copy_only=False))
        known = np.isfinite(truth) & np.isfinite(trials)
        truth, trials = truth[known], trials[known]
        sums = np.zeros(_HEAD + 2 * BINS)
        sums[:_HEAD] = trials.sum(), (trials * np.maximum(truth, 1 - truth)).sum(), (trials * _entropy(truth)).sum()
        places = np.minimum((truth * BINS).astype(np.int64), BINS - 1)
        sums[_HEAD : _HEAD + BINS] = np.bincount(places, trials * truth, BINS)
        sums[_HEAD + BINS :] = np.bincount(places, trials * (1 - truth), BINS)
        yield target.name, sums


def told(sums: npt.NDArray[np.float64]) -> dict[str, float]:
    """Returns the expected accuracy, log loss (nats) and AUC of the truth, to six digits.

    The AUC is the chance that a positive has a higher probability than a negative, ties counted half, with
    probabilities rounded to 1 / ``BINS``.
    """
    trials, right, loss = sums[:_HEAD].tolist()
    positives, negatives = sums[_HEAD : _HEAD + BINS], sums[_HEAD + BINS :]
    pairs = positives.sum() * negatives.sum()
    below = np.cumsum(negatives) - negatives
    auc = float((positives * (below + negatives / 2)).sum() / pairs) if pairs else 0.5
    return {"accuracy": round(right / trials, 6), "log_loss": round(loss / trials, 6), "auc": round(auc, 6)}


def _entropy(truth: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    inside = np.clip(truth, 1e-12, 1 - 1e-12)
    return np.asarray(-(truth * np.log(inside) + (1 - truth) * np.log1p(-inside)), np.float64)
