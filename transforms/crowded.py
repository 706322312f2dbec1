"""Visitors with too many events, left out while a shard is unpacked, so that no robot has to fit into memory.

A visitor with more different message ids than the limit allows is dropped whole by ``build_sessions``, whatever else
comes. Here that is noticed on the way, and from then on two hashes and a time are kept of each of its events, which is
all that is needed to count them as ``build_sessions`` would have.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.sessions import VISITOR
from transforms.ipc import from_ipc
from transforms.shards import compact

_FIRST_LOOK = 1 << 18
"""Rows that are unpacked before anybody is looked for; then whenever there are twice as many."""

_ODD = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)

Words = npt.NDArray[np.uint64]


class Unpacked(NamedTuple):
    """The events of one shard as one table, and the number of events left out by reason."""

    events: pa.Table
    dropped: dict[str, int]


def unpack_within(pieces: Iterable[bytes], max_events: int | None) -> Unpacked:
    """Returns the packed batches of one shard, without visitors who are found to be over the limit.

    ``build_sessions`` makes the same sessions of what is left, and drops the same numbers of events for the same
    reasons when what was dropped here is added. Not everybody over the limit is found: a small shard is not looked at.

    Args:
        pieces: as ``transforms.shards.pack`` makes them.
        max_events: a visitor with more is dropped whole; None: nobody is.
    """
    crowd, held = _Crowd(), []
    rows, look_at = 0, _FIRST_LOOK
    for piece in pieces:
        held.append(crowd.taken_out(from_ipc(piece)))
        rows += held[-1].num_rows
        if max_events is not None and rows >= look_at:
            found = _over(held, max_events)
            if found:
                crowd.add(found)
                held = [crowd.taken_out(batch) for batch in held]
                rows = sum(batch.num_rows for batch in held)
            look_at = max(_FIRST_LOOK, 2 * rows)
    return Unpacked(pa.Table.from_batches(held), crowd.counted())


class _Crowd:
    """Visitors over the limit, and what is kept of their events: whose, id, row, time."""

    def __init__(self) -> None:
        self._names = pa.array([], pa.string())
        self._kept: list[tuple[npt.NDArray[np.int32], Words, Words, npt.NDArray[np.int64]]] = []

    def add(self, names: list[str]) -> None:
        """Takes further visitors."""
        self._names = pa.concat_arrays([self._names, pa.array(names, pa.string())])

    def taken_out(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Returns a batch without the events of these visitors, which are remembered."""
        visitors = batch.column(VISITOR)
        owners = pc.fill_null(pc.index_in(visitors.dictionary, self._names), -1).to_numpy(zero_copy_only=False)
        if not (owners >= 0).any():
            return batch
        owner = owners[visitors.indices.to_numpy()]
        theirs = batch.filter(pa.array(owner >= 0))
        times = theirs.column("timestamp_us").to_numpy()
        self._kept.append((owner[owner >= 0], _hashes(theirs.column("message_id")), _rows(theirs), times))
        return compact(batch.filter(pa.array(owner < 0)))

    def counted(self) -> dict[str, int]:
        """Returns the number of events by the reason ``build_sessions`` gives; the earliest of an id is no copy."""
        if not self._kept:
            return {}
        owner, ids, rows, times = (np.concatenate(column) for column in zip(*self._kept, strict=True))
        order = np.lexsort((times, ids, owner))
        owner, ids, rows = owner[order], ids[order], rows[order]
        first = np.ones(len(order), np.bool_)
        first[1:] = (owner[1:] != owner[:-1]) | (ids[1:] != ids[:-1])
        originals = rows[first][np.cumsum(first) - 1]
        exact = int((rows == originals)[~first].sum())
        return {
            "duplicate_row": exact,
            "duplicate_message_id": int((~first).sum()) - exact,
            "visitor_over_limit": int(first.sum()),
        }


def _over(batches: list[pa.RecordBatch], max_events: int) -> list[str]:
    """Returns the visitors with more than ``max_events`` different message ids."""
    counted = []
    for batch in batches:
        visitors = batch.column(VISITOR)
        times = np.bincount(visitors.indices.to_numpy(), minlength=len(visitors.dictionary))
        counted.append(pa.table({"visitor": visitors.dictionary, "times": times}))
    totals = pa.concat_tables(counted).group_by("visitor").aggregate([("times", "sum")])
    many = totals.filter(pc.greater(totals["times_sum"], max_events))["visitor"].combine_chunks()
    if not len(many):
        return []
    ids = []
    for batch in batches:
        visitors = batch.column(VISITOR)
        suspect = pc.is_in(visitors.dictionary, many).to_numpy(zero_copy_only=False)[visitors.indices.to_numpy()]
        few = pa.table([visitors, batch.column("message_id")], ["visitor", "id"]).filter(pa.array(suspect))
        ids.append(few.set_column(0, "visitor", few["visitor"].cast(pa.string())))
    found = pa.concat_tables(ids).group_by("visitor").aggregate([("id", "count_distinct")])
    names: list[str] = found.filter(pc.greater(found["id_count_distinct"], max_events))["visitor"].to_pylist()
    return names


def _rows(batch: pa.RecordBatch) -> Words:
    """Returns uint64 (N,): equal for rows that differ in the message id at most, and hardly ever for others."""
    mixed = np.zeros(batch.num_rows, np.uint64)
    for name in sorted(set(batch.schema.names) - {"message_id"}):
        column = batch.column(name)
        if pa.types.is_dictionary(column.type):
            words = np.append(_hashes(column.dictionary), np.uint64(0))
            codes = pc.fill_null(column.indices, len(column.dictionary))
            values = words[codes.to_numpy()]
        else:
            values = pc.fill_null(column, 0).cast(pa.int64()).to_numpy().view(np.uint64)
        mixed = _mix(mixed, values)
    return mixed


def _hashes(texts: pa.Array) -> Words:
    """Returns uint64 (N,) hashes of all bytes of strings, eight at a time."""
    if not len(texts):
        return np.zeros(0, np.uint64)
    _, offsets, data = texts.buffers()
    bounds = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    padded = np.concatenate([np.frombuffer(data or b"", np.uint8), np.zeros(8, np.uint8)])
    words = np.lib.stride_tricks.as_strided(padded[:8].view("<u8"), (len(padded) - 7,), (1,), writeable=False)
    starts, left = bounds[:-1], np.diff(bounds)
    hashes = _mix(np.zeros(len(left), np.uint64), left.astype(np.uint64))
    rows = np.flatnonzero(left > 0)
    done = 0
    while len(rows):
        size = np.minimum(left[rows] - done, 8)
        kept = (words[starts[rows] + done] << (64 - 8 * size).astype(np.uint64)) >> (64 - 8 * size).astype(np.uint64)
        hashes[rows] = _mix(hashes[rows], kept)
        done += 8
        rows = rows[left[rows] > done]
    return hashes


def _mix(one: Words, other: Words) -> Words:
    mixed = (one ^ other) * _ODD
    mixed ^= mixed >> _SHIFT
    return mixed * _ODD + np.uint64(1)
