"""Events read one batch after the other, cleaned, for what needs no pipeline: memory holds one batch."""

import time
from collections.abc import Iterator, Sequence

import pyarrow as pa

from features.adapters import get_adapter
from features.cleaning import clean
from features.cleaning_file import read_cleaning_rules
from features.tombstones import REQUIRED_COLUMNS, Tombstones, drop_forgotten, tombstones_beside
from transforms.sources import plan_reads, read_chunks


def read_events(
    paths: Sequence[str],
    columns: Sequence[str],
    *,
    adapter: str = "canonical",
    format: str | None = None,
    cleaning: str | None = None,
) -> Iterator[pa.RecordBatch]:
    """Yields canonical events of people, those of forgotten visitors left out.

    Args:
        paths: files, folders or patterns.
        columns: event columns wanted.
        adapter: as for ``augury examples``.
        format: of the files, where their names do not tell.
        cleaning: path of cleaning rules.

    Raises:
        AuguryError: a file that is not there or cannot be read.
    """
    tasks = plan_reads(paths, format)
    reader, rules = get_adapter(adapter, now_us=time.time_ns() // 1000), read_cleaning_rules(cleaning)
    forgotten = Tombstones.union(map(Tombstones.load, tombstones_beside([task.path for task in tasks])))
    wanted = tuple(dict.fromkeys((*columns, *rules.required_columns(), *REQUIRED_COLUMNS)))
    for task in tasks:
        for chunk in read_chunks(task, reader.columns(wanted)):
            known, _ = drop_forgotten(reader.adapt(chunk, task.path).events, forgotten)
            yield clean(known, rules)[0]
