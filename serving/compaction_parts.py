"""The archive's Parquet parts: where they are, which spool files they were made of, and who may write them.

``<archive>/<stream>/date=YYYY-MM-DD/hour=HH/part-<hash>.parquet``, the hour being that of receipt, UTC. A part appears
whole or not at all, is named after the spool files it holds, and lists them in its metadata: a spool file that a part
lists has been compacted, whatever happened afterwards.
"""

import fcntl
import hashlib
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from features.storage import StorageError, explained, is_local, list_files, open_atomic, open_filesystem
from serving.spool import HOUR_US, ArchiveError

COMPRESSION = "zstd"

_DAY_US = 24 * HOUR_US
_INPUTS = b"augury.inputs"
_PART = re.compile(r".*/date=(\d{4}-\d\d-\d\d)/hour=(\d\d)/[^/]+\.parquet")
_LOCK = ".compacting"
_STAGING = ".staging"
# What is being written in an archive by whoever is alone with it; tombstones are not.
_UNFINISHED = (".part-*.tmp", ".*.applied.json.*.tmp")


class BusyError(ArchiveError):
    """Another process is writing the archive."""


@contextmanager
def alone(spool: Path, archive: str) -> Iterator[Path]:
    """Keeps other writers of Parquet parts away from a spool and from a local archive while the block runs.

    Yields a local folder to stage files in, gone when the block ends. If it is there at the beginning, the last
    writer was killed, and the unfinished files that it left are removed first.

    Raises:
        BusyError: there is another writer.
        StorageError: the folders cannot be written.
    """
    root = Path(open_filesystem(archive)[1]) if is_local(archive) else None
    with ExitStack() as stack:
        for folder in (spool, root):
            if folder is None:
                continue
            with explained(folder, "write"):
                folder.mkdir(parents=True, exist_ok=True)
                lock = stack.enter_context((folder / _LOCK).open("wb"))
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as e:
                raise BusyError(f"another compaction is at work in {folder}; wait until it has finished") from e
        staging = spool / _STAGING
        if staging.exists() and root is not None:
            for path in (path for pattern in _UNFINISHED for path in root.rglob(pattern)):
                path.unlink(missing_ok=True)
        with explained(staging, "write"):
            staging.mkdir(exist_ok=True)
        yield staging
        shutil.rmtree(staging, ignore_errors=True)


def hour_folder(archive: str, stream: str, hour_us: int) -> str:
    """Returns the folder of the parts of one hour."""
    hour = datetime.fromtimestamp(hour_us // 1_000_000, UTC)
    return f"{archive}/{stream}/date={hour:%Y-%m-%d}/hour={hour:%H}"


def hour_of_part(path: str) -> int | None:
    """Returns the beginning (int64 microseconds UTC) of a part's hour; None for a file that is no part."""
    found = _PART.fullmatch(path)
    if found is None:
        return None
    return int(datetime.fromisoformat(f"{found[1]}T{found[2]}:00:00+00:00").timestamp()) * 1_000_000


def list_parts(archive: str, stream: str, start_us: int | None = None, end_us: int | None = None) -> list[str]:
    """Returns the parts whose hour begins from ``start_us`` to ``end_us``, both included, oldest first; None: all.

    Raises:
        StorageError: the archive cannot be listed.
    """
    folders = [f"{archive}/{stream}"]
    if start_us is not None and end_us is not None:
        days = range(start_us // _DAY_US, end_us // _DAY_US + 1)
        folders = [hour_folder(archive, stream, day * _DAY_US).rpartition("/")[0] for day in days]
    found = []
    for path in (path for folder in folders for path in list_files(folder)):
        hour = hour_of_part(path)
        if hour is not None and (start_us is None or hour >= start_us) and (end_us is None or hour <= end_us):
            found.append(path)
    return found


def part_path(archive: str, stream: str, hour_us: int, inputs: Sequence[str]) -> str:
    """Returns the path of the part that holds these spool files: the same files, the same path."""
    digest = hashlib.blake2b("\n".join(sorted(inputs)).encode(), digest_size=16).hexdigest()
    return f"{hour_folder(archive, stream, hour_us)}/part-{digest}.parquet"


def with_inputs(schema: pa.Schema, inputs: Sequence[str]) -> pa.Schema:
    """Returns a schema whose metadata lists the spool files that a part holds."""
    return schema.with_metadata({_INPUTS: orjson.dumps(sorted(inputs))})


def inputs_of(path: str) -> list[str]:
    """Returns the names of the spool files that a part holds; none for one that was written by somebody else.

    Raises:
        ArchiveError: it cannot be read.
    """
    with open_part(path) as part:
        metadata = part.schema_arrow.metadata or {}
        names: list[str] = orjson.loads(metadata.get(_INPUTS, b"[]"))
        return names


@contextmanager
def open_part(path: str) -> Iterator[pq.ParquetFile]:
    """Opens a part for reading.

    Raises:
        ArchiveError: it is missing, truncated or no Parquet.
    """
    with ExitStack() as stack:
        with readable(path):
            fs, target = open_filesystem(path)
            file: Any = stack.enter_context(pa.OSFile(target, "rb") if is_local(path) else fs.open(target, "rb"))
            part = stack.enter_context(pq.ParquetFile(file))
        yield part


@contextmanager
def readable(path: str) -> Iterator[None]:
    """Turns what goes wrong in the block, which reads a part, into an ``ArchiveError`` of one line about it."""
    try:
        with explained(path, "read", remote=not is_local(path)):
            yield
    except (pa.ArrowException, StorageError) as e:
        reason = " ".join(str(e).split())[:200]
        raise ArchiveError(f"{path} cannot be read ({reason}); restore it, or move it out of the archive") from e


def copy_rows(source: str, target: str, dropped: npt.NDArray[np.bool_] | None = None) -> None:
    """Writes a Parquet file again, row group by row group, without some rows; its metadata stays.

    Args:
        source: the file to read.
        target: where it is to appear, whole or not at all; may be ``source``.
        dropped: bool (N,), the rows to leave out; None keeps every byte.

    Raises:
        ArchiveError: the source cannot be read.
        StorageError: the target cannot be written.
    """
    if dropped is None or not dropped.any():
        if source != target:
            with open(source, "rb") as whole, open_atomic(target) as file:
                while block := whole.read(1 << 20):
                    file.write(block)
        return
    with open_part(source) as part, open_atomic(target) as file:
        with pq.ParquetWriter(file, part.schema_arrow, compression=COMPRESSION) as writer:
            start = 0
            for group in range(part.num_row_groups):
                with readable(source):
                    table = part.read_row_group(group)
                keep = ~dropped[start : start + table.num_rows]
                start += table.num_rows
                if keep.any():
                    writer.write_table(table.filter(pa.array(keep)))


def batches_of(paths: Iterable[str], columns: Sequence[str], rows: int = 1 << 18) -> Iterator[pa.RecordBatch]:
    """Yields columns of many parts in batches of at most ``rows``; a part that lacks one of them is passed over."""
    for path in paths:
        with open_part(path) as part:
            if {*columns} <= {*part.schema_arrow.names}:
                with readable(path):
                    yield from part.iter_batches(rows, columns=list(columns))


def remove(path: str) -> None:
    """Removes a part.

    Raises:
        StorageError: it cannot be removed.
    """
    fs, target = open_filesystem(path)
    with explained(path, "write", remote=not is_local(path)):
        fs.rm_file(target)
