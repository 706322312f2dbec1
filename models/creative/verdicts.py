"""Which of several rates is best, as far as can be told: no difference is claimed that its uncertainty does not allow.

Two rates are compared by the paired differences of the ensemble's members (``Estimates.difference``): versions of one
photo err together, so their difference is known better than either rate.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from models.creative.estimates import Estimates

NO_WINNER = "no reliable winner"


@dataclass(frozen=True)
class Rate:
    """A predicted rate.

    Attributes:
        probability: 0 to 1.
        low: lower end of its interval.
        high: upper end.
        difference: from the photo as it is, with its interval ``difference_low`` to ``difference_high``.
        difference_low: lower end.
        difference_high: upper end.
        better: whether it is reliably better (True) or worse (False) than the photo; None: no difference can be told.
    """

    probability: float
    low: float
    high: float
    difference: float
    difference_low: float
    difference_high: float
    better: bool | None


@dataclass(frozen=True)
class Best:
    """The best of several.

    Attributes:
        name: of the one with the best rate.
        reliable: whether it is reliably better than every other.
        as_good: names of the others that cannot be told from it.
        better_than_given: as ``Rate.better``, of the best.
        said: the same in a line for people.
    """

    name: str
    reliable: bool
    as_good: tuple[str, ...]
    better_than_given: bool | None
    said: str


def rates_of(found: Estimates, given: int, less_is_better: bool) -> list[Rate]:
    """Returns the rates of all rows, and what they are beside row ``given``."""
    rates = []
    for row in range(len(found.probability)):
        change = found.difference(row, given)
        better = (change.value < 0) == less_is_better if row != given and change.reliable else None
        rate, low, high = (float(each[row]) for each in (found.probability, found.low, found.high))
        rates.append(Rate(rate, low, high, *change, better))
    return rates


def best_of(found: Estimates, rows: Sequence[int], names: Sequence[str], given: int, less_is_better: bool) -> Best:
    """Returns the best of some rows; of equal ones the first.

    Args:
        found: of all rows.
        rows: that are compared, at least one.
        names: of all rows.
        given: the row of the photo as it is; it need not be one of ``rows``.
        less_is_better: whether the best is the lowest.
    """
    sign = -1 if less_is_better else 1
    best = max(rows, key=lambda row: sign * found.probability[row])
    rest = [row for row in rows if row != best]
    as_good = [row for row in rest if not found.difference(best, row).reliable]
    change = found.difference(best, given)
    better = sign * change.value > 0 if best != given and change.reliable else None
    reliable = not as_good
    said = f"{names[best]} is reliably the best" if reliable and rest else f"{names[best]} is the only choice"
    if as_good:
        others = ", ".join(names[row] for row in as_good[:5]) + (", ..." if len(as_good) > 5 else "")
        said = f"{NO_WINNER}: {names[best]} has the best rate, but cannot be told from {others}"
    beside = {None: "no reliable difference from", True: "reliably better than", False: "reliably worse than"}[better]
    if best != given:
        said += f"; {beside} the photo as it is"
    return Best(names[best], reliable, tuple(names[row] for row in as_good), better, said)
