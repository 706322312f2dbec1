"""Copies: the same message of the same visitor, received or written more than once."""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from serving.compaction_parts import batches_of

KEY = ("message_id", "anonymous_id")
"""What two events must have in common, letter by letter, to be copies of one."""

_ROWS = 1 << 20


def find_copies(keys: pa.Table, earlier: Iterable[pa.Table]) -> npt.NDArray[np.bool_]:
    """Says which of N events are copies: of one before them, or of one in the archive already.

    Message ids are looked up by Arrow; only where one is met again are the strings of both columns compared.

    Args:
        keys: (N,) the columns ``KEY``.
        earlier: the same columns of what is in the archive, in pieces.

    Returns:
        bool (N,).
    """
    ids = keys.column("message_id").combine_chunks()
    visitors = keys.column("anonymous_id").combine_chunks()
    copies = _repeated(ids, visitors)
    for known in earlier:
        rows = np.flatnonzero(_among(ids, known.column("message_id")) & ~copies)
        if not len(rows):
            continue
        asked = ids.take(pa.array(rows))
        met = known.filter(pa.array(_among(known.column("message_id"), asked)))
        there = {*_pairs(met.column("message_id"), met.column("anonymous_id"))}
        copies[rows] = [pair in there for pair in _pairs(asked, visitors.take(pa.array(rows)))]
    return copies


def archived_keys(parts: Iterable[str]) -> Iterator[pa.Table]:
    """Yields the columns ``KEY`` of parts in tables of about a million rows."""
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches_of(parts, KEY):
        held.append(batch)
        rows += batch.num_rows
        if rows >= _ROWS:
            yield pa.Table.from_batches(held)
            held, rows = [], 0
    if held:
        yield pa.Table.from_batches(held)


def _repeated(ids: pa.Array, visitors: pa.Array) -> npt.NDArray[np.bool_]:
    copies = np.zeros(len(ids), np.bool_)
    counted = pc.value_counts(ids)
    often = counted.field("values").filter(pc.greater(counted.field("counts"), 1))
    if not len(often):
        return copies
    seen: set[tuple[str, str]] = set()
    rows = np.flatnonzero(_among(ids, often))
    for row, pair in zip(rows.tolist(), _pairs(ids.take(pa.array(rows)), visitors.take(pa.array(rows))), strict=True):
        copies[row] = pair in seen
        seen.add(pair)
    return copies


def _among(values: pa.Array | pa.ChunkedArray, others: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    others = others.combine_chunks() if isinstance(others, pa.ChunkedArray) else others
    found: npt.NDArray[np.bool_] = np.asarray(pc.is_in(values, others))
    return found


def _pairs(ids: pa.Array | pa.ChunkedArray, visitors: pa.Array | pa.ChunkedArray) -> Iterator[tuple[str, str]]:
    return zip(ids.to_pylist(), visitors.to_pylist(), strict=True)
