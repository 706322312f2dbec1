"""Compares data sets as multisets: parsed examples, rows of Parquet, and what their cards and specs say."""

import gzip
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import orjson
import pyarrow.parquet as pq
from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

from benchmarks.examples_equal import split_records

_AT_ONCE = 20_000
_OF_THE_RUN = ("output", "dead_letter", "created_at")

Counted = Counter[tuple[str, str]]
"""(Where it is, what it is) -> how many times."""


def examples_in(folder: Path) -> Counted:
    """Counts the examples below a folder by split; two are the same if all features of both are, to the bit."""
    found: Counted = Counter()
    for path in sorted(folder.glob("*/*.tfrecord*")):
        data = path.read_bytes()
        records = split_records(gzip.decompress(data) if path.suffix == ".gz" else data)
        for start in range(0, len(records), _AT_ONCE):
            batch = ExamplesToRecordBatchDecoder().DecodeBatch(records[start : start + _AT_ONCE])
            found.update((path.parent.name, repr(sorted(row.items()))) for row in batch.to_pylist())
    return found


def rows_in(folder: Path) -> Counted:
    """Counts the rows of all Parquet files below a folder, by the folder that they are in."""
    found: Counted = Counter()
    for path in sorted(folder.rglob("*.parquet")):
        where = str(path.parent.relative_to(folder))
        found.update((where, repr(sorted(row.items()))) for row in pq.ParquetFile(path).read().to_pylist())
    return found


def said_in(folder: Path) -> dict[str, object]:
    """Returns the JSON and text files of a data set, but for what tells one run from another."""
    found: dict[str, object] = {}
    for path in sorted([*folder.glob("*.json"), *folder.glob("*.pbtxt")]):
        content: object = path.read_text()
        if path.suffix == ".json":
            content = {key: value for key, value in orjson.loads(path.read_bytes()).items() if key not in _OF_THE_RUN}
        found[path.name] = content
    return found


def identical_share(left: Counted, right: Counted) -> float:
    """Returns the share of what two data sets hold that both do: 1.0 only if neither has anything else."""
    most = max(left.total(), right.total())
    return (left & right).total() / most if most else 0.0


def differences(left: Path, right: Path) -> Iterator[str]:
    """Yields a line for each way in which two data sets differ: examples, rows and cards."""
    for what, count in (("examples", examples_in), ("rows", rows_in)):
        ours, theirs = count(left), count(right)
        for name, extra in ((left, ours - theirs), (right, theirs - ours)):
            if extra:
                yield f"{extra.total()} {what} only in {name}, such as {str(next(iter(extra)))[:300]}"
    ours_said, theirs_said = said_in(left), said_in(right)
    for name in sorted(ours_said.keys() | theirs_said.keys()):
        if ours_said.get(name) != theirs_said.get(name):
            yield f"{name} differs: {ours_said.get(name)} against {theirs_said.get(name)}"
