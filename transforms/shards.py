"""Shards: event batches split by visitor and packed, so that a few large values cross the shuffle."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

import mmh3
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.sessions import VISITOR
from transforms.ipc import from_ipc, to_ipc

_SHARD_SEED = 0x5A4D  # apart from the seeds of splits and hash buckets, so that shards are independent of both


SHARDS_AT_ONCE = 2
"""Shards that a worker thread has in work at once, each some hundred MB: Arrow and NumPy let go of the interpreter."""


def encode_columns(
    events: pa.RecordBatch, columns: Iterable[str], links: Mapping[str, str] = MappingProxyType({})
) -> pa.RecordBatch:
    """Returns ``visitor`` and the named columns, strings dictionary-encoded but for ``message_id``.

    Args:
        events: canonical events; with a column ``visitor`` where whose they are is known already.
        columns: event columns to carry.
        links: anonymous id -> visitor, for the ids that are not visitors themselves.
    """
    visitors = _encoded(events.column(VISITOR if VISITOR in events.schema.names else "anonymous_id"))
    if links:
        named = pa.array([links.get(name, name) for name in visitors.dictionary.to_pylist()], pa.string())
        visitors = pc.take(named, visitors.indices).dictionary_encode()
    arrays = {VISITOR: visitors}
    for name in columns:
        column = events.column(name)
        arrays[name] = column if name == "message_id" else _encoded(column)
    return pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays))


def split_by_visitor(events: pa.RecordBatch, shards: int) -> Iterator[tuple[int, bytes]]:
    """Yields (shard, packed rows) for every shard that has rows; a visitor's events all go to one shard.

    Args:
        events: needs a dictionary-encoded ``visitor`` column, as ``encode_columns`` gives it.
        shards: number of shards, at least 1.
    """
    visitors = events.column(VISITOR)
    # each distinct visitor is hashed once
    of_visitor = np.array([shard_of(name, shards) for name in visitors.dictionary.to_pylist()], np.int32)
    shard = of_visitor[visitors.indices.to_numpy()]
    order = np.argsort(shard, kind="stable")
    bounds = np.searchsorted(shard[order], np.arange(shards + 1))
    events = events.take(pa.array(order))
    for index in np.flatnonzero(np.diff(bounds)).tolist():
        yield index, pack(events.slice(bounds[index], bounds[index + 1] - bounds[index]))


def shard_of(visitor: str, shards: int) -> int:
    """Returns the shard, 0 to ``shards`` - 1, that all events of a visitor belong to."""
    return int(mmh3.hash(visitor, _SHARD_SEED, signed=False) % shards)


def pack(events: pa.RecordBatch) -> bytes:
    """Returns a batch as an Arrow IPC stream whose dictionaries hold only the values in use."""
    return to_ipc(compact(events))


def compact(events: pa.RecordBatch) -> pa.RecordBatch:
    """Returns a batch whose dictionaries hold only the values in use."""
    return pa.RecordBatch.from_arrays([_compact(column) for column in events.columns], names=events.schema.names)


def unpack(pieces: Iterable[bytes]) -> pa.Table:
    """Returns the packed batches of one shard as one table."""
    return pa.Table.from_batches([from_ipc(piece) for piece in pieces])


def _encoded(column: pa.Array) -> pa.Array:
    return column.dictionary_encode() if pa.types.is_string(column.type) else column


def _compact(column: pa.Array) -> pa.Array:
    if not pa.types.is_dictionary(column.type):
        return column
    missing = column.is_null().to_numpy(False) if column.null_count else None
    codes: npt.NDArray[np.int32] = column.indices.fill_null(0).to_numpy(False)
    if not len(column.dictionary):
        return column
    used = np.zeros(len(column.dictionary), np.bool_)
    used[codes] = True
    renumbered = (np.cumsum(used, dtype=np.int32) - 1)[codes]
    values = column.dictionary.take(pa.array(np.flatnonzero(used)))
    return pa.DictionaryArray.from_arrays(pa.array(renumbered, mask=missing), values)
