"""Dead letters of a job that turns images into examples: one Parquet file a task that had any."""

from collections import Counter
from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.storage import open_atomic


def write_letters(path: str, letters: Sequence[pa.RecordBatch]) -> Mapping[str, int]:
    """Writes batches in ``DEAD_LETTER_SCHEMA``, if any hold a row; returns reason -> count."""
    table = pa.Table.from_batches(letters) if letters else None
    if table is None or not table.num_rows:
        return {}
    with open_atomic(path) as file:
        pq.write_table(table, file, compression="zstd")
    reasons = pc.value_counts(table.column("reason").combine_chunks())
    return Counter({entry["values"]: entry["counts"] for entry in reasons.to_pylist()})
