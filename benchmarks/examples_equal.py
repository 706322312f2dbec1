"""Reads data sets of TFRecords back without TensorFlow and proves two of them equal."""

import struct
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

from features.splits import SPLITS


class NotEqualError(AssertionError):
    """Two data sets that should hold the same examples do not."""


def load_examples(folder: Path) -> dict[str, pa.Table]:
    """Returns split -> its examples, decoded, in the order of their ids."""
    found = {}
    for split in SPLITS:
        records = [
            record
            for path in sorted((folder / split).glob("*.tfrecord*"))
            for record in split_records(path.read_bytes())
        ]
        batches = [_decode(records[start : start + 50_000]) for start in range(0, len(records), 50_000)]
        if batches:
            table = pa.concat_tables([pa.Table.from_batches([batch]) for batch in batches], promote_options="default")
            table = table.select(sorted(table.column_names))
            ids = pc.list_element(table.column("example_id"), 0)
            found[split] = table.take(pc.sort_indices(ids))
    return found


def require_equal(left: Path, right: Path) -> int:
    """Returns the number of examples that two data sets have in common, which must be all of both.

    Raises:
        NotEqualError: they differ; the message names the split and the column.
    """
    ours, theirs = load_examples(left), load_examples(right)
    if ours.keys() != theirs.keys() or not ours:
        raise NotEqualError(f"{left} has splits {sorted(ours)}, {right} {sorted(theirs)}")
    for split, table in ours.items():
        other = theirs[split]
        if table.num_rows != other.num_rows or table.column_names != other.column_names:
            raise NotEqualError(
                f"{split}: {table.num_rows} examples of {table.column_names} against {other.num_rows} of "
                f"{other.column_names}"
            )
        for name in table.column_names:
            if table.column(name).combine_chunks() != other.column(name).combine_chunks():
                raise NotEqualError(f"{split}: the examples differ in {name}")
    return sum(table.num_rows for table in ours.values())


def split_records(data: bytes) -> list[bytes]:
    """Returns the records of a TFRecord file's content."""
    records, at = [], 0
    while at < len(data):
        (size,) = struct.unpack_from("<Q", data, at)
        records.append(data[at + 12 : at + 12 + size])
        at += 12 + size + 4
    return records


def _decode(records: list[bytes]) -> pa.RecordBatch:
    return ExamplesToRecordBatchDecoder().DecodeBatch(records)
