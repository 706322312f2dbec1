"""Weeks: Monday to Sunday, UTC, as ISO 8601 has them; a week is named by the int64 microsecond it begins at."""

from datetime import UTC, datetime
from typing import TypeVar

import numpy as np
import numpy.typing as npt

WEEK_US = 7 * 86_400_000_000

_MONDAY_US = 4 * 86_400_000_000
"""1970 began on a Thursday: the first Monday was the 5th of January."""

Times = TypeVar("Times", int, npt.NDArray[np.int64])


def week_of(time_us: Times) -> Times:
    """Returns the beginning of the week that a time, or each of several, is in."""
    return (time_us - _MONDAY_US) // WEEK_US * WEEK_US + _MONDAY_US


def week_name(start_us: int) -> str:
    """Returns the day that a week begins with, such as 2026-11-16."""
    return f"{datetime.fromtimestamp(start_us // 1_000_000, UTC):%Y-%m-%d}"
