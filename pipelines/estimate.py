"""How many rows a job will read, near enough to choose the number of shards."""

from collections.abc import Sequence

import pyarrow.parquet as pq

from features.storage import open_filesystem
from transforms.read_tasks import QueryTask, ReadTask, SourceError, StreamTask, TableTask

_BYTES_A_ROW = {"jsonl": 500, "csv": 50}
_UNFOLDS = 8  # a compressed file of events is about so many times larger unpacked
_COMPRESSED = (".gz", ".zst", ".zstd")


def estimate_rows(tasks: Sequence[ReadTask]) -> int:
    """Returns about how many rows the tasks hold: exact for Parquet, as told by BigQuery, by size for the rest.

    Raises:
        SourceError: a query that Beam runs, whose rows nobody knows yet.
    """
    for task in tasks:
        if isinstance(task, QueryTask):
            raise SourceError(f"{task.path}: Beam does not say beforehand how many rows it has; give --shards")
    tables = [task for task in tasks if isinstance(task, StreamTask | TableTask)]
    formats = {task.path: task.format for task in tasks if not isinstance(task, StreamTask | TableTask)}
    return sum(task.rows for task in tables) + sum(_rows_of(path, format) for path, format in formats.items())


def _rows_of(path: str, format: str) -> int:
    files, target = open_filesystem(path)
    if format == "parquet":
        with files.open(target, "rb") as file:
            return int(pq.read_metadata(file).num_rows)
    size = int(files.size(target))
    return size * (_UNFOLDS if path.lower().endswith(_COMPRESSED) else 1) // _BYTES_A_ROW[format]
