"""The canonical event: one Arrow schema that every source is adapted to and every consumer reads.

The fields and their meaning follow the Segment specification (https://segment.com/docs/connections/spec/common/):
``message_id``, ``anonymous_id``, ``user_id``, ``type`` and ``event`` are Segment's, times are int64 microseconds UTC,
and ``properties`` and ``context`` are JSON objects kept as text.
"""

from dataclasses import dataclass

import pyarrow as pa

EVENT_SCHEMA = pa.schema(
    [
        pa.field("message_id", pa.string(), nullable=False),
        pa.field("anonymous_id", pa.string(), nullable=False),
        pa.field("user_id", pa.string()),
        pa.field("type", pa.string(), nullable=False),
        pa.field("event", pa.string(), nullable=False),
        pa.field("timestamp_us", pa.int64(), nullable=False),
        pa.field("received_at_us", pa.int64()),
        pa.field("url", pa.string()),
        pa.field("referrer", pa.string()),
        pa.field("user_agent", pa.string()),
        pa.field("properties", pa.string()),
        pa.field("context", pa.string()),
        pa.field("source", pa.string()),
    ]
)
"""Column order and types of every event batch."""

DEAD_LETTER_SCHEMA = pa.schema(
    [
        pa.field("reason", pa.string(), nullable=False),
        pa.field("row", pa.string(), nullable=False),
        pa.field("source", pa.string()),
    ]
)
"""A rejected row: why, its text (cut at ``MAX_EVENT_BYTES``), and the file it came from."""

MAX_EVENT_BYTES = 32 * 1024
"""Segment's limit on one event; a longer row is not an event."""


@dataclass(frozen=True)
class Adapted:
    """What an adapter makes of a chunk of rows: every row is in exactly one of the two.

    Attributes:
        events: rows in ``EVENT_SCHEMA``; strings may be dictionary-encoded where the source has them so.
        rejected: rows in ``DEAD_LETTER_SCHEMA``.
    """

    events: pa.RecordBatch
    rejected: pa.RecordBatch
