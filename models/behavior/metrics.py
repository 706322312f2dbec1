"""How good predictions are: ranking, trust in the probabilities, and what a campaign that follows them would catch.

Two shapes of argument. Figures of the whole model take ``labels`` int (N,) and ``probabilities`` float (N, C).
One-vs-rest figures take ``positive`` bool (N,) and ``scores`` float (N,): the probability of the class that counts as
positive, which is class 1 of two and each class in turn of more. Tied scores share their positives evenly (the
expectation over a random order), so a constant prediction shows no lift, whatever the order of the rows.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats
from sklearn import metrics as sk

from features.errors import AuguryError
from models.behavior.segments import SEGMENTS

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

ECE_BINS = 15
MIN_POSITIVES = 100
_MOST_BUCKETS = 20
_SUM_TOLERANCE = 1e-3


class MetricsError(AuguryError, ValueError):
    """Labels and predictions that cannot be measured: empty, one class only, not finite, not probabilities."""


class Interval(NamedTuple):
    """An estimate with the ends of its confidence interval."""

    value: float
    low: float
    high: float


class Bucket(NamedTuple):
    """One bucket of a calibration curve: ``rate`` is what happened, ``low`` to ``high`` its 95 % Wilson interval."""

    examples: int
    positives: int
    predicted: float
    rate: float
    low: float
    high: float


class Segment(NamedTuple):
    """One of equally large segments by score. Numbers may be fractions, for scores tied across a border.

    ``odds`` is positives over negatives (None: no negatives); ``lift`` is ``rate`` over the rate of all examples.
    """

    name: str
    examples: float
    positives: float
    rate: float
    odds: float | None
    lift: float


def check_predictions(
    labels: npt.ArrayLike, probabilities: npt.ArrayLike, name: str = "the predictions"
) -> tuple[npt.NDArray[np.int64], Floats]:
    """Returns ``labels`` as int64 (N,) and ``probabilities`` as float64 (N, C) with rows that sum to exactly one.

    Raises:
        MetricsError: nothing to measure, shapes that do not fit, fewer than two classes present, values that are not
            finite, outside 0 to 1, or in rows that do not sum to one (beyond the rounding of float32).
    """
    y, p = np.asarray(labels), np.asarray(probabilities, np.float64)
    if y.ndim != 1 or p.ndim != 2 or len(y) != len(p) or p.shape[1] < 2:
        raise MetricsError(f"{name}: labels {y.shape} and probabilities {p.shape}; expected (N,) and (N, C), C >= 2")
    if not len(y):
        raise MetricsError(f"{name}: no examples to evaluate; check that the split is not empty")
    if y.dtype.kind not in "iub" or y.min() < 0 or y.max() >= p.shape[1]:
        raise MetricsError(f"{name}: labels from {y.min()} to {y.max()} ({y.dtype}); expected 0 to {p.shape[1] - 1}")
    bad = ~np.isfinite(p).all(axis=1)
    if bad.any():
        raise MetricsError(
            f"{name}: {bad.sum()} of {len(p)} predictions are not finite, the first at row {bad.argmax()}; "
            "lower the learning rate or check the input for NaN"
        )
    if p.min() < -1e-6 or p.max() > 1 + 1e-6 or np.abs(p.sum(axis=1) - 1).max() > _SUM_TOLERANCE:
        raise MetricsError(
            f"{name}: values from {p.min():g} to {p.max():g}, row sums from {p.sum(axis=1).min():g} to "
            f"{p.sum(axis=1).max():g}; expected probabilities that sum to 1 (apply softmax to logits)"
        )
    y = y.astype(np.int64)
    if (y == y[0]).all():
        raise MetricsError(
            f"{name}: all {len(y)} labels are {y[0]}; expected at least two classes; take more data or another window"
        )
    p = np.clip(p, 0, 1)
    return y, p / p.sum(axis=1, keepdims=True)


def one_vs_rest(labels: npt.NDArray[np.int64], probabilities: Floats) -> list[tuple[int, Bools, Floats]]:
    """Returns (class, positive, scores) for class 1 of two, and for every class that occurs of more."""
    classes = [1] if probabilities.shape[1] == 2 else np.unique(labels).tolist()
    return [(k, labels == k, probabilities[:, k]) for k in classes]


def roc_auc(positive: Bools, scores: Floats) -> float:
    """Returns the chance that a random positive scores above a random negative, ties counted half."""
    return roc_auc_influence(positive, scores)[0]


def auc_with_interval(labels: npt.ArrayLike, probabilities: npt.ArrayLike, level: float = 0.95) -> Interval:
    """Returns the AUC (macro over classes one-vs-rest where there are more than two) with DeLong's interval.

    DeLong, DeLong and Clarke-Pearson, "Comparing the areas under two or more correlated receiver operating
    characteristic curves", Biometrics 1988; computed from mid-ranks in O(N log N) as by Sun and Xu, "Fast
    implementation of DeLong's algorithm", IEEE Signal Processing Letters 2014. The interval is normal, cut at 0 and 1.
    """
    value, influence = auc_influence(labels, probabilities)
    low, high = _normal_interval(value, influence, level)
    return Interval(value, max(low, 0.0), min(high, 1.0))


def auc_difference(
    labels: npt.ArrayLike, probabilities: npt.ArrayLike, others: npt.ArrayLike, level: float = 0.95
) -> Interval:
    """Returns AUC of ``probabilities`` minus AUC of ``others`` on the same examples, with DeLong's paired interval."""
    (a, influence_a), (b, influence_b) = auc_influence(labels, probabilities), auc_influence(labels, others)
    return Interval(a - b, *_normal_interval(a - b, influence_a - influence_b, level))


