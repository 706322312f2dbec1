import gzip
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from features.adapters import get_adapter
from transforms import sources
from transforms.read_tasks import ReadTask, SourceError
from transforms.sources import plan_reads, read_chunks

LINES = [b'{"n":%d}' % i for i in range(1000)]
TEXT = b"\n".join(LINES) + b"\n"
TABLE = pa.table({"n": range(1000), "text": [f"t{i}" for i in range(1000)]})


def rows(path: Path | str, **options: str) -> list:
    chunks = [chunk for task in plan_reads([str(path)], **options) for chunk in read_chunks(task)]
    return [row for chunk in chunks for row in chunk.to_pylist()]


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("e.jsonl", TEXT),
        ("e.json", TEXT),
        ("E.NDJSON", b"\xef\xbb\xbf" + TEXT),
        ("e.jsonl.gz", gzip.compress(TEXT)),
        ("e.jsonl.gz", gzip.compress(TEXT[:44]) + gzip.compress(TEXT[44:])),  # as `cat a.gz b.gz` makes it
        ("e.jsonl.zst", zstandard.compress(TEXT)),
        ("e.jsonl.zst", zstandard.compress(TEXT[:44]) + zstandard.compress(TEXT[44:])),
    ],
)
def test_json_lines_plain_and_compressed(tmp_path: Path, name: str, data: bytes):
    assert rows(write(tmp_path / name, data)) == LINES


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_csv_plain_and_compressed(tmp_path: Path, suffix: str):
    data = b"a,b\n1,2\n3,4\n"
    packed = {"": data, ".gz": gzip.compress(data), ".zst": zstandard.compress(data)}[suffix]
    found = rows(write(tmp_path / f"e.csv{suffix}", packed))
    assert [(row["a"], row["b"]) for row in found] == [(b"1", b"2"), (b"3", b"4")]


def test_plain_lines_are_cut_into_tasks_that_cover_each_line_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = write(tmp_path / "e.jsonl", TEXT)
    monkeypatch.setattr(sources, "TASK_BYTES", 1000)
    tasks = plan_reads([str(path)])
    assert len(tasks) == -(-len(TEXT) // 1000)
    assert (tasks[0].start, tasks[0].stop, tasks[-1].stop) == (0, 1000, len(TEXT))
    assert rows(path) == LINES


def test_parquet_is_cut_by_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pq.write_table(TABLE, tmp_path / "e.parquet", row_group_size=100)
    monkeypatch.setattr(sources, "TASK_ROWS", 250)
    tasks = plan_reads([str(tmp_path / "e.parquet")])
    assert [(task.start, task.stop) for task in tasks] == [(0, 2), (2, 4), (4, 6), (6, 8), (8, 10)]
    assert rows(tmp_path / "e.parquet") == TABLE.to_pylist()


def test_of_parquet_only_the_columns_asked_for_are_read(tmp_path: Path):
    pq.write_table(TABLE, tmp_path / "e.parquet")
    (task,) = plan_reads([str(tmp_path / "e.parquet")])
    (chunk,) = read_chunks(task, ["text", "absent"])
    assert chunk.column_names == ["text"]


def test_text_that_repeats_stays_dictionary_encoded(tmp_path: Path):
    columns = {"url": ["/a", "/b"] * 500, "event": [b"raw"] * 1000, "source": range(1000), "context": ["{}"] * 1000}
    pq.write_table(pa.table(columns), tmp_path / "e.parquet")
    (task,) = plan_reads([str(tmp_path / "e.parquet")])
    (chunk,) = read_chunks(task)
    assert [pa.types.is_dictionary(field.type) for field in chunk.schema] == [True, False, False, False]
    assert chunk.column("url").to_pylist() == columns["url"]


def test_large_rows_come_in_small_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sources, "CHUNK_BYTES", 1 << 20)
    wide = pa.table({"text": [f"{i:05d}" * 200 for i in range(10_000)]})
    pq.write_table(wide, tmp_path / "e.parquet", use_dictionary=False)
    (task,) = plan_reads([str(tmp_path / "e.parquet")])
    sizes = [chunk.num_rows for chunk in read_chunks(task)]
    assert sum(sizes) == 10_000
    assert max(sizes) <= 4 * (1 << 20) // 1000


