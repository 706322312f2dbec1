"""Parquet files in hourly partitions, off a stream."""

from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.coders import registry

from tests.transforms.streams import NOON_US, SECOND_US, add, at, rows_below, run_stream, stream
from transforms import write_partitions
from transforms.write_partitions import WritePartitions, _Collect, _write, parquet_bytes, partition_of


def batch(*values: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"n": pa.array(values, pa.int64())})


def write(test_stream: Any, folder: Path, clock_seconds: float = 0, **more: Any) -> dict[str, int]:
    writing = WritePartitions(str(folder), wait_seconds=60, kind="archive", clock=lambda: clock_seconds, **more)
    result = run_stream(test_stream.advance_processing_time(61), lambda batches: batches | writing)
    return {each.key.metric.name: each.committed for each in result.metrics().query()["counters"]}


@pytest.mark.parametrize(
    ("second", "partition"),
    [
        (0, "date=2026-08-01/hour=12"),
        (-0.000001, "date=2026-08-01/hour=11"),
        (12 * 3600, "date=2026-08-02/hour=00"),
    ],
)
def test_a_partition_is_an_hour_of_utc(second: float, partition: str) -> None:
    assert partition_of(NOON_US + round(second * SECOND_US)) == partition


def test_batches_of_an_hour_become_one_file(tmp_path: Path) -> None:
    s = add(stream(), 0, batch(1, 2), batch(3))
    s = add(s.advance_watermark_to(at(1800)), 3599, batch(4))
    s = add(s, 3600, batch(5))
    counters = write(s, tmp_path)
    assert [(row["partition"], row["n"]) for row in rows_below(tmp_path)] == [
        ("date=2026-08-01/hour=12", 1),
        ("date=2026-08-01/hour=12", 2),
        ("date=2026-08-01/hour=12", 3),
        ("date=2026-08-01/hour=12", 4),
        ("date=2026-08-01/hour=13", 5),
    ]
    assert len(list(tmp_path.rglob("*.parquet"))) == 2
    assert counters == {"archive/rows": 5, "archive/files": 2}


def test_what_the_watermark_has_passed_long_ago_is_written_too(tmp_path: Path) -> None:
    s = add(add(stream(), 0, batch(1)).advance_watermark_to(at(7200)), 1, batch(2))
    write(s, tmp_path)
    assert sorted(row["n"] for row in rows_below(tmp_path)) == [1, 2]


def test_a_file_does_not_wait_longer_than_asked(tmp_path: Path) -> None:
    s = add(stream(), 0, batch(1)).advance_processing_time(59)
    s = add(s, 1, batch(2)).advance_processing_time(2)  # the first one's minute is over
    s = add(s, 2, batch(3))
    write(s, tmp_path)  # a minute later
    assert sorted(pq.ParquetFile(path).read().column("n").to_pylist() for path in tmp_path.rglob("*.parquet")) == [
        [1, 2],
        [3],
    ]


def test_a_full_file_does_not_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_partitions, "FILE_ROWS", 3)
    s = stream()
    for n in range(7):
        s = add(s, n, batch(n))
    write(s, tmp_path)
    files = sorted(pq.ParquetFile(path).read().column("n").to_pylist() for path in tmp_path.rglob("*.parquet"))
    assert files == [[0, 1, 2], [3, 4, 5], [6]]


def test_shards_are_files_of_their_own(tmp_path: Path) -> None:
    write(add(stream(), 0, batch(1), batch(2)), tmp_path, shards=2)
    assert len(list(tmp_path.rglob("*.parquet"))) == 2


def test_what_waits_when_the_stream_ends_is_let_go(tmp_path: Path) -> None:
    # without the shuffle before the write: this runner drops what a timer puts into one when all is over
    def collect(batches: beam.PCollection) -> None:
        keyed = batches | beam.Map(lambda each: ("hour/0", each)).with_output_types(tuple[str, pa.RecordBatch])
        _ = keyed | beam.ParDo(_Collect(60, lambda: 0.0)) | beam.Map(_write, str(tmp_path), "archive")

    run_stream(add(add(stream(), 0, batch(1)), 1, batch(2)), collect)
    assert rows_below(tmp_path) == [{"n": 1, "partition": "hour"}, {"n": 2, "partition": "hour"}]


def test_a_write_that_is_tried_again_leaves_one_file(tmp_path: Path) -> None:
    content = parquet_bytes([batch(1), batch(2)])
    paths = {_write(("date=2026-08-01/hour=12", content), str(tmp_path), "archive") for _ in range(2)}
    assert [str(path) for path in tmp_path.rglob("*.parquet")] == list(paths)
    assert content == parquet_bytes([batch(1), batch(2)])
    assert pq.read_table(paths.pop()).column("n").to_pylist() == [1, 2]


def test_batches_cross_the_shuffle_as_arrow() -> None:
    assert type(registry.get_coder(pa.RecordBatch)).__name__ == "RecordBatchCoder"
