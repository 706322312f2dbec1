"""Sessions: one sorted Arrow table and offsets; Session: a light view of one of them.

Events are sorted by (visitor, timestamp_us, message_id), which is a total order, so the same events give the same
sessions in whatever order they arrive. String columns are dictionary-encoded: a generator compares codes and a coder
codes every distinct string once.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from features.errors import AuguryError
from features.ragged import changes

_ODD = np.uint64(0x9E3779B97F4A7C15)

_FEW = 1000
"""So many message ids are compared as strings sooner than their fingerprints are made."""

VISITOR = "visitor"
"""The column that says whose event it is: the anonymous id, or the user id that a login linked it to."""


class MissingColumnError(AuguryError, KeyError):
    """A generator or a spec asks for an event column that was not carried to it."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True)
class Window:
    """The time the data covers: ``start_us`` (inclusive) to ``end_us`` (exclusive), int64 microseconds UTC."""

    start_us: int
    end_us: int

    def cut(self, events: pa.RecordBatch) -> pa.RecordBatch:
        """Returns the events, with a column ``timestamp_us``, that happened within it."""
        time_us = events.column("timestamp_us")
        if not events.num_rows or (self.start_us <= pc.min(time_us).as_py() and pc.max(time_us).as_py() < self.end_us):
            return events
        return events.filter(pc.and_(pc.greater_equal(time_us, self.start_us), pc.less(time_us, self.end_us)))


@dataclass(frozen=True)
class Sessions:
    """S sessions over E events.

    Attributes:
        events: E rows sorted by (visitor, timestamp_us, message_id); one chunk per column; string columns
            dictionary-encoded (int32 codes) but for ``message_id``.
        offsets: int64 (S + 1,); session s is rows ``offsets[s]`` to ``offsets[s + 1] - 1`` and is never empty.
        window: the time the whole data set covers, which decides what is censored.
    """

    events: pa.Table
    offsets: npt.NDArray[np.int64]
    window: Window

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> "Session":
        if not 0 <= index < len(self):
            raise IndexError(f"session {index} of {len(self)}")
        return Session(self, index)

    def __iter__(self) -> Iterator["Session"]:
        return (Session(self, index) for index in range(len(self)))

    @cached_property
    def time_us(self) -> npt.NDArray[np.int64]:
        """int64 (E,) event times."""
        time_us: npt.NDArray[np.int64] = self._column("timestamp_us").to_numpy()
        return time_us

    @cached_property
    def session_of(self) -> npt.NDArray[np.int64]:
        """int64 (E,) the session that each event belongs to."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    def codes(self, column: str) -> tuple[npt.NDArray[np.int32], pa.Array]:
        """Returns int32 (E,) codes of a string column, -1 where it is null, and the distinct strings they index.

        Raises:
            MissingColumnError: the column was not carried to this step.
        """
        cached: dict[str, tuple[npt.NDArray[np.int32], pa.Array]] = self._caches.setdefault("codes", {})
        if column not in cached:
            values = self._column(column)
            if not pa.types.is_dictionary(values.type):
                values = values.dictionary_encode()
            codes = values.indices
            cached[column] = (
                (pc.fill_null(codes, -1) if codes.null_count else codes).to_numpy(),
                values.dictionary,
            )
        return cached[column]

    def mask(self, **equals: str) -> npt.NDArray[np.bool_]:
        """Returns bool (E,): events whose columns all equal what is given, e.g. ``mask(event="Order Completed")``."""
        found = np.ones(self.events.num_rows, np.bool_)
        for column, value in equals.items():
            codes, _ = self.codes(column)
            code = self._code(column, value)
            found &= codes == code if code >= 0 else False
        return found

    def positions(self, **equals: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Returns the P rows where ``mask(**equals)`` holds, int64, and int64 (S + 1,) offsets of sessions in them."""
        key = tuple(sorted(equals.items()))
        cached: dict[object, tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] = self._caches.setdefault("where", {})
        if key not in cached:
            rows = np.flatnonzero(self.mask(**equals))
            cached[key] = (rows, np.searchsorted(rows, self.offsets))
        return cached[key]

    def numbers(self, column: str, key: str) -> npt.NDArray[np.float64]:
        """Returns float64 (E,): the number under ``key`` of a JSON column, NaN where there is none.

        Numeric strings count as numbers, as the Segment specification allows for ``revenue`` and ``price``.
        """
        cached: dict[tuple[str, str], npt.NDArray[np.float64]] = self._caches.setdefault("numbers", {})
        if (column, key) not in cached:
            codes, distinct = self.codes(column)
            values = np.array([_json_number(text, key) for text in distinct.to_pylist()] + [np.nan], np.float64)
            cached[column, key] = values[codes]
        return cached[column, key]

    def _code(self, column: str, value: str) -> int:
        """Returns the code of a string in a column, -1 if no event has it."""
        cached: dict[tuple[str, str], int] = self._caches.setdefault("code", {})
        if (column, value) not in cached:
            _, distinct = self.codes(column)
            cached[column, value] = pc.index(distinct, pa.scalar(value, distinct.type)).as_py()
        return cached[column, value]

    @cached_property
    def _caches(self) -> dict[str, dict]:  # type: ignore[type-arg]
        return {}

    def _column(self, name: str) -> pa.Array:
        if self.events.schema.get_field_index(name) < 0:
            raise MissingColumnError(
                f"column {name!r} is not among those carried here ({', '.join(self.events.column_names)}); "
                "list it in the generator's `requires` or in the feature spec"
            )
        return _one_chunk(self.events.column(name))


