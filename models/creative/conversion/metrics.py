"""How good predicted rates are, of rows that are binomial counts: every message weighs the same.

All take ``count`` and ``among``, int (N,), and ``rates``, the predicted probabilities, float (N,). What each gives is
what the same figure of ``among.sum()`` messages with a label each would be.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ECE_BINS = 15
_Z = 1.959963984540054  # of a two-sided 95 % interval
_TINY = 1e-12


class Bucket(NamedTuple):
    """One bucket of a reliability plot: ``rate`` is what happened, ``low`` to ``high`` its 95 % Wilson interval."""

    messages: int
    predicted: float
    rate: float
    low: float
    high: float


def losses(count: Ints, among: Ints, rates: Floats) -> Floats:
    """Returns the log loss of every row, float64 (N,): -(count log p + (among - count) log(1 - p))."""
    p = np.clip(rates, _TINY, 1 - _TINY)
    return np.asarray(-(count * np.log(p) + (among - count) * np.log1p(-p)))


def log_loss(count: Ints, among: Ints, rates: Floats) -> float:
    """Returns the mean log loss of a message."""
    return float(losses(count, among, rates).sum() / among.sum())


def accuracy(count: Ints, among: Ints, rates: Floats) -> float:
    """Returns the share of messages predicted rightly, where one half and more is taken for a yes."""
    return float(np.where(rates >= 0.5, count, among - count).sum() / among.sum())


def ceiling(among: Ints, truth: Floats) -> float:
    """Returns the accuracy that knowing the true probabilities, float (N,), is expected to have: nobody has more."""
    return float((among * np.maximum(truth, 1 - truth)).sum() / among.sum())


def roc_auc(count: Ints, among: Ints, rates: Floats) -> float:
    """Returns the chance that a random yes has a higher rate than a random no, ties counted half.

    Returns:
        NaN where there is no yes or no no.
    """
    _, group = np.unique(rates, return_inverse=True)
    yes = np.bincount(group, count)
    no = np.bincount(group, among - count)
    if not yes.sum() or not no.sum():
        return float("nan")
    below = np.cumsum(no) - no
    return float((yes * (below + no / 2)).sum() / (yes.sum() * no.sum()))


def ece(count: Ints, among: Ints, rates: Floats, bins: int = ECE_BINS) -> float:
    """Returns the expected calibration error: the mean over messages of |rate - prediction| of their bin.

    Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015, with
    bins of equal width.
    """
    place = np.minimum((rates * bins).astype(np.int64), bins - 1)
    gaps = np.bincount(place, count - among * rates, minlength=bins)
    return float(np.abs(gaps).sum() / among.sum())


def buckets(count: Ints, among: Ints, rates: Floats, most: int = 15) -> list[Bucket]:
    """Returns a reliability plot: up to ``most`` buckets of about as many messages, by predicted rate."""
    order = np.argsort(rates, kind="stable")
    total = np.cumsum(among[order])
    place = np.minimum((total - among[order] / 2) * most // total[-1], most - 1).astype(np.int64)
    found = []
    for index in np.unique(place):
        rows = order[place == index]
        n, k = int(among[rows].sum()), int(count[rows].sum())
        found.append(Bucket(n, float((among[rows] * rates[rows]).sum() / n), k / n, *wilson(k, n)))
    return found


def wilson(count: int, among: int) -> tuple[float, float]:
    """Returns the 95 % interval of a share (Wilson, "Probable inference", JASA 1927)."""
    share, z2 = count / among, _Z**2
    middle = (share + z2 / (2 * among)) / (1 + z2 / among)
    half = _Z * np.sqrt(share * (1 - share) / among + z2 / (4 * among**2)) / (1 + z2 / among)
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))
