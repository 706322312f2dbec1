"""Tallies add up."""

from transforms.tally import Tally, by_reason, merge


def test_counts_add_and_times_span() -> None:
    total = merge(
        [
            Tally({"read/rows": 5, "rejected/not_json": 2}),
            Tally({"dropped/bot": 1}, 10, 21),
            Tally({"read/rows": 1, "rejected/not_json": 1, "rejected/bad_time": 3}, 5, 7),
        ]
    )
    assert total == Tally({"read/rows": 6, "rejected/not_json": 3, "dropped/bot": 1, "rejected/bad_time": 3}, 5, 21)
    assert by_reason(total, "rejected") == {"bad_time": 3, "not_json": 3}
    assert merge([]) == Tally({}, None, None)
