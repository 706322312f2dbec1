import numpy as np
import pyarrow as pa

from features.checks import REASONS, Verdicts, dead_letters, settle
from features.events import DEAD_LETTER_SCHEMA
from features.rows import LineRows

US = 1_714_564_800_000_000
DAY_US = 86_400_000_000


def times(values: list[int | None], received: list[int | None] | None = None, now_us: int | None = None) -> list[str]:
    """The verdict on each time: the reason, or "" for an event."""
    count = len(values)
    columns = {
        "anonymous_id": pa.array([str(i) for i in range(count)]),
        "type": pa.array(["page"] * count),
        "timestamp_us": pa.array(values, pa.int64()),
    }
    if received is not None:
        columns["received_at_us"] = pa.array(received, pa.int64())
    adapted = settle(columns, Verdicts(count), LineRows([b"%d" % i for i in range(count)]), "x", now_us)
    rejected = dict(zip(*[adapted.rejected.column(name).to_pylist() for name in ("row", "reason")], strict=True))
    assert adapted.events.num_rows == count - len(rejected)
    return [rejected.get(str(i), "") for i in range(count)]


def test_times_are_bounded_below_and_above():
    edges = [946_684_800_000_000 - 1, 946_684_800_000_000, 4_102_444_800_000_000, 4_102_444_800_000_001, None]
    assert times(edges) == ["absurd_time", "", "", "absurd_time", "no_time"]


def test_a_time_may_be_a_day_ahead_of_receipt_or_of_now():
    assert times([US + DAY_US, US + DAY_US + 1], [US, US]) == ["", "absurd_time"]
    assert times([US + DAY_US, US + DAY_US + 1], now_us=US) == ["", "absurd_time"]
    assert times([US + DAY_US + 1], [None]) == [""]


def test_a_time_of_receipt_that_is_absurd_is_not_used():
    assert times([US], [0]) == [""]
    assert times([US + 2 * DAY_US], [US + 10 * DAY_US], now_us=US) == ["absurd_time"]


def test_the_first_reason_stands():
    verdicts = Verdicts(2)
    verdicts.reject(np.array([True, False]), "no_time")
    verdicts.reject_row(0, "not_json")
    verdicts.reject_row(1, "not_json")
    assert [REASONS[code - 1] for code in verdicts.codes.tolist()] == ["no_time", "not_json"]


def test_calls_without_a_name_are_named_after_their_type():
    types = ["page", "screen", "identify", "group", "alias", "track", None]
    columns = {
        "anonymous_id": pa.array(["a"] * 7),
        "type": pa.array(types),
        "timestamp_us": pa.array([US] * 7),
    }
    adapted = settle(columns, Verdicts(7), LineRows([b"r"] * 7), "x")
    assert adapted.events.column("event").to_pylist() == [
        "Page Viewed",
        "Screen Viewed",
        "Identify",
        "Group",
        "Alias",
    ]
    assert adapted.rejected.column("reason").to_pylist() == ["no_event_name", "unknown_type"]


def test_dead_letters_are_cut_between_letters():
    letters = dead_letters(["not_json"], ["é" * 20_000], "x")
    assert letters.schema == DEAD_LETTER_SCHEMA
    assert letters.column("row")[0].as_py() == "é" * (16 * 1024)
