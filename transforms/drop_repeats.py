"""Drops messages that came before: state remembers, for a while, what each visitor sent."""

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.coders import BytesCoder
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import BagStateSpec, TimerSpec, on_timer
from apache_beam.utils.timestamp import Timestamp

from features.recent_calls import mark_of
from transforms.tally import count

Row = tuple[str, tuple[str, bytes]]
"""An anonymous id, and the message id and encoded row of one of its events."""

_EXPIRY = TimerSpec("expiry", TimeDomain.WATERMARK)
_SEEN_STATE = beam.DoFn.StateParam(BagStateSpec("seen", BytesCoder()))
_EXPIRY_TIMER = beam.DoFn.TimerParam(_EXPIRY)
_MARK_BYTES = 16


class DropRepeats(beam.PTransform):
    """(anonymous_id, (message_id, row)) -> row, bytes.

    Of the messages with one (anonymous_id, message_id) the first stays, and so does one that was received
    ``window_us`` or more after the last one that stayed. Received means the time of the element, so that the outcome
    does not depend on how fast a backlog is worked off. State is kept by visitor: 24 bytes a message, forgotten when
    the watermark is ``window_us`` past the visitor's last message.

    Args:
        window_us: how long a message is remembered.
    """

    def __init__(self, window_us: int) -> None:
        super().__init__()
        self._window_us = window_us

    def expand(self, rows: beam.PCollection) -> beam.PCollection:
        keyed = rows | "KeyByVisitor" >> beam.Map(lambda row: row).with_output_types(Row)
        return keyed | "DropSeen" >> beam.ParDo(_DropSeen(self._window_us)).with_output_types(bytes)


def pack_mark(mark: bytes, time_us: int) -> bytes:
    """Returns what is remembered of a message: its mark and when it was received."""
    return mark + time_us.to_bytes(8, "big", signed=True)


def unpack_marks(records: Iterable[bytes]) -> dict[bytes, int]:
    """Returns mark -> the latest time that it was remembered with."""
    found: dict[bytes, int] = {}
    for record in records:
        mark, time_us = record[:_MARK_BYTES], int.from_bytes(record[_MARK_BYTES:], "big", signed=True)
        found[mark] = max(found.get(mark, time_us), time_us)
    return found


class _DropSeen(beam.DoFn):
    def __init__(self, window_us: int) -> None:
        self._window_us = window_us

    def process(
        self,
        element: Row,
        timestamp: Timestamp = beam.DoFn.TimestampParam,
        seen: Any = _SEEN_STATE,
        expiry: Any = _EXPIRY_TIMER,
    ) -> Iterator[bytes]:
        visitor, (message, row) = element
        now_us, mark = timestamp.micros, mark_of(visitor, message)
        records = list(seen.read())
        known = unpack_marks(records)
        if mark in known and now_us - known[mark] < self._window_us:
            count("dropped", {"repeat": 1})
            return
        fresh = {each: time_us for each, time_us in known.items() if now_us - time_us < self._window_us}
        if len(records) > 2 * len(fresh) + 16:  # a visitor who never pauses: the timer alone would let this grow
            seen.clear()
            for each, time_us in fresh.items():
                seen.add(pack_mark(each, time_us))
        seen.add(pack_mark(mark, now_us))
        expiry.set(Timestamp(micros=max([now_us, *fresh.values()]) + self._window_us))
        count("kept", {"first": 1})
        yield row

    @on_timer(_EXPIRY)
    def forget(self, seen: Any = _SEEN_STATE) -> None:
        """Empties the state of a visitor who has been silent for the window."""
        seen.clear()
