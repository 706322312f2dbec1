"""Repeats, over a stream whose watermark the test moves."""

from typing import Any

import apache_beam as beam
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from tests.transforms.streams import SECOND_US, add, at, run_stream, stream
from transforms.drop_repeats import DropRepeats, pack_mark, unpack_marks

MINUTE = 60 * SECOND_US


def expect(test_stream: Any, *rows: bytes) -> None:
    run_stream(test_stream, lambda given: assert_that(given | DropRepeats(MINUTE), equal_to(list(rows))))


def test_the_first_stays_and_copies_within_the_window_are_dropped() -> None:
    s = add(stream(), 0, ("ann", ("m1", b"first")), ("ann", ("m1", b"same bundle")))
    s = add(s.advance_watermark_to(at(10)), 30, ("ann", ("m1", b"30 s later")))
    s = add(s, 59.999999, ("ann", ("m1", b"just within")))
    expect(s, b"first")


def test_the_id_counts_for_one_visitor() -> None:
    s = add(stream(), 0, ("ann", ("m1", b"ann")), ("bob", ("m1", b"bob")), ("ann", ("m2", b"other")))
    expect(s, b"ann", b"bob", b"other")


def test_after_the_window_it_is_new_whether_or_not_the_timer_has_fired() -> None:
    before_the_timer = add(add(stream(), 0, ("ann", ("m1", b"a"))), 60, ("ann", ("m1", b"b")))
    expect(before_the_timer, b"a", b"b")
    s = add(stream(), 0, ("ann", ("m1", b"a"))).advance_watermark_to(at(61))
    expect(add(s, 62, ("ann", ("m1", b"b"))), b"a", b"b")


def test_a_dropped_copy_does_not_make_the_window_longer() -> None:
    s = add(add(add(stream(), 0, ("ann", ("m1", b"a"))), 50, ("ann", ("m1", b"x"))), 70, ("ann", ("m1", b"b")))
    expect(s, b"a", b"b")


def test_another_message_keeps_the_memory_of_the_first_alive() -> None:
    s = add(add(stream(), 0, ("ann", ("m1", b"a"))), 40, ("ann", ("m2", b"b")))
    s = s.advance_watermark_to(at(59))  # the timer stands at 100 s
    expect(add(s, 59, ("ann", ("m1", b"copy"))), b"a", b"b")


def test_a_copy_that_overtook_its_original_is_the_one_that_stays() -> None:
    expect(add(add(stream(), 30, ("ann", ("m1", b"copy"))), 10, ("ann", ("m1", b"original"))), b"copy")


def test_late_for_the_watermark_is_no_reason_to_drop() -> None:
    s = stream().advance_watermark_to(at(3600))
    expect(add(s, 0, ("ann", ("m1", b"a")), ("ann", ("m1", b"copy"))), b"a")


def test_a_visitor_who_never_pauses_is_remembered_for_the_window_only() -> None:
    s = stream()
    for second in range(0, 600, 10):
        s = add(s, second, ("bot", (f"m{second}", b"%d" % second)))
    s = add(s, 600, ("bot", ("m550", b"copy")), ("bot", ("m500", b"again")))
    expect(s, *[b"%d" % second for second in range(0, 600, 10)], b"again")


def test_counters_tell_what_was_dropped() -> None:
    s = add(stream(), 0, ("ann", ("m1", b"a")), ("ann", ("m1", b"b")), ("ann", ("m1", b"c")))
    result = run_stream(s, lambda rows: rows | DropRepeats(MINUTE) | beam.Map(lambda row: row))
    counters = {each.key.metric.name: each.committed for each in result.metrics().query()["counters"]}
    assert counters == {"kept/first": 1, "dropped/repeat": 2}


@given(st.dictionaries(st.binary(min_size=16, max_size=16), st.integers(-(2**63), 2**63 - 1)))
def test_marks_come_back(marks: dict[bytes, int]) -> None:
    assert unpack_marks(pack_mark(mark, time_us) for mark, time_us in marks.items()) == marks
