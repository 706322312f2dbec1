"""Which rows are events: the reasons for refusing a row, and the checks that every adapter ends with.

A row that fails leaves as a dead letter with the first reason found; nothing here raises because of a row.
"""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.events import DEAD_LETTER_SCHEMA, EVENT_SCHEMA, MAX_EVENT_BYTES, Adapted
from features.rows import Rows

NOT_UTF8 = "not_utf8"
NOT_JSON = "not_json"
TOO_LARGE = "too_large"
TOO_DEEP = "too_deep"
WRONG_COLUMNS = "wrong_columns"
WRONG_TYPE = "wrong_type"
UNKNOWN_TYPE = "unknown_type"
NO_EVENT_NAME = "no_event_name"
NO_VISITOR_ID = "no_visitor_id"
NO_TIME = "no_time"
BAD_TIME = "bad_time"
ABSURD_TIME = "absurd_time"

REASONS = (
    NOT_UTF8,
    NOT_JSON,
    TOO_LARGE,
    TOO_DEEP,
    WRONG_COLUMNS,
    WRONG_TYPE,
    UNKNOWN_TYPE,
    NO_EVENT_NAME,
    NO_VISITOR_ID,
    NO_TIME,
    BAD_TIME,
    ABSURD_TIME,
)
"""Every reason a row is refused for; docs/events.md says what each means."""

EVENT_TYPES = ("track", "page", "screen", "identify", "group", "alias")
"""The calls of the Segment specification."""

DEFAULT_NAMES = {
    "page": "Page Viewed",
    "screen": "Screen Viewed",
    "identify": "Identify",
    "group": "Group",
    "alias": "Alias",
}
"""The event name of a call that carries none; a ``track`` call without one is refused."""

EARLIEST_US = 946_684_800_000_000
"""2000-01-01: an event before it comes from a clock that was never set."""

LATEST_US = 4_102_444_800_000_000
"""2100-01-01: the last time that is believed where nothing says when a row was received."""

SLACK_US = 86_400_000_000
"""How far a visitor's clock may run ahead of the time of receipt: one day."""

_JSON_COLUMNS = ("properties", "context")


class Verdicts:
    """The first thing wrong with each of N rows.

    Attributes:
        codes: int8 (N,): 0 for a good row, else 1 + the index in ``REASONS``.
    """

    def __init__(self, rows: int) -> None:
        self.codes: npt.NDArray[np.int8] = np.zeros(rows, np.int8)

    def reject(self, where: npt.NDArray[np.bool_], reason: str) -> None:
        """Refuses the rows where bool (N,) holds, unless they are refused already."""
        self.codes[where & (self.codes == 0)] = REASONS.index(reason) + 1

    def reject_row(self, row: int, reason: str) -> None:
        """Refuses one row, unless it is refused already."""
        if not self.codes[row]:
            self.codes[row] = REASONS.index(reason) + 1

    @property
    def any(self) -> bool:
        return bool(self.codes.any())


def settle(
    columns: Mapping[str, pa.Array],
    verdicts: Verdicts,
    rows: Rows,
    source: str,
    now_us: int | None = None,
) -> Adapted:
    """Checks the columns that an adapter drew out of N rows and parts events from dead letters.

    Args:
        columns: of ``EVENT_SCHEMA`` by name, each of N values in the schema's type, strings plain or
            dictionary-encoded; an absent one is all null.
        verdicts: what the adapter itself found wrong; time columns it could not read are refused there.
        rows: the rows as they came, for the dead letters and for the ids of rows that have none.
        source: the file they came from.
        now_us: when the data is read, to tell a time from the future; None leaves only ``received_at_us`` and
            ``LATEST_US`` to tell.

    Returns:
        Every row in exactly one of events and rejected, both in the order of the rows.
    """
    given = {name: _blank_to_null(column) for name, column in columns.items()}
    count = len(verdicts.codes)
    full = {f.name: given[f.name] if f.name in given else pa.nulls(count, f.type) for f in EVENT_SCHEMA}

    if full["anonymous_id"].null_count:
        full["anonymous_id"] = pc.coalesce(plain(full["anonymous_id"]), plain(full["user_id"]))
    if full["event"].null_count:
        full["event"] = pc.coalesce(plain(full["event"]), _default_names(plain(full["type"])))

    verdicts.reject(rows.sizes() > MAX_EVENT_BYTES, TOO_LARGE)
    for name in _JSON_COLUMNS:
        if full[name].null_count < count:
            verdicts.reject(_false(of_distinct(full[name], lambda texts: pc.starts_with(texts, "{"))), WRONG_TYPE)
    known = of_distinct(full["type"], lambda types: pc.is_in(types, pa.array(EVENT_TYPES)))
    verdicts.reject(_false(known), UNKNOWN_TYPE)
    _reject_nulls(full["event"], verdicts, NO_EVENT_NAME)
    _reject_nulls(full["anonymous_id"], verdicts, NO_VISITOR_ID)
    _reject_nulls(full["timestamp_us"], verdicts, NO_TIME)
    full["received_at_us"] = _believable(full["received_at_us"], now_us)
    verdicts.reject(_absurd(full["timestamp_us"], full["received_at_us"], now_us), ABSURD_TIME)

    if full["message_id"].null_count:
        full["message_id"] = _fill_ids(plain(full["message_id"]), verdicts, rows)
    if not verdicts.any:
        return Adapted(pa.RecordBatch.from_arrays(list(full.values()), schema=_schema_of(full)), no_dead_letters())
    keep = pa.array(verdicts.codes == 0)
    events = pa.RecordBatch.from_arrays([column.filter(keep) for column in full.values()], schema=_schema_of(full))
    bad = np.flatnonzero(verdicts.codes)
    reasons = [REASONS[code - 1] for code in verdicts.codes[bad].tolist()]
    return Adapted(events, dead_letters(reasons, rows.texts(bad), source))


