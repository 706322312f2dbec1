"""Segments: five names for how likely, from very low to very high, and the probabilities that part them."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

SEGMENTS = ("very low", "low", "medium", "high", "very high")

_ODDS = (1 / 4, 2 / 3, 3 / 2, 4)
"""Without a test split to part in fifths: how many times the odds of the base rate the edges are."""


def segment_edges(scores: npt.ArrayLike) -> list[float]:
    """Returns the four probabilities that part the scores (N,) in fifths."""
    parts = len(SEGMENTS)
    return [float(edge) for edge in np.quantile(np.asarray(scores, np.float64), np.arange(1, parts) / parts)]


def edges_around(rate: float) -> list[float]:
    """Returns edges for a model that recorded none: a quarter, two thirds, one and a half and four times the base odds.

    Args:
        rate: the share of the class among the training examples.
    """
    odds = min(max(rate, 1e-6), 1 - 1e-6)
    odds /= 1 - odds
    return [times * odds / (1 + times * odds) for times in _ODDS]


def segment_of(probability: float, edges: Sequence[float]) -> str:
    """Returns the name of the segment; a probability that equals several edges is in the middle one of them."""
    low = int(np.searchsorted(edges, probability, side="left"))
    high = int(np.searchsorted(edges, probability, side="right"))
    return SEGMENTS[(low + high) // 2]
