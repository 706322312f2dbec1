"""Turns received messages off Pub/Sub into events, one element each, and the others into dead letters.

The messages of a bundle are parsed together, by the code that the service and the batch pipelines parse with: what
columnar code costs a call is shared by as many messages as the runner hands over, and none waits for another bundle.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.io.gcp.pubsub import PubsubMessage
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import Timestamp
from apache_beam.utils.windowed_value import WindowedValue

from features.checks import dead_letters
from features.cleaning import DROPS, CleaningRules, judge
from features.events import DEAD_LETTER_SCHEMA, MAX_EVENT_BYTES
from features.received import LONG_ID, RESERVED_ID
from features.recent_events import MAX_ID_BYTES, RESERVED_PREFIX, encode_events
from features.segment import SegmentAdapter, adapt_messages
from transforms import coders as coders  # batches get their coder
from transforms.tally import count

REJECTED = "rejected"
"""Tag of the output that carries dead letters, and name of the stream that carries those of the service."""

STREAM = "stream"
"""The message attribute that says what a message is; one without it is an event."""

EVENTS = "events"

UNKNOWN_STREAM = "unknown_stream"

_MOST_LINES = 1024
_MOST_BYTES = 8 << 20
_RECEIVED = "received_at_us"


class Line(NamedTuple):
    """One event as it came: its bytes, and when Pub/Sub received it (int64 microseconds UTC)."""

    text: bytes
    published_us: int


class Received(NamedTuple):
    """What became of lines.

    Attributes:
        events: those kept, in ``EVENT_SCHEMA``, ``received_at_us`` filled.
        published_us: int64 (events.num_rows,): when Pub/Sub received each.
        rejected: in ``DEAD_LETTER_SCHEMA``.
        dropped: cleaning reason -> count.
    """

    events: pa.RecordBatch
    published_us: npt.NDArray[np.int64]
    rejected: pa.RecordBatch
    dropped: dict[str, int]


class ReadReceived(beam.PTransform):
    """``PubsubMessage`` -> ((anonymous_id, (message_id, row)); dead letters as ``RecordBatch`` under ``REJECTED``).

    A message holds one JSON object, or several as JSON lines. Rows are as ``features.recent_events.encode_events``
    makes them. Elements keep the time at which Pub/Sub received them. A message of the stream ``REJECTED`` is a dead
    letter of the service and leaves as it is; one of another stream than ``EVENTS`` is a dead letter itself.

    Args:
        source: what is read, for dead letters.
        rules: what is cleaned away.
    """

    def __init__(self, source: str, rules: CleaningRules) -> None:
        super().__init__()
        self._reader = _Read(source, rules)

    def expand(self, messages: beam.PCollection) -> Any:
        return messages | "AdaptMessages" >> beam.ParDo(self._reader).with_outputs(REJECTED, main=EVENTS)


def adapt_lines(lines: list[Line], source: str, rules: CleaningRules) -> Received:
    """Parses, checks and cleans lines; every line is in exactly one of events, rejected and dropped.

    A time of receipt that a message lacks is that of Pub/Sub.
    """
    parsed, texts, published, broken = [], [], [], []
    for line in lines:
        message = _parse(line.text)
        if message is None:
            broken.append(line.text)
        else:
            parsed.append(message)
            texts.append(line.text)
            published.append(line.published_us)
    now_us = max((line.published_us for line in lines), default=None)
    adapted = adapt_messages(parsed, texts, source, now_us)
    published_us = np.delete(np.array(published, np.int64), adapted.refused)
    origin = np.delete(np.arange(len(texts)), adapted.refused)

    refused = _bad_ids(adapted.events)
    letters = [adapted.rejected]
    for reason, where in refused.items():
        letters.append(dead_letters([reason] * int(where.sum()), [_text(texts[i]) for i in origin[where]], source))
    if broken:
        letters.append(SegmentAdapter(now_us).adapt(pa.array(broken, pa.binary()), source).rejected)

    verdicts = judge(adapted.events, rules)
    sound = ~np.logical_or.reduce(list(refused.values()))
    kept = (verdicts == 0) & sound
    events = adapted.events.filter(pa.array(kept))
    dropped = np.bincount(verdicts[sound], minlength=len(DROPS) + 1)[1:].tolist()
    return Received(
        _with_receipt(events, published_us[kept]),
        published_us[kept],
        pa.concat_batches(letters),
        {reason: number for reason, number in zip(DROPS, dropped, strict=True) if number},
    )


class _Read(beam.DoFn):
    def __init__(self, source: str, rules: CleaningRules) -> None:
        self._source = source
        self._rules = rules

    def start_bundle(self) -> None:
        self._lines: list[Line] = []
        self._letters: list[tuple[dict[str, Any], int]] = []
        self._bytes = 0

    def process(
        self,
        element: PubsubMessage,
        timestamp: Timestamp = beam.DoFn.TimestampParam,
    ) -> Iterator[Any]:
        data = element.data or b""
        stream = (element.attributes or {}).get(STREAM, EVENTS)
        if stream == EVENTS:
            lines = _lines(data)
            self._lines += [Line(line, timestamp.micros) for line in lines]
            self._bytes += len(data)
        else:
            self._letters.append((_letter(data, stream, self._source), timestamp.micros))
        if len(self._lines) + len(self._letters) >= _MOST_LINES or self._bytes >= _MOST_BYTES:
            yield from self.finish_bundle()
            self.start_bundle()

    def finish_bundle(self) -> Iterator[Any]:
        received = adapt_lines(self._lines, self._source, self._rules)
        passed = pa.RecordBatch.from_pylist([letter for letter, _ in self._letters], schema=DEAD_LETTER_SCHEMA)
        times_us = [line.published_us for line in self._lines] + [time_us for _, time_us in self._letters]
        for batch in (received.rejected, passed):
            if batch.num_rows:
                yield beam.pvalue.TaggedOutput(REJECTED, _at(batch, max(times_us)))
        count("read", {"rows": len(times_us)})
        count("rejected", Counter(received.rejected.column("reason").to_pylist()))
        count("rejected_before", Counter(passed.column("reason").to_pylist()))
        count("dropped", received.dropped)
        count("kept", {"cleaned": received.events.num_rows})
        events = received.events
        for visitor, message, row, published_us in zip(
            events.column("anonymous_id").to_pylist(),
            events.column("message_id").to_pylist(),
            encode_events(events),
            received.published_us.tolist(),
            strict=True,
        ):
            yield _at((visitor, (message, row)), published_us)


def _at(value: Any, time_us: int) -> WindowedValue:
    return WindowedValue(value, Timestamp(micros=time_us), [GlobalWindow()])


def _lines(data: bytes) -> list[bytes]:
    """Returns the events of a message: one, were it spread over several lines, or one a line."""
    if b"\n" not in data or _parse(data) is not None:
        return [data]
    return [line for line in data.split(b"\n") if line and not line.isspace()] or [data]


def _parse(text: bytes) -> dict[str, Any] | None:
    if len(text) > MAX_EVENT_BYTES:
        return None
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found if found.__class__ is dict else None


def _letter(data: bytes, stream: str, source: str) -> dict[str, Any]:
    """Returns the dead letter that a message of the service holds, or that one of an unknown stream is."""
    given = _parse(data) if stream == REJECTED else None
    if given is not None:
        letter = {name: given.get(name) for name in DEAD_LETTER_SCHEMA.names}
        if isinstance(letter["reason"], str) and isinstance(letter["row"], str):
            return {**letter, "source": letter["source"] if isinstance(letter["source"], str) else source}
    found: dict[str, Any] = dead_letters([UNKNOWN_STREAM], [_text(data)], source).to_pylist()[0]
    return found


def _bad_ids(events: pa.RecordBatch) -> dict[str, npt.NDArray[np.bool_]]:
    """Returns reason -> bool (N,): the events that the service would not have accepted for their ids."""
    reserved = pc.starts_with(events.column("anonymous_id"), RESERVED_PREFIX).to_numpy(False)
    long = np.zeros(events.num_rows, np.bool_)
    for name in ("message_id", "anonymous_id", "user_id"):
        sizes = pc.fill_null(pc.binary_length(events.column(name)), 0).to_numpy(False)
        long |= sizes > MAX_ID_BYTES
    return {LONG_ID: long, RESERVED_ID: reserved & ~long}


def _text(line: bytes) -> str:
    return line.decode(errors="replace")


def _with_receipt(events: pa.RecordBatch, published_us: npt.NDArray[np.int64]) -> pa.RecordBatch:
    given = events.column(_RECEIVED)
    if not given.null_count:
        return events
    place = events.schema.get_field_index(_RECEIVED)
    return events.set_column(place, events.schema.field(place), pc.coalesce(given, pa.array(published_us, pa.int64())))