def _batch(columns: Mapping[str, pa.Array]) -> pa.RecordBatch:
    schema = pa.schema([field.with_type(columns[field.name].type) for field in EVENT_SCHEMA])
    return pa.RecordBatch.from_arrays([columns[field.name] for field in EVENT_SCHEMA], schema=schema)


def dead_letters(reasons: list[str], texts: list[str], source: str) -> pa.RecordBatch:
    """Returns rows in ``DEAD_LETTER_SCHEMA``, each text cut at ``MAX_EVENT_BYTES``."""
    cut = [text.encode(errors="replace")[:MAX_EVENT_BYTES].decode(errors="ignore") for text in texts]
    columns = [pa.array(reasons, pa.string()), pa.array(cut, pa.string()), pa.array([source] * len(cut), pa.string())]
    return pa.RecordBatch.from_arrays(columns, schema=DEAD_LETTER_SCHEMA)


def no_dead_letters() -> pa.RecordBatch:
    """Returns no rows in ``DEAD_LETTER_SCHEMA``."""
    return pa.RecordBatch.from_arrays([pa.nulls(0, f.type) for f in DEAD_LETTER_SCHEMA], schema=DEAD_LETTER_SCHEMA)


def _schema_of(columns: Mapping[str, pa.Array]) -> pa.Schema:
    """Returns ``EVENT_SCHEMA``, with the columns that are dictionary-encoded so."""
    return pa.schema([field.with_type(columns[field.name].type) for field in EVENT_SCHEMA])


def _blank_to_null(column: pa.Array) -> pa.Array:
    """Returns the column with empty strings as nulls: an empty id or name is none."""
    if pa.types.is_dictionary(column.type):
        if not pc.any(pc.equal(pc.binary_length(column.dictionary), 0)).as_py():
            return column
        column = plain(column)
    if not pa.types.is_string(column.type) or column.null_count == len(column):
        return column
    lengths = pc.binary_length(column)
    if pc.min(lengths).as_py() != 0:
        return column
    return pc.if_else(pc.equal(lengths, 0), pa.scalar(None, column.type), column)


def plain(column: pa.Array) -> pa.Array:
    """Returns the column without dictionary encoding."""
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def of_distinct(column: pa.Array, function: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """Returns what an element-wise function gives for a column, computed once for each value of its dictionary."""
    if not pa.types.is_dictionary(column.type):
        return function(column)
    return function(column.dictionary).take(column.indices)


def _default_names(types: pa.Array) -> pa.Array:
    found = pc.index_in(types, pa.array(list(DEFAULT_NAMES)))
    return pa.array(list(DEFAULT_NAMES.values())).take(found)


def _reject_nulls(column: pa.Array, verdicts: Verdicts, reason: str) -> None:
    if column.null_count:
        verdicts.reject(column.is_null().to_numpy(False), reason)


def _false(mask: pa.Array) -> npt.NDArray[np.bool_]:
    """Returns where a boolean column is false; null counts as true."""
    negated: npt.NDArray[np.bool_] = pc.invert(pc.fill_null(mask, True)).to_numpy(False)
    return negated


def _upper(now_us: int | None) -> int:
    return LATEST_US if now_us is None else min(LATEST_US, now_us + SLACK_US)


def _believable(received_us: pa.Array, now_us: int | None) -> pa.Array:
    """Returns the times of receipt with absurd ones as null: they are of no use, but do not spoil the event."""
    if received_us.null_count == len(received_us):
        return received_us
    good = pc.and_(pc.greater_equal(received_us, EARLIEST_US), pc.less_equal(received_us, _upper(now_us)))
    if pc.all(good).as_py():
        return received_us
    return pc.if_else(good, received_us, pa.scalar(None, pa.int64()))


def _absurd(time_us: pa.Array, received_us: pa.Array, now_us: int | None) -> npt.NDArray[np.bool_]:
    wrong = pc.or_(pc.less(time_us, EARLIEST_US), pc.greater(time_us, _upper(now_us)))
    if received_us.null_count < len(received_us):
        late = pc.greater(time_us, pc.add(received_us, SLACK_US))
        wrong = pc.or_kleene(wrong, late)
    result: npt.NDArray[np.bool_] = pc.fill_null(wrong, False).to_numpy(False)
    return result


def _fill_ids(ids: pa.Array, verdicts: Verdicts, rows: Rows) -> pa.Array:
    """Returns the message ids, the missing ones made from the rows' content, so that equal rows have equal ids."""
    missing = ids.is_null().to_numpy(False) & (verdicts.codes == 0)
    if not missing.any():
        return ids
    return pc.replace_with_mask(ids, pa.array(missing), rows.ids(np.flatnonzero(missing)))