def auc_influence(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> tuple[float, Floats]:
    """Returns the AUC (macro beyond two classes) and float64 (N,) what each example contributes to its error.

    The squares add up to DeLong's variance; of differences and means of AUCs the same holds of differences and means.
    """
    views = one_vs_rest(*check_predictions(labels, probabilities))
    parts = [roc_auc_influence(positive, scores) for _, positive, scores in views]
    return float(np.mean([auc for auc, _ in parts])), np.mean([influence for _, influence in parts], axis=0)


def pr_auc(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> float:
    """Returns the area under precision over recall as average precision (macro one-vs-rest beyond two classes)."""
    y, p = check_predictions(labels, probabilities)
    return float(np.mean([sk.average_precision_score(positive, scores) for _, positive, scores in one_vs_rest(y, p)]))


def log_loss(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> float:
    """Returns the mean of -ln(probability given to what happened), in nats."""
    y, p = check_predictions(labels, probabilities)
    return float(sk.log_loss(y, p, labels=range(p.shape[1])))


def brier(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> float:
    """Returns the mean squared error: of class 1 for two classes (0 to 1), summed over classes for more (0 to 2)."""
    y, p = check_predictions(labels, probabilities)
    return float(sk.brier_score_loss(y, p[:, 1] if p.shape[1] == 2 else p, labels=range(p.shape[1])))


def ece(labels: npt.ArrayLike, probabilities: npt.ArrayLike, bins: int = ECE_BINS, equal_mass: bool = False) -> float:
    """Returns the expected calibration error: the mean over bins of abs(rate - mean prediction), weighted by size.

    For two classes the probability of class 1 is compared with its rate; for more, the confidence in the predicted
    class with the accuracy, as in Guo et al., "On calibration of modern neural networks", ICML 2017, section 2.
    Bins are of equal width and closed on the right, as there; ``equal_mass`` cuts at quantiles instead, which is
    sharper where nearly all predictions are small.
    """
    y, p = check_predictions(labels, probabilities)
    if p.shape[1] == 2:
        hit, score = y == 1, p[:, 1]
    else:
        hit, score = y == p.argmax(axis=1), p.max(axis=1)
    cuts = np.arange(1, bins) / bins
    if equal_mass:
        cuts = np.quantile(score, cuts, method="inverted_cdf")
    which = np.searchsorted(cuts, score, side="left")
    gaps = np.bincount(which, hit - score, minlength=bins)
    return float(np.abs(gaps).sum() / len(y))


def roc_points(positive: Bools, scores: Floats, most: int = 200) -> tuple[Floats, Floats]:
    """Returns at most ``most`` points (share of negatives, share of positives) above falling thresholds."""
    false_rate, true_rate, _ = sk.roc_curve(positive, scores)
    keep = _spread(false_rate + true_rate, most)
    return false_rate[keep], true_rate[keep]


def pr_points(positive: Bools, scores: Floats, most: int = 200) -> tuple[Floats, Floats]:
    """Returns at most ``most`` points (recall, precision), by rising recall.

    The curve starts at recall 0 with the precision of the highest score, in place of scikit-learn's (0, 1), which no
    threshold attains and which would make a constant prediction look precise.
    """
    precision, recall, _ = sk.precision_recall_curve(positive, scores)
    precision, recall = precision[::-1].copy(), recall[::-1]
    precision[0] = precision[1]
    keep = _spread(recall, most)
    return recall[keep], precision[keep]


def calibration_curve(positive: Bools, scores: Floats, min_positives: int = MIN_POSITIVES) -> list[Bucket]:
    """Returns buckets of neighbouring scores that hold at least ``min_positives`` positives each, by rising score.

    Equal scores stay together, and what is left at the top joins the last bucket. There are at most twenty buckets
    (more positives make larger ones); fewer than ``min_positives`` in all make a single, smaller one.
    """
    values, group = np.unique(scores, return_inverse=True)
    count, hits = np.bincount(group), np.bincount(group, positive)
    total = hits.sum()
    target = max(min_positives, total / _MOST_BUCKETS)
    ends, done, running = [], 0.0, np.cumsum(hits)
    while total - done >= 2 * target:
        end = int(np.searchsorted(running, done + target))
        if total - running[end] < target:
            break
        ends.append(end + 1)
        done = running[end]
    buckets = []
    for start, stop in zip([0, *ends], [*ends, len(values)], strict=True):
        n, k = int(count[start:stop].sum()), round(hits[start:stop].sum())
        wilson = stats.binomtest(k, n).proportion_ci(method="wilson")
        predicted = float(values[start:stop] @ count[start:stop] / n)
        buckets.append(Bucket(n, k, predicted, k / n, float(wilson.low), float(wilson.high)))
    return buckets


def distribution(positive: Bools, scores: Floats, edges: Floats) -> tuple[Floats, Floats]:
    """Returns which share of the negatives and of the positives falls between neighbouring ``edges``."""
    negatives, positives = (np.histogram(scores[rows], edges)[0] for rows in (~positive, positive))
    return negatives / max((~positive).sum(), 1), positives / max(positive.sum(), 1)


def gain_curve(positive: Bools, scores: Floats) -> tuple[Floats, Floats]:
    """Returns (share of all examples, share of all positives among them), highest scores first, from (0, 0) to (1, 1).

    Between two points lie examples of one score; the straight line between them is their expected share.
    """
    values, group = np.unique(-scores, return_inverse=True)
    count, hits = np.bincount(group, minlength=len(values)), np.bincount(group, positive, minlength=len(values))
    return np.r_[0.0, np.cumsum(count) / len(scores)], np.r_[0.0, np.cumsum(hits) / max(hits.sum(), 1)]


def share_of_positives(positive: Bools, scores: Floats, top: float = 0.2) -> float:
    """Returns which share of all positives the ``top`` share of examples by score holds."""
    return float(np.interp(top, *gain_curve(positive, scores)))


def positive_rate(positive: Bools, scores: Floats, top: float = 0.1) -> float:
    """Returns the rate of positives among the ``top`` share of examples by score."""
    return share_of_positives(positive, scores, top) * float(positive.mean()) / top


def segments(positive: Bools, scores: Floats, names: tuple[str, ...] = SEGMENTS) -> list[Segment]:
    """Returns equally large segments by rising score, by default five from very low to very high."""
    parts = len(names)
    held = np.diff(np.interp(np.arange(parts + 1) / parts, *gain_curve(positive, scores)))[::-1] * positive.sum()
    size, overall = len(scores) / parts, float(positive.mean())
    return [
        Segment(
            name,
            size,
            float(hits),
            float(hits / size),
            float(hits / (size - hits)) if size - hits > 1e-9 else None,
            float(hits / size / overall) if overall else 0.0,
        )
        for name, hits in zip(names, held, strict=True)
    ]


def roc_auc_influence(positive: Bools, scores: Floats) -> tuple[float, Floats]:
    """Returns the AUC and what every example contributes to its error: the squares sum to DeLong's variance.

    The placement values of DeLong et al. (V10 of the positives, V01 of the negatives), centred and scaled so that sums
    of products are their covariances too; means and differences of several AUCs so need only sums of these.
    """
    p, n = int(positive.sum()), int((~positive).sum())
    if not p or not n:
        raise MetricsError(f"AUC needs positives and negatives; got {p} and {n}; take more data or another window")
    ranks = stats.rankdata(scores)
    placement = np.empty(len(scores))
    placement[positive] = (ranks[positive] - stats.rankdata(scores[positive])) / n
    placement[~positive] = 1 - (ranks[~positive] - stats.rankdata(scores[~positive])) / p
    auc = float(placement[positive].mean())
    size = np.where(positive, p, n)
    return auc, (placement - auc) / np.sqrt(size * np.maximum(size - 1, 1))


def _normal_interval(value: float, influence: Floats, level: float) -> tuple[float, float]:
    half = float(stats.norm.ppf((1 + level) / 2) * np.sqrt(np.sum(influence**2)))
    return value - half, value + half


def _spread(position: Floats, most: int) -> npt.NDArray[np.int64]:
    """Returns indices of at most ``most`` points, evenly apart along the non-decreasing ``position``, ends included."""
    if len(position) <= most:
        return np.arange(len(position))
    wanted = np.linspace(position[0], position[-1], most)
    found = np.searchsorted(position, wanted)
    found[0], found[-1] = 0, len(position) - 1
    return np.unique(found)
