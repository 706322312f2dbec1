from dataclasses import dataclass

import pytest

from features.errors import AuguryError
from features.options import check_ranges, option


class WrongError(AuguryError, ValueError):
    pass


@dataclass(frozen=True)
class Wanted:
    share: float = option(0.5, "a share")
    parts: int | None = option(None, "parts; None lets them be chosen")


LIMITS = {"share": (0, 1), "parts": (1, 8)}


@pytest.mark.parametrize("wanted", [Wanted(), Wanted(0, 1), Wanted(1, 8)])
def test_both_ends_and_what_is_not_given_are_possible(wanted) -> None:
    assert check_ranges(wanted, WrongError, LIMITS) is None


@pytest.mark.parametrize(
    ("wanted", "said"),
    [(Wanted(1.5), "share is 1.5; expected 0 to 1"), (Wanted(parts=0), "parts is 0; expected 1 to 8")],
)
def test_what_is_outside_is_named(wanted, said) -> None:
    with pytest.raises(WrongError, match=f"^{said}$"):
        check_ranges(wanted, WrongError, LIMITS)
    with pytest.raises(WrongError, match="share is nan"):
        check_ranges(Wanted(float("nan")), WrongError, LIMITS)
