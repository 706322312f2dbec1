"""Weeks begin on Mondays, UTC."""

from datetime import UTC, datetime

import numpy as np
import pytest

from features.weeks import WEEK_US, week_name, week_of


@pytest.mark.parametrize(
    ("moment", "monday"),
    [
        ("2026-01-05T00:00:00", "2026-01-05"),
        ("2026-01-04T23:59:59.999999", "2025-12-29"),
        ("2026-11-22T12:00:00", "2026-11-16"),
        ("1970-01-01T00:00:00", "1969-12-29"),
    ],
)
def test_a_week_begins_on_its_monday(moment: str, monday: str) -> None:
    time_us = round(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp() * 1e6)
    assert week_name(week_of(time_us)) == monday
    assert week_of(np.array([time_us])).tolist() == [week_of(time_us)]
    assert week_of(week_of(time_us) + WEEK_US - 1) == week_of(time_us)
