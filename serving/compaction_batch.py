"""One part out of some closed spool files of one hour: read in chunks, staged, rid of copies, written, files removed.

The order makes it exactly-once. The part of the rows is written last and names its files: with it there, they are done
and may go; without it, they are read again. Dead letters are written before; a batch whose dead letters are there and
whose part is not is done again with the same files, so that the same names are written over.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from features.events import DEAD_LETTER_SCHEMA
from features.storage import explained
from features.tombstones import FORGOTTEN, Tombstones
from serving.archive import EVENTS, REJECTED
from serving.compaction_copies import KEY, archived_keys, find_copies
from serving.compaction_parts import (
    COMPRESSION,
    copy_rows,
    inputs_of,
    list_parts,
    part_path,
    with_inputs,
)
from serving.compaction_streams import SCHEMAS, forgotten, read_stream
from serving.spool import CHUNK_BYTES, CHUNK_ROWS, HOUR_US, read_lines, torn

BATCH_BYTES = 512 << 20
"""Spool files are put together up to so many bytes a part, if more than one: what the keys in memory are bounded by."""

DUPLICATE = "duplicate"
"""Why a copy of an event is dropped."""


@dataclass
class BatchCounts:
    """What became of the lines of some spool files.

    Attributes:
        files: spool files compacted and removed.
        lines: whole lines in them.
        torn: files with a torn last line.
        rows: rows written, by stream.
        dropped: rows dropped, by reason.
        rejected: lines that became dead letters, by reason.
        parts: Parquet parts written.
    """

    files: int = 0
    lines: int = 0
    torn: int = 0
    rows: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    parts: list[str] = field(default_factory=list)

    def add(self, other: "BatchCounts") -> None:
        """Adds what another counted."""
        self.files += other.files
        self.lines += other.lines
        self.torn += other.torn
        self.rows += other.rows
        self.dropped += other.dropped
        self.rejected += other.rejected
        self.parts += other.parts


@dataclass(frozen=True)
class Job:
    """What every batch of a compaction shares.

    Attributes:
        archive: root of the archive.
        staging: a local folder of this process alone.
        dedup_hours: how many hours before and after an event's own a copy of it is looked for.
        tombstones: the forgotten.
    """

    archive: str
    staging: Path
    dedup_hours: int
    tombstones: Tombstones


def plan_batches(stream: str, hour_us: int, paths: Sequence[Path], job: Job) -> tuple[list[list[Path]], list[Path]]:
    """Returns the batches to make of closed spool files of one hour, and the files that are in a part already."""
    by_name = {path.name: path for path in paths}
    done = {name for part in list_parts(job.archive, stream, hour_us, hour_us) for name in inputs_of(part)}
    left = {name: path for name, path in by_name.items() if name not in done}
    batches = []
    if stream != REJECTED and left:
        for part in list_parts(job.archive, REJECTED, hour_us, hour_us):
            names = inputs_of(part)
            if names and {*names} <= {*left}:
                batches.append([left.pop(name) for name in names])
    return batches + list(_sized(left.values())), [path for name, path in by_name.items() if name in done]


def write_batch(stream: str, hour_us: int, paths: Sequence[Path], job: Job, counts: BatchCounts) -> None:
    """Turns spool files of one hour into a part, and removes them.

    Raises:
        AuguryError: something cannot be read or written; nothing is lost, and the next compaction does it again.
    """
    names = [path.name for path in paths]
    found = BatchCounts(torn=sum(torn(path) for path in paths))
    with _Staged(job.staging / "rows.parquet", with_inputs(SCHEMAS[stream], names)) as rows:
        with _Staged(job.staging / "letters.parquet", with_inputs(DEAD_LETTER_SCHEMA, names)) as letters:
            keys: list[pa.RecordBatch] = []
            for lines in _chunks(paths):
                found.lines += len(lines)
                adapted = read_stream(stream, lines)
                found.rejected.update(adapted.rejected.column("reason").to_pylist())
                letters.write(_remembered(REJECTED, adapted.rejected, hour_us, job, found))
                kept = _remembered(stream, adapted.events, hour_us, job, found)
                rows.write(kept)
                if stream == EVENTS:
                    keys.append(kept.select(list(KEY)))

    copies = np.zeros(rows.rows, np.bool_)
    if keys:
        copies = find_copies(pa.Table.from_batches(keys), archived_keys(_window(hour_us, job)))
    found.dropped[DUPLICATE] += int(copies.sum())
    found.rows[stream] += rows.rows - int(copies.sum())
    found.rows[REJECTED] += letters.rows
    if letters.rows:
        _publish(letters, part_path(job.archive, REJECTED, hour_us, names), found)
    if found.rows[stream] or letters.rows:
        _publish(rows, part_path(job.archive, stream, hour_us, names), found, copies)
    remove_files(paths, found)
    counts.add(found)


def remove_files(paths: Iterable[Path], counts: BatchCounts) -> None:
    """Removes spool files that are compacted."""
    for path in paths:
        with explained(path, "write"):
            path.unlink(missing_ok=True)
        counts.files += 1


class _Staged:
    """A Parquet file being filled, a row group a chunk."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path, self.rows = path, 0
        self._schema = schema
        self._stack = ExitStack()

    def __enter__(self) -> "_Staged":
        with explained(self.path, "write"):
            self._writer = self._stack.enter_context(
                pq.ParquetWriter(str(self.path), self._schema, compression=COMPRESSION)
            )
        return self

    def __exit__(self, *error: object) -> None:
        with explained(self.path, "write"):
            self._stack.close()

    def write(self, batch: pa.RecordBatch) -> None:
        if batch.num_rows:
            with explained(self.path, "write"):
                self._writer.write_batch(batch.cast(self._schema))
            self.rows += batch.num_rows


def _remembered(stream: str, rows: pa.RecordBatch, hour_us: int, job: Job, counts: BatchCounts) -> pa.RecordBatch:
    """Returns the rows without those of the forgotten, which are counted."""
    dropped = forgotten(stream, rows, job.tombstones, hour_us)
    counts.dropped[FORGOTTEN] += int(dropped.sum())
    return rows.filter(pa.array(~dropped)) if dropped.any() else rows


def _publish(staged: _Staged, target: str, counts: BatchCounts, dropped: npt.NDArray[np.bool_] | None = None) -> None:
    copy_rows(str(staged.path), target, dropped)
    counts.parts.append(target)


def _window(hour_us: int, job: Job) -> list[str]:
    span = job.dedup_hours * HOUR_US
    return list_parts(job.archive, EVENTS, hour_us - span, hour_us + span)


def _sized(paths: Iterable[Path]) -> Iterator[list[Path]]:
    batch: list[Path] = []
    held = 0
    for path in paths:
        size = path.stat().st_size
        if batch and held + size > BATCH_BYTES:
            yield batch
            batch, held = [], 0
        batch.append(path)
        held += size
    if batch:
        yield batch


def _chunks(paths: Iterable[Path]) -> Iterator[list[bytes]]:
    """Yields the lines of files in chunks that small files share."""
    held: list[bytes] = []
    size = 0
    for path in paths:
        with explained(path, "read"):
            for lines in read_lines(path):
                held += lines
                size += sum(map(len, lines))
                if len(held) >= CHUNK_ROWS or size >= CHUNK_BYTES:
                    yield held
                    held, size = [], 0
    if held:
        yield held
