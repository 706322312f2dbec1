"""The rules of the fast store refuse what cannot be."""

from typing import Any

import pytest

from features.recent_events import PushCounts, RecentEventsError, RecentRules

_DAY_MS = 86_400_000


def test_times_follow_from_the_rules() -> None:
    rules = RecentRules(max_age_days=0.5)
    assert rules.horizon_us(10**15) == 10**15 - 43_200_000_000
    assert rules.rows_ttl_ms == 1.5 * _DAY_MS  # an event may be dated a day ahead
    assert rules.links_ttl_ms == 400 * _DAY_MS
    assert RecentRules(max_age_days=500).links_ttl_ms == 501 * _DAY_MS


def test_counts_add_up() -> None:
    total = PushCounts(1, 2, 3, 4, 5, 6) + PushCounts(new=10, refused=1)
    assert total == PushCounts(11, 2, 3, 4, 5, 7)
    assert total.total == 32


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"count": 0}, "count 0 is not possible; expected 1 to 5000"),
        ({"count": 5001}, "count 5001 is not possible; expected 1 to 5000"),
        ({"max_age_days": 0}, "max_age_days 0 is not possible; expected above 0, up to 36500"),
        ({"max_age_days": float("nan")}, "max_age_days nan is not possible"),
        ({"dedup_seconds": -1}, "dedup_seconds -1 is not possible; expected 0 to 2592000"),
        ({"types": ()}, "an empty list of types cannot be kept; expected some of track, page"),
        ({"types": ("track", "click")}, r"types \['click'\] cannot be kept; expected some of track, page"),
        ({"namespace": ""}, "namespace '' is not possible; expected 1 to 64 letters, digits, _ . or -"),
        ({"namespace": "a:z"}, "namespace 'a:z' is not possible"),
        ({"namespace": "a\n"}, "namespace"),
    ],
)
def test_impossible_rules_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(RecentEventsError, match=message):
        RecentRules(**given)