@dataclass(frozen=True, slots=True)
class Session:
    """One session of ``sessions``; positions are counted within it."""

    sessions: Sessions
    index: int

    def __len__(self) -> int:
        offsets = self.sessions.offsets
        return int(offsets[self.index + 1] - offsets[self.index])

    @property
    def window(self) -> Window:
        """The time the whole data set covers."""
        return self.sessions.window

    @property
    def time_us(self) -> npt.NDArray[np.int64]:
        """int64 (len,) event times; a view, not a copy."""
        return self.sessions.time_us[self.sessions.offsets[self.index] : self.sessions.offsets[self.index + 1]]

    def where(self, **equals: str) -> list[int]:
        """Returns the positions of the events whose columns equal the given values, in order."""
        rows, bounds = self.sessions.positions(**equals)
        first, last = bounds[self.index], bounds[self.index + 1]
        return [] if first == last else (rows[first:last] - self.sessions.offsets[self.index]).tolist()

    def numbers(self, column: str, key: str) -> npt.NDArray[np.float64]:
        """Returns float64 (len,): the number under ``key`` of a JSON column, NaN where there is none."""
        first, last = self.sessions.offsets[self.index], self.sessions.offsets[self.index + 1]
        return self.sessions.numbers(column, key)[first:last]


@dataclass(frozen=True)
class SessionRules:
    """How events become sessions.

    Attributes:
        gap_seconds: inactivity that ends a session; None keeps all of a visitor's events in one (the Zap session).
        max_events: a visitor with more events is dropped whole, as no person; None keeps all.
    """

    gap_seconds: float | None = None
    max_events: int | None = 1000


def build_sessions(events: pa.Table, rules: SessionRules, window: Window) -> tuple[Sessions, dict[str, int]]:
    """Sorts, de-duplicates and cuts events into sessions.

    Args:
        events: any order; needs ``visitor``, ``timestamp_us`` and ``message_id``; string columns may be plain or
            dictionary-encoded.
        rules: gap and limits.
        window: the time the whole data set covers.

    Returns:
        The sessions, and the number of events dropped by reason: ``duplicate_row`` (all columns equal to the event
        kept), ``duplicate_message_id``, ``visitor_over_limit``.
    """
    events = _encode_strings(events)
    rows = _order(events)
    rows, exact, others = _first_messages(events, rows)
    dropped = {"duplicate_row": exact, "duplicate_message_id": others, "visitor_over_limit": 0}

    visitors = _codes(events, VISITOR)[rows]
    starts = np.flatnonzero(changes(visitors, -1))
    counts = np.diff(starts, append=len(rows))
    if rules.max_events is not None and (counts > rules.max_events).any():
        keep = np.repeat(counts <= rules.max_events, counts)
        dropped["visitor_over_limit"] = int((~keep).sum())
        rows, visitors = rows[keep], visitors[keep]
    breaks = changes(visitors, -1) != 0
    if rules.gap_seconds is not None:
        time_us = events.column("timestamp_us").to_numpy()[rows]
        breaks[1:] |= np.diff(time_us) > round(rules.gap_seconds * 1_000_000)
    offsets = np.append(np.flatnonzero(breaks), len(rows)).astype(np.int64)
    if len(rows) < events.num_rows or (rows[1:] < rows[:-1]).any():  # what comes from the fast store is in order
        events = events.take(pa.array(rows)).combine_chunks()
    return Sessions(events, offsets, window), dropped


def _encode_strings(events: pa.Table) -> pa.Table:
    """Returns the table in one chunk a column, strings dictionary-encoded but for ``message_id``."""
    columns = {}
    for name in events.column_names:
        column = events.column(name)
        if pa.types.is_string(column.type) and name != "message_id":
            column = column.dictionary_encode()
        if pa.types.is_dictionary(column.type) and column.num_chunks > 1:
            column = column.unify_dictionaries()
        columns[name] = _one_chunk(column)
    return pa.table(columns)


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _codes(events: pa.Table, column: str) -> npt.NDArray[np.int32]:
    codes: npt.NDArray[np.int32] = _one_chunk(events.column(column)).indices.to_numpy()
    return codes


