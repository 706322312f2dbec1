"""How an event is written in the fast store: one JSON array a row."""

from collections.abc import Sequence
from typing import Any

import orjson
import pyarrow as pa

from features.checks import plain
from features.events import EVENT_SCHEMA
from features.recent_rules import RecentEventsError
from features.sessions import VISITOR


def encode_events(events: pa.RecordBatch) -> list[bytes]:
    """Returns each of the N rows as a compact JSON array, in the order of ``EVENT_SCHEMA``; nothing is lost.

    Args:
        events: (N,) in ``EVENT_SCHEMA``; strings may be dictionary-encoded.
    """
    return encode_columns(event_columns(events))


def decode_events(
    rows: Sequence[bytes], visitors: Sequence[str], columns: Sequence[str] = tuple(EVENT_SCHEMA.names)
) -> pa.Table:
    """Returns encoded rows (N,) as a table in ``EVENT_SCHEMA`` with the column ``VISITOR``, ready for sessions.

    Args:
        rows: as ``encode_events`` made them.
        visitors: whose event each row is.
        columns: names of the columns wanted; by default all.

    Raises:
        RecentEventsError: a row that this version cannot read.
    """
    width = len(EVENT_SCHEMA)
    try:
        parsed = orjson.loads(b"[" + b",".join(rows) + b"]")
        if len(parsed) != len(rows) or any(len(row) != width for row in parsed):
            raise ValueError("another number of fields")
        drawn = list(zip(*parsed, strict=True)) or [()] * width
        wanted = [EVENT_SCHEMA.get_field_index(name) for name in columns]
        made = [pa.array(drawn[place], EVENT_SCHEMA.field(place).type) for place in wanted]
    except (ValueError, TypeError) as e:
        raise RecentEventsError(
            f"a stored row is no array of {width} fields ({type(e).__name__}); "
            "it was written by another version: empty this namespace and refill it from the archive"
        ) from None
    return pa.table([*made, pa.array(visitors, pa.string())], [*columns, VISITOR])


def event_columns(events: pa.RecordBatch) -> list[list[Any]]:
    """Returns the columns of ``EVENT_SCHEMA`` as Python values (N,) each."""
    return [plain(events.column(item.name)).to_pylist() for item in EVENT_SCHEMA]


def encode_columns(columns: list[list[Any]]) -> list[bytes]:
    """Returns the rows (N,) of what ``event_columns`` returned, encoded."""
    dumps = orjson.dumps
    return [dumps(row) for row in zip(*columns, strict=True)]
