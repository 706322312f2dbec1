"""Rows of the simulation as lines of Segment JSON, a whole file at once."""

import itertools
from collections.abc import Iterator

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from augury import simulator_world as world
from augury.simulator_rows import (
    OVERSIZED,
    TEST_CONTEXT,
    UNKNOWN_TYPE,
    Bytes,
    ShopText,
    fixed_width,
    format_ids,
    format_times,
    user_ids,
)
from augury.simulator_trouble import MALFORMED, Rows
from augury.simulator_visitors import Ints

_LIBRARY = '"library":{"name":"analytics.js","version":"4.1.0"}'
_TEST = TEST_CONTEXT[1:-1]
_PAGE_NAMES = {world.HOME: "Home", world.CATEGORY: "Category", world.HELP: "Help"}


def format_lines(text: ShopText, rows: Rows, first_visitor: int) -> Iterator[memoryview | bytes]:
    """Yields the lines of all rows, in order, in pieces of any length, each line with its line feed."""
    known, users = user_ids(rows, first_visitor)
    codes, own = text.property_codes(rows, first_visitor)
    referrers = [f'","referrer":"{url}"}}}},"properties":' for url in text.urls]
    none = '","referrer":""}},"properties":'
    lines = pc.binary_join_element_wise(
        fixed_width(_head(rows)),
        _gather(known, [f'"userId":"{user}",' for user in users], ""),
        _gather(rows.steps.kind + len(world.EVENT_NAMES) * rows.test, _calls()),
        _gather(rows.agent, [f'"userAgent":"{agent}","page":{{"url":"' for agent in world.USER_AGENTS]),
        _gather(text.url_codes(rows), text.urls),
        _gather(text.referrer_codes(rows), referrers, none),
        _gather(codes, [properties + "}\n" for properties in [*text.properties, *own]]),
        "",
    )
    _, offset_buffer, data = lines.buffers()
    offsets = np.frombuffer(offset_buffer, np.int32, len(rows) + 1)
    view = memoryview(data)
    start = 0
    for row in np.flatnonzero(rows.damage >= 0).tolist():  # few: the rest is one run of bytes between them
        begin, end = int(offsets[row]), int(offsets[row + 1])
        yield view[start:begin]
        yield _damaged(view[begin:end].tobytes(), MALFORMED[rows.damage[row]])
        start = end
    yield view[start : int(offsets[-1])]


def _head(rows: Rows) -> Bytes:
    """Returns uint8 (R, width): the beginning of every line, whose parts all have a fixed width."""
    received = format_times(rows.received_ms)
    parts: list[bytes | Bytes] = [
        b'{"messageId":"', format_ids(rows.message),
        b'","anonymousId":"', format_ids(rows.visitors)[rows.steps.visitor],
        b'","timestamp":"', format_times(rows.steps.time_ms),
        b'","receivedAt":"', received,
        b'",',
    ]  # fmt: skip
    widths = [len(part) if isinstance(part, bytes) else part.shape[1] for part in parts]
    out = np.empty((len(rows), sum(widths)), np.uint8)
    for part, end in zip(parts, itertools.accumulate(widths), strict=True):
        width = len(part) if isinstance(part, bytes) else part.shape[1]
        out[:, end - width : end] = np.frombuffer(part, np.uint8) if isinstance(part, bytes) else part
    return out


def _calls() -> list[str]:
    """Returns what says which call it is, by kind: first as visitors make them, then as tests do."""
    made = []
    for context in (_LIBRARY, f"{_TEST},{_LIBRARY}"):
        for kind, (type_, event) in enumerate(zip(world.EVENT_TYPES, world.EVENT_NAMES, strict=True)):
            name = f'"name":"{_PAGE_NAMES[kind]}"' if type_ == "page" else f'"event":"{event}"'
            made.append(f'"type":"{type_}",{name},"context":{{{context},')
    return made


def _gather(codes: Ints, strings: list[str], null: str = "") -> pa.Array:
    """Returns the strings at the codes, ``null`` at code -1."""
    used, which = np.unique(codes, return_inverse=True)
    distinct = pa.array([strings[code] if code >= 0 else null for code in used], pa.string())
    return distinct.take(pa.array(which.reshape(-1)))


def _damaged(line: bytes, kind: str) -> bytes:
    """Returns the line as a row that cannot be an event, for the reason ``kind``."""
    if kind == "not_json":
        return line[: len(line) // 2] + b"\n"
    row = orjson.loads(line)
    if kind == "no_visitor_id":
        row.pop("anonymousId")
        row.pop("userId", None)
    elif kind == "bad_time":
        row["timestamp"] = "yesterday at noon"
    elif kind == "absurd_time":
        row["timestamp"] = "1970-01-02T00:00:00.000Z"
    elif kind == "too_large":
        row["properties"] = orjson.loads(OVERSIZED)
    elif kind == "unknown_type":
        row["type"] = UNKNOWN_TYPE
    else:
        row["anonymousId"] = [row["anonymousId"]]
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