def test_patterns_folders_and_names(tmp_path: Path):
    for name in ("b.jsonl", "a.jsonl", "sub/c.jsonl", "_SUCCESS", ".hidden.jsonl"):
        write(tmp_path / name, TEXT)
    both = [str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl")]
    assert [task.path for task in plan_reads([f"{tmp_path}/*.jsonl"])] == both
    assert [task.path for task in plan_reads([both[1], both[0], both[0]])] == both
    assert [task.path for task in plan_reads([str(tmp_path)])] == [*both, str(tmp_path / "sub/c.jsonl")]
    assert plan_reads([f"file://{both[0]}"])[0].path.endswith("a.jsonl")
    assert rows(write(tmp_path / "log.txt", TEXT), format="jsonl") == LINES


def test_empty_files_among_others_are_no_work(tmp_path: Path):
    write(tmp_path / "a.jsonl", b"")
    write(tmp_path / "b.jsonl", TEXT)
    assert [task.path for task in plan_reads([str(tmp_path)])] == [str(tmp_path / "b.jsonl")]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (
            "https://shop.example/e.jsonl",
            "https://shop.example/e.jsonl: cannot read from there; expected a local path,",
        ),
        ("simplecache::gs://b/e.jsonl", "cannot read from there; expected a local path, a gs:// URL or bq://"),
        ("{0}/nothing-*.jsonl", "nothing-\\*.jsonl: no such file, and no file matches it; check the path"),
        ("{0}/notes.txt", "notes.txt: cannot tell the format by the name; expected .parquet, .jsonl or .csv .* or say"),
        ("{0}/e.parquet.gz", "e.parquet.gz: cannot tell the format by the name"),
        ("{0}/empty.jsonl", "empty.jsonl: 1 file, all empty; expected at least one event"),
        ("{0}/norows.parquet", "norows.parquet: 1 file, all empty; expected at least one event"),
        (
            "{0}/broken.parquet",
            "broken.parquet: cannot be read \\(.*\\); it is corrupt, truncated or not what its name sa",
        ),
        ("{0}/zero.parquet", "zero.parquet: cannot be read"),
    ],
)
def test_what_cannot_be_planned_is_named_with_a_remedy(tmp_path: Path, pattern: str, message: str):
    write(tmp_path / "notes.txt", b"x")
    write(tmp_path / "e.parquet.gz", b"x")
    write(tmp_path / "empty.jsonl", b"")
    write(tmp_path / "zero.parquet", b"")
    pq.write_table(TABLE.slice(0, 0), tmp_path / "norows.parquet")
    pq.write_table(TABLE, tmp_path / "whole.parquet")
    write(tmp_path / "broken.parquet", (tmp_path / "whole.parquet").read_bytes()[:-9])
    with pytest.raises(SourceError, match=message) as caught:
        plan_reads([pattern.format(tmp_path)])
    assert "\n" not in str(caught.value)


def test_no_patterns_and_no_such_format_are_refused(tmp_path: Path):
    with pytest.raises(SourceError, match="no event files given; name a file, a folder or a pattern"):
        plan_reads([])
    with pytest.raises(SourceError, match="no format 'xml'; expected one of parquet, jsonl, csv"):
        plan_reads([str(tmp_path)], "xml")