def _order(events: pa.Table) -> npt.NDArray[np.int64]:
    """Returns int64 (E,): the order by (visitor, timestamp_us, message_id)."""
    names = _one_chunk(events.column(VISITOR)).dictionary
    rank = pc.inverse_permutation(pc.sort_indices(names).cast(pa.int32())).to_numpy()
    visitors = rank[_codes(events, VISITOR)]
    time_us = events.column("timestamp_us").to_numpy()
    order = np.lexsort((time_us, visitors))
    tied = (np.diff(visitors[order]) == 0) & (np.diff(time_us[order]) == 0)
    if tied.any():  # only the rows that share visitor and time are compared as strings
        member = np.zeros(len(order), np.bool_)
        member[:-1] |= tied
        member[1:] |= tied
        places = np.flatnonzero(member)
        rows = order[places]
        keys = pa.table(
            {"v": visitors[rows], "t": time_us[rows], "m": events.column("message_id").take(pa.array(rows))}
        )
        inner = pc.sort_indices(keys, sort_keys=[("v", "ascending"), ("t", "ascending"), ("m", "ascending")])
        order[places] = rows[inner.to_numpy()]
    return order


def _first_messages(events: pa.Table, order: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], int, int]:
    """Returns the rows that are, in ``order``, the first of their visitor and message id, and the numbers of copies.

    The copies are counted apart: those that equal the row kept in every column, and the others.
    """
    ids = _one_chunk(events.column("message_id"))
    if len(order) <= _FEW and pc.count_distinct(ids).as_py() == len(order):
        return order, 0, 0
    keys = (_fingerprints(ids) ^ _codes(events, VISITOR).astype(np.uint64) * _ODD)[order]
    ranked = np.sort(keys)
    repeated = ranked[1:][ranked[1:] == ranked[:-1]]
    if not len(repeated):
        return order, 0, 0
    near = np.minimum(np.searchsorted(repeated, keys), len(repeated) - 1)
    places = np.flatnonzero(repeated[near] == keys)  # few: only these are compared as strings
    rows = order[places]
    texts = ids.take(pa.array(rows)).dictionary_encode().indices.to_numpy().astype(np.int64)
    _, first, which = np.unique(
        _codes(events, VISITOR)[rows] * len(rows) + texts, return_index=True, return_inverse=True
    )
    originals = first[which]
    copies = np.flatnonzero(originals != np.arange(len(rows)))
    ours, theirs = pa.array(rows[copies]), pa.array(rows[originals[copies]])
    exact = np.ones(len(copies), np.bool_)
    for name in events.column_names:
        if name == "message_id":
            continue
        column = events.column(name).combine_chunks()
        values = pc.fill_null(column.indices, -1) if pa.types.is_dictionary(column.type) else pc.fill_null(column, 0)
        exact &= pc.equal(values.take(ours), values.take(theirs)).to_numpy(False)
    return np.delete(order, places[copies]), int(exact.sum()), int((~exact).sum())


def _fingerprints(texts: pa.Array) -> npt.NDArray[np.uint64]:
    """Returns uint64 (N,): equal for equal strings, and mostly different for different ones.

    It mixes the first and the last eight bytes, read straight from Arrow's buffer: for ids that is as good as a hash of
    all bytes and costs a tenth of a dictionary.
    """
    _, offsets, data = texts.buffers()
    bounds = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    padded = np.concatenate([np.frombuffer(data or b"", np.uint8), np.zeros(8, np.uint8)])
    words = np.lib.stride_tricks.as_strided(padded[:8].view("<u8"), (len(padded) - 7,), (1,), writeable=False)
    starts, sizes = bounds[:-1], np.diff(bounds)
    shift = np.where(sizes < 8, 64 - 8 * sizes, 0).astype(np.uint64)  # what lies beyond a short string is cut off
    head = np.where(sizes > 0, words[starts] << shift, 0)
    tail = np.where(sizes >= 8, words[np.maximum(bounds[1:] - 8, starts)], 0)
    mixed: npt.NDArray[np.uint64] = (head * _ODD) ^ (tail + sizes.astype(np.uint64))
    return mixed * _ODD


def _json_number(text: str, key: str) -> float:
    try:
        value = orjson.loads(text).get(key)
        number = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else math.nan
    except (ValueError, AttributeError):
        return math.nan
    return number if math.isfinite(number) else math.nan
