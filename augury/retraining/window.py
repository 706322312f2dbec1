"""The days that a retraining learns from, and the paths that hold them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from augury.retraining.errors import AppError
from features.options import option

SHORTEST, LONGEST = 7, 60
"""Days of a window."""

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_PLACE = re.compile(r"\{([^{}]*)\}")
_PLACES = ("date", "first", "last", "end")


@dataclass(frozen=True)
class WindowRule:
    """How the window rolls."""

    days: int = option(28, f"days that are learnt from, {SHORTEST} to {LONGEST}")
    ends: str = option("day", "the window ends with the last whole day (day), or with the last one before a weekday")
    late_days: int = option(1, "days after the window whose partitions are read too, for events that came late")

    def __post_init__(self) -> None:
        for name, least, most in (("days", SHORTEST, LONGEST), ("late_days", 0, 14)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                raise AppError(f"window.{name} is {value!r}; expected a whole number from {least} to {most}")
        if self.ends != "day" and self.ends not in WEEKDAYS:
            raise AppError(f"window.ends is {self.ends!r}; expected day or one of {', '.join(WEEKDAYS)}")


@dataclass(frozen=True)
class DataWindow:
    """Whole days, UTC: ``first`` is the first of them, ``end`` the first that is not in it."""

    first: date
    end: date

    @property
    def days(self) -> int:
        """How many there are."""
        return (self.end - self.first).days

    @property
    def last(self) -> date:
        """The last of them."""
        return self.end - timedelta(days=1)

    @property
    def end_us(self) -> int:
        """The end, int64 microseconds UTC."""
        return midnight_us(self.end)

    def __str__(self) -> str:
        return f"{self.first} to {self.last}"


def window_of(rule: WindowRule, end: str | None, now_us: int) -> DataWindow:
    """Returns the window that ends at a given day, or at the last whole day, or before the last given weekday.

    Args:
        rule: how it rolls.
        end: the first day that is not in the window, ``YYYY-MM-DD``; None asks the clock.
        now_us: the clock, int64 microseconds UTC.

    Raises:
        AppError: no day, or one that is not over yet.
    """
    today = datetime.fromtimestamp(now_us // 1_000_000, UTC).date()
    if end is None:
        after = today
        while rule.ends != "day" and after.weekday() != WEEKDAYS.index(rule.ends):
            after -= timedelta(days=1)
    else:
        try:
            after = date.fromisoformat(end)
        except ValueError as e:
            raise AppError(f"end is {end!r}; expected a day such as {today}: the first that is not learnt from") from e
        if after > today:
            raise AppError(f"end is {end}, but today is {today} (UTC): wait until the days before {end} are over")
    if (after - date.min).days < rule.days:
        raise AppError(f"end is {after}; expected a later day: the calendar has no {rule.days} days before it")
    return DataWindow(after - timedelta(days=rule.days), after)


def expand(pattern: str, window: DataWindow, late_days: int = 0) -> list[str]:
    """Returns the paths that a pattern stands for: ``{date}`` is every day, ``{first}``, ``{last}``, ``{end}`` are one.

    Raises:
        AppError: another word in braces.
    """
    for word in _PLACE.findall(pattern):
        if word not in _PLACES:
            raise AppError(f"{pattern!r} has {{{word}}}; expected {', '.join(f'{{{name}}}' for name in _PLACES)} only")
    named = {"first": str(window.first), "last": str(window.last), "end": str(window.end)}
    if "{date}" not in pattern:
        return [_PLACE.sub(lambda match: named[match[1]], pattern)]
    each = ({**named, "date": str(day)} for day in _days(window, late_days))
    return [_PLACE.sub(lambda match, names=names: names[match[1]], pattern) for names in each]  # type: ignore[misc]


def midnight_us(day: date) -> int:
    """Returns the beginning of a day, int64 microseconds UTC."""
    return (day - date(1970, 1, 1)).days * 86_400_000_000


def _days(window: DataWindow, late_days: int) -> Iterator[date]:
    for number in range(window.days + late_days):
        yield window.first + timedelta(days=number)
