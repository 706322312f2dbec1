"""Reads gaze files into points by shard of images; rows that are none go to the dead letter with their reason."""

import gzip
import io
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

import numpy as np
import pyarrow as pa
import zstandard

from features.attention_spec import METHODS
from features.checks import dead_letters
from features.gaze import UNKNOWN_IMAGE, AdaptedGaze, GazeError
from features.gaze_matlab import READERS
from features.gaze_tables import read_points
from features.storage import explained, open_filesystem, read_bytes
from transforms.attention_work import PIECE_SCHEMA, GazeTask, ImageTask, image_numbers
from transforms.ipc import to_ipc
from transforms.letters import write_letters
from transforms.tally import Tally, count


class GazeReader:
    """Reads gaze files into points by shard.

    Args:
        images: all images of the job.
        shards: number of shards.
        dead_letter: folder for the rejected rows.
    """

    def __init__(self, images: tuple[ImageTask, ...], shards: int, dead_letter: str) -> None:
        self._images = images
        self._shards = shards
        self._dead_letter = dead_letter
        self._numbers: dict[str, dict[str, int]] = {}

    def read(self, index: int, task: GazeTask) -> Iterator[tuple[int, bytes] | Tally]:
        """Yields pieces in ``PIECE_SCHEMA`` by shard, then what was counted.

        Args:
            index: of the task, which names its dead letters.
            task: what to read.
        """
        letters: list[pa.RecordBatch] = []
        rows: Counter[str] = Counter()
        held: list[pa.RecordBatch] = []
        for path in task.paths:
            for adapted in read_task_file(task, path):
                rows["gaze_rows"] += adapted.points.num_rows + adapted.rejected.num_rows
                batch, unknown = self._numbered(task, adapted.points, path)
                letters += [adapted.rejected, unknown]
                held.append(batch)
                if sum(one.num_rows for one in held) >= 1 << 20:
                    yield from self._by_shard(held)
                    held = []
        yield from self._by_shard(held)
        rejected = write_letters(f"{self._dead_letter}/part-gaze-{index:05d}.parquet", letters)
        yield Tally({**count("read", rows), **count("rejected_gaze", rejected)})

    def _numbered(self, task: GazeTask, points: pa.RecordBatch, path: str) -> tuple[pa.RecordBatch, pa.RecordBatch]:
        """Returns the points in ``PIECE_SCHEMA``, and those of images that the set does not have."""
        if task.set_name not in self._numbers:
            self._numbers[task.set_name] = image_numbers(self._images, task.set_name)
        known = self._numbers[task.set_name]
        coded = points.column("image").dictionary_encode()
        of_name = np.array([known.get(name, -1) for name in coded.dictionary.to_pylist()], np.int32)
        numbers = of_name[coded.indices.to_numpy(zero_copy_only=False)] if len(coded) else np.zeros(0, np.int32)
        lost = points.filter(pa.array(numbers < 0))
        names = ("image", "subject", "order", "x", "y")
        texts = [",".join(str(row[name]) for name in names) for row in lost.select(names).to_pylist()]
        keep = pa.array(numbers >= 0)
        points = points.filter(keep)
        method = np.full(points.num_rows, METHODS.index(task.method), np.int8)
        columns = [pa.array(numbers).filter(keep), pa.array(method)]
        columns += [points.column(name) for name in PIECE_SCHEMA.names[2:]]
        batch = pa.RecordBatch.from_arrays(columns, schema=PIECE_SCHEMA)
        return batch, dead_letters([UNKNOWN_IMAGE] * len(texts), texts, path)

    def _by_shard(self, batches: list[pa.RecordBatch]) -> Iterator[tuple[int, bytes]]:
        table = pa.Table.from_batches(batches, PIECE_SCHEMA).combine_chunks()
        shards = table.column("number").to_numpy() % self._shards
        order = np.argsort(shards, kind="stable")
        bounds = np.searchsorted(shards[order], np.arange(self._shards + 1))
        table = table.take(pa.array(order)).combine_chunks()
        for shard in np.flatnonzero(np.diff(bounds)).tolist():
            [piece] = table.slice(bounds[shard], bounds[shard + 1] - bounds[shard]).to_batches()
            yield shard, to_ipc(piece)


def read_task_file(task: GazeTask, path: str) -> Iterator[AdaptedGaze]:
    """Yields what one file of a task holds.

    Raises:
        GazeError: it is not what the task says.
        StorageError: it cannot be read.
    """
    if task.adapter in READERS:
        yield from READERS[task.adapter](read_bytes(path), path, set_name=task.set_name, method=task.method)
        return
    with _explained(path), _opened(path) as file:
        yield from read_points(
            file,
            path,
            set_name=task.set_name,
            method=task.method,
            columns=task.columns,
            one_based=task.one_based,
            sample_ms=task.sample_ms,
        )


@contextmanager
def _opened(path: str) -> Iterator[IO[bytes]]:
    """Opens a table, decompressed."""
    fs, target = open_filesystem(path)
    suffix = path.lower().rpartition(".")[2]
    with explained(path, "read", body=True), fs.open(target, "rb") as file:
        if suffix == "gz":
            with gzip.open(file) as unfolded:
                yield cast(IO[bytes], unfolded)
        elif suffix in ("zst", "zstd"):
            with io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(file)) as unfolded:
                yield cast(IO[bytes], unfolded)
        else:
            yield cast(IO[bytes], file)


@contextmanager
def _explained(path: str) -> Iterator[None]:
    try:
        yield
    except (gzip.BadGzipFile, zlib.error, EOFError, zstandard.ZstdError) as e:
        raise GazeError(f"{path} is damaged or not compressed as its name says ({e}); fetch it again") from e
