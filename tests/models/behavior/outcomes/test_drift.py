"""The population stability index, by hand, and how large it gets by chance."""

import numpy as np
import pytest

from models.behavior.outcomes.drift import Drift, counted, drift, psi, quantile_edges


def test_two_bins_by_hand() -> None:
    """Shares 0.5, 0.5 against 0.8, 0.2: 0.3 ln 1.6 + 0.3 ln 2.5; halves of a count hardly matter for a million."""
    expected, found = np.array([5e5, 5e5]), np.array([8e5, 2e5])
    assert psi(expected, found) == pytest.approx(0.3 * np.log(1.6) + 0.3 * np.log(2.5), abs=1e-5)
    assert psi(found, expected) == pytest.approx(psi(expected, found))
    assert psi(expected, expected) == 0
    assert np.isfinite(psi(np.array([10.0, 0.0]), np.array([0.0, 10.0])))


def test_bins_are_deciles_and_ties_make_fewer() -> None:
    scores = np.arange(100) / 100
    edges = quantile_edges(scores)
    assert len(edges) == 9
    assert counted(scores, edges).tolist() == [10.0] * 10
    assert quantile_edges(np.full(50, 0.2)) == []
    assert counted(np.array([0.1, 0.3]), []).tolist() == [2.0]


def test_chance_alone_stays_below_what_is_said() -> None:
    """99 of 100 weeks of the same distribution."""
    random = np.random.default_rng(2)
    first = random.beta(1, 5, 800)
    edges = quantile_edges(first)
    expected = counted(first, edges)
    found = [drift(random.beta(1, 5, 600), edges, expected) for _ in range(400)]
    assert np.mean([each.psi <= each.by_chance for each in found]) == pytest.approx(0.99, abs=0.02)


@pytest.mark.parametrize(
    ("moved", "word"),
    [
        (Drift(0.05, 0.01), "none"),
        (Drift(0.15, 0.01), "moderate"),
        (Drift(0.15, 0.2), "none"),
        (Drift(0.3, 0.02), "large"),
    ],
)
def test_what_it_says_in_a_word(moved: Drift, word: str) -> None:
    assert moved.verdict == word