ZIPPED, PACKED = gzip.compress(TEXT), zstandard.ZstdCompressor(write_checksum=True).compress(TEXT)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("e.jsonl.gz", ZIPPED[:-20]),
        ("e.jsonl.gz", ZIPPED[:-1]),
        ("e.jsonl.gz", ZIPPED[:40] + b"\0\0\0" + ZIPPED[43:]),
        ("e.jsonl.gz", TEXT),
        ("e.jsonl.gz", ZIPPED + b"rubbish after the end"),
        ("e.csv.gz", ZIPPED[:-20]),
        ("e.jsonl.zst", PACKED[:-5]),
        ("e.jsonl.zst", TEXT),
        ("e.jsonl.zst", PACKED[:-1] + bytes([PACKED[-1] ^ 1])),
    ],
)
def test_a_corrupt_or_truncated_file_is_one_clear_line(tmp_path: Path, name: str, data: bytes):
    path = write(tmp_path / name, data)
    with pytest.raises(SourceError, match=f"{name}: cannot be read .*; it is corrupt, truncated or not what") as caught:
        rows(path)
    assert "\n" not in str(caught.value)


def test_parquet_with_corrupt_pages_is_one_clear_line(tmp_path: Path):
    path = tmp_path / "e.parquet"
    pq.write_table(TABLE, path, compression="zstd", use_dictionary=False)
    data = bytearray(path.read_bytes())
    data[20:200] = bytes(180)
    write(path, bytes(data))
    with pytest.raises(SourceError, match="e.parquet: cannot be read"):
        rows(path)


def test_a_file_that_went_away_is_named(tmp_path: Path):
    task = ReadTask(str(tmp_path / "gone.jsonl"), "jsonl")
    with pytest.raises(SourceError, match="gone.jsonl: no such file; check the path"):
        list(read_chunks(task))


def test_a_row_group_that_would_take_all_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pq.write_table(TABLE, tmp_path / "e.parquet")
    monkeypatch.setattr(sources, "MAX_ROW_GROUP_BYTES", 1 << 10)
    with pytest.raises(
        SourceError, match="e.parquet: row group 0 unfolds to 0.0 GiB, more than 0; write the file again wi"
    ):
        plan_reads([str(tmp_path / "e.parquet")])


@pytest.mark.parametrize("name", ["bomb.jsonl.gz", "bomb.csv.gz"])
def test_a_compressed_file_that_unfolds_to_one_line_is_one_dead_letter(tmp_path: Path, name: str):
    head = b"user_id,timestamp,event,item_id\n" if "csv" in name else b""
    path = write(tmp_path / name, gzip.compress(head + b"x" * (64 << 20), 1))
    before = pa.total_allocated_bytes()
    adapter = get_adapter(str(Path(__file__).parents[2] / "examples" / "retailrocket.toml") if head else "segment")
    (task,) = plan_reads([str(path)])
    (chunk,) = read_chunks(task)
    adapted = adapter.adapt(chunk, task.path)
    assert adapted.rejected.column("reason").to_pylist() == ["too_large"]
    assert len(adapted.rejected.column("row")[0].as_py()) == 32 * 1024
    assert pa.total_allocated_bytes() - before < 8 << 20


def test_sources_on_cloud_storage(tmp_path: Path, new_bucket: Callable[[str], str]):
    import fsspec

    bucket = new_bucket("sources-test")
    pq.write_table(TABLE, tmp_path / "e.parquet")
    files = {"a.jsonl": TEXT, "b.jsonl.gz": gzip.compress(TEXT), "c.parquet": (tmp_path / "e.parquet").read_bytes()}
    for name, data in files.items():
        with fsspec.open(f"{bucket}/events/{name}", "wb") as file:
            file.write(data)
    tasks = plan_reads([f"{bucket}/events/*"])
    assert [task.path for task in tasks] == [f"{bucket}/events/{name}" for name in files]
    assert rows(f"{bucket}/events/*.jsonl") == LINES
    assert rows(f"{bucket}/events/b.jsonl.gz") == LINES
    assert rows(f"{bucket}/events/c.parquet") == TABLE.to_pylist()
    with pytest.raises(SourceError, match="gs://sources-test/none.jsonl: no such file"):
        plan_reads([f"{bucket}/none.jsonl"])
