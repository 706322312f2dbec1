"""No difference is claimed that its uncertainty does not allow; less may be better."""

import numpy as np

from models.creative.estimates import Estimates
from models.creative.verdicts import best_of, rates_of

NAMES = ["original", "brighter", "darker"]


def estimates(*members: list[float]) -> Estimates:
    """Of rows whose members are given: the rate is their mean, and intervals are as wide as one deviation."""
    table = np.array(members).T  # (B, N)
    middle, spread = table.mean(axis=0), table.std(axis=0, ddof=1)
    return Estimates(middle, middle - spread, middle + spread, table, 1.0)


def test_rows_that_move_together_are_told_apart_though_their_intervals_overlap() -> None:
    # Differences of the members: 0.1 each, so the interval of the difference has no width.
    found = estimates([0.2, 0.5, 0.8], [0.3, 0.6, 0.9])
    original, brighter = rates_of(found, 0, less_is_better=False)
    assert (original.difference, original.better) == (0.0, None)
    assert brighter.low < original.high
    assert np.allclose([brighter.difference, brighter.difference_low, brighter.difference_high], 0.1)
    assert brighter.better is True
    assert rates_of(found, 0, less_is_better=True)[1].better is False
    best = best_of(found, [0, 1], NAMES, 0, less_is_better=False)
    assert best.said == "brighter is reliably the best; reliably better than the photo as it is"
    lowest = best_of(found, [0, 1], NAMES, 0, less_is_better=True)
    assert (lowest.name, lowest.reliable, lowest.better_than_given) == ("original", True, None)
    assert lowest.said == "original is reliably the best"


def test_a_difference_smaller_than_its_uncertainty_is_none() -> None:
    # Differences of the members: -0.2, 0.1, 0.4; mean 0.1, deviation 0.3.
    found = estimates([0.4, 0.4, 0.4], [0.2, 0.5, 0.8])
    assert rates_of(found, 0, less_is_better=False)[1].better is None
    best = best_of(found, [0, 1], NAMES, 0, less_is_better=False)
    assert (best.name, best.reliable, best.as_good, best.better_than_given) == ("brighter", False, ("original",), None)
    assert best.said == (
        "no reliable winner: brighter has the best rate, but cannot be told from original; "
        "no reliable difference from the photo as it is"
    )


def test_better_than_the_photo_but_not_than_each_other() -> None:
    found = estimates([0.1, 0.1, 0.1], [0.5, 0.6, 0.7], [0.6, 0.5, 0.6])
    best = best_of(found, [0, 1, 2], NAMES, 0, less_is_better=False)
    assert (best.name, best.reliable, best.as_good, best.better_than_given) == ("brighter", False, ("darker",), True)


def test_what_is_not_compared_cannot_be_best_and_one_alone_is_no_winner() -> None:
    found = estimates([0.1, 0.1, 0.1], [0.5, 0.6, 0.7], [0.9, 0.9, 0.9])
    assert best_of(found, [0, 1], NAMES, 0, less_is_better=False).name == "brighter"
    alone = best_of(found, [0], NAMES, 0, less_is_better=False)
    assert (alone.name, alone.reliable, alone.said) == ("original", True, "original is the only choice")
    worse = best_of(found, [1, 2], NAMES, 0, less_is_better=True)
    assert worse.said == "brighter is reliably the best; reliably worse than the photo as it is"


def test_of_equal_rates_the_first_is_taken() -> None:
    found = estimates([0.4, 0.6], [0.4, 0.6])
    assert best_of(found, [0, 1], NAMES, 0, less_is_better=False).name == "original"
