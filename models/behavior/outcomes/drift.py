"""How far predictions have moved away from what they were, by the population stability index."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from models.behavior.metrics import Floats

BINS = 10
MODERATE, LARGE = 0.1, 0.25
"""The rule of thumb of credit scoring, as in Siddiqi, "Credit risk scorecards", 2006."""


class Drift(NamedTuple):
    """How far a distribution moved.

    Attributes:
        psi: the population stability index.
        by_chance: what it would be at most in 99 of 100 cases if nothing had moved, for so many predictions.
    """

    psi: float
    by_chance: float

    @property
    def verdict(self) -> str:
        """Says in a word what the index says: none, moderate or large; none where chance explains it."""
        if self.psi < MODERATE or self.psi <= self.by_chance:
            return "none"
        return "large" if self.psi >= LARGE else "moderate"


def psi(expected: Floats, found: Floats) -> float:
    """Returns the population stability index of two distributions over the same bins.

    ``sum_k (f_k - e_k) ln(f_k / e_k)`` over the shares of both: the symmetric divergence of Kullback and Leibler, "On
    information and sufficiency", 1951, under the name it has in credit scoring (Siddiqi 2006). Half a count is added to
    every bin, so that an empty one gives a large number and not infinity.

    Args:
        expected: counts (K,).
        found: counts (K,).
    """
    e, f = ((counts + 0.5) / (counts + 0.5).sum() for counts in (expected, found))
    return float(np.sum((f - e) * np.log(f / e)))


def drift(scores: Floats, edges: Sequence[float], expected: Floats) -> Drift:
    """Returns how far scores (N,) moved from counts of earlier ones.

    By chance alone the index is about ``(1/N + 1/M)`` times a chi-squared number with K - 1 degrees of freedom:
    Yurdakul and Naranjo, "Statistical properties of the population stability index", Journal of Risk Model
    Validation 2020.

    Args:
        scores: of now.
        edges: that part the bins, ascending (K - 1,); a score that equals one is below it.
        expected: counts (K,) of the earlier scores, M in all.
    """
    found = counted(scores, edges)
    size = 1 / max(found.sum(), 1) + 1 / max(expected.sum(), 1)
    chance = float(stats.chi2.ppf(0.99, max(len(expected) - 1, 1)) * size)
    return Drift(psi(expected, found), chance)


def quantile_edges(scores: Floats, bins: int = BINS) -> list[float]:
    """Returns the scores that part ``bins`` equally large groups, fewer where many are tied."""
    edges = np.unique(np.quantile(scores, np.arange(1, bins) / bins, method="inverted_cdf"))
    return [float(edge) for edge in edges if edge < scores.max()]


def counted(scores: Floats, edges: Sequence[float]) -> Floats:
    """Returns how many scores are in each bin, float64 (K,)."""
    which = np.searchsorted(np.asarray(edges, np.float64), scores, side="left")
    return np.bincount(which, minlength=len(edges) + 1).astype(np.float64)
