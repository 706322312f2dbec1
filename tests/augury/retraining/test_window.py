from datetime import date

import pytest

from augury.retraining.errors import AppError
from augury.retraining.window import DataWindow, WindowRule, expand, midnight_us, window_of

MONDAY_US = midnight_us(date(2026, 8, 24))  # 2026-08-24 is a Monday
HOUR_US = 3_600_000_000


def test_a_window_ends_with_the_last_whole_day() -> None:
    found = window_of(WindowRule(days=7), None, MONDAY_US + 5 * HOUR_US)
    assert (found.first, found.end, found.last, found.days) == (
        *(date(2026, 8, 17), date(2026, 8, 24), date(2026, 8, 23)),
        7,
    )
    assert str(found) == "2026-08-17 to 2026-08-23"
    assert found.end_us == 1_787_529_600_000_000  # date -d 2026-08-24 +%s


def test_a_window_that_ends_before_a_weekday_is_the_same_all_week() -> None:
    rule = WindowRule(days=28, ends="monday")
    ends = {window_of(rule, None, MONDAY_US + day * 24 * HOUR_US + HOUR_US).end for day in range(7)}
    assert ends == {date(2026, 8, 24)}
    assert window_of(rule, None, MONDAY_US - HOUR_US).end == date(2026, 8, 17)


def test_a_given_end_is_taken() -> None:
    assert window_of(WindowRule(), "2026-08-20", MONDAY_US) == DataWindow(date(2026, 7, 23), date(2026, 8, 20))


@pytest.mark.parametrize(
    ("end", "message"),
    [
        ("soon", "end is 'soon'; expected a day such as 2026-08-24: the first that is not learnt from"),
        (
            "2026-08-25",
            r"end is 2026-08-25, but today is 2026-08-24 \(UTC\): wait until the days before 2026-08-25 are over",
        ),
        ("0001-01-09", "end is 0001-01-09; expected a later day: the calendar has no 28 days before it"),
    ],
)
def test_an_end_that_cannot_be_is_refused(end: str, message: str) -> None:
    with pytest.raises(AppError, match=message):
        window_of(WindowRule(), end, MONDAY_US)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"days": 6}, "window.days is 6; expected a whole number from 7 to 60"),
        ({"days": 61}, "window.days is 61; expected a whole number from 7 to 60"),
        ({"days": True}, "window.days is True"),
        ({"late_days": -1}, "window.late_days is -1; expected a whole number from 0 to 14"),
        ({"ends": "payday"}, "window.ends is 'payday'; expected day or one of monday, tuesday"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(given: dict, message: str) -> None:
    with pytest.raises(AppError, match=message):
        WindowRule(**given)


def test_patterns_name_days() -> None:
    window = DataWindow(date(2026, 8, 30), date(2026, 9, 2))
    assert expand("events/date={date}", window, late_days=1) == [
        f"events/date={day}" for day in ("2026-08-30", "2026-08-31", "2026-09-01", "2026-09-02")
    ]
    assert expand("bq://p.d.t?from={first}&to={end}", window) == ["bq://p.d.t?from=2026-08-30&to=2026-09-02"]
    assert expand("{last}/*.jsonl", window) == ["2026-09-01/*.jsonl"]
    assert expand("events", window, late_days=3) == ["events"]
    with pytest.raises(AppError, match=r"'\{day\}.jsonl' has \{day\}; expected \{date\}, \{first\}, \{last\}, \{end\}"):
        expand("{day}.jsonl", window)
