"""Catching up: every marked file reaches the store, whoever marked it and whatever is compacted or away meanwhile."""

import asyncio
import fcntl
from collections import Counter
from pathlib import Path

import orjson
import pyarrow as pa
import pytest

from serving import catch_up
from serving.archive import SpoolArchive
from serving.catch_up import CatchUp
from serving.compaction import compact
from serving.spool import ArchiveError, SpoolFile
from tests.spooled import NOON_US, message, write_spool


class Store:
    """Takes events, and is away when told so."""

    def __init__(self) -> None:
        self.pushed: Counter[str] = Counter()
        self.sizes: list[int] = []
        self.away_after: int | None = None

    async def push(self, events: pa.RecordBatch) -> None:
        if self.away_after is not None and len(self.sizes) >= self.away_after:
            raise ConnectionError("away")
        self.sizes.append(events.num_rows)
        self.pushed.update(events.column("message_id").to_pylist())


def test_what_was_marked_is_pushed_once_and_forgotten(tmp_path: Path) -> None:
    marked, other = (write_spool(tmp_path, [message(i)]) for i in "12")
    late, store = CatchUp(tmp_path / "behind"), Store()
    assert (late.pending, asyncio.run(late.replay(store))) == (0, 0)
    late.mark(marked)
    late.mark(marked)
    assert late.pending == 1
    assert asyncio.run(CatchUp(tmp_path / "behind").replay(store)) == 1
    assert (store.pushed, late.pending, other.exists()) == (Counter({"1": 1}), 0, True)


def test_a_file_still_being_written_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    late, store = CatchUp(tmp_path / "behind"), Store()

    async def run() -> None:
        archive = SpoolArchive(tmp_path)
        first = await archive.append("events", [orjson.dumps(message("1"))], NOON_US)
        late.mark(first.path)
        assert await late.replay(store) == 1
        second = await archive.append("events", [orjson.dumps(message("2"))], NOON_US)
        late.mark(second.path)
        assert (first.path, await late.replay(store)) == (second.path, 2)
        await archive.close()

    asyncio.run(run())
    assert store.pushed == Counter({"1": 2, "2": 1})


def test_a_mark_set_while_its_file_is_being_replayed_is_seen_again(tmp_path: Path) -> None:
    late = CatchUp(tmp_path / "behind")
    file = SpoolFile(tmp_path / "events", NOON_US)
    file.append(orjson.dumps(message("1")) + b"\n")
    late.mark(file.path)

    class Meanwhile(Store):
        async def push(self, events: pa.RecordBatch) -> None:
            if not self.sizes:
                file.append(orjson.dumps(message("2")) + b"\n")
                late.mark(file.path)
            await super().push(events)

    store = Meanwhile()
    assert asyncio.run(late.replay(store)) == 4
    assert store.pushed == Counter({"1": 2, "2": 2})
    file.close()


def test_a_compacted_file_can_still_be_replayed(tmp_path: Path) -> None:
    late, store = CatchUp(tmp_path / "behind"), Store()
    path = write_spool(tmp_path, [message("1")])
    late.mark(path)
    compact(tmp_path, str(tmp_path / "archive"))
    assert not path.exists()
    assert (asyncio.run(late.replay(store)), store.pushed) == (1, Counter({"1": 1}))


def test_a_file_that_was_compacted_before_it_could_be_marked_leaves_what_the_store_lacks(tmp_path: Path) -> None:
    late, store = CatchUp(tmp_path / "behind"), Store()
    path = write_spool(tmp_path, [message("1"), message("2")])
    compact(tmp_path, str(tmp_path / "archive"))
    late.mark(path, [orjson.dumps(message("2"))])
    assert late.pending == 1
    assert (asyncio.run(late.replay(store)), store.pushed) == (1, Counter({"2": 1}))


def test_a_file_that_has_gone_cannot_be_marked(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"cannot note that the fast store lacks gone\.jsonl: .*no such file"):
        CatchUp(tmp_path / "behind").mark(tmp_path / "gone.jsonl")


def test_a_store_that_goes_away_again_gets_the_rest_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catch_up, "PUSH_ROWS", 2)
    late, store = CatchUp(tmp_path / "behind"), Store()
    late.mark(write_spool(tmp_path, [message(str(i)) for i in range(5)]))
    store.away_after = 2
    with pytest.raises(ConnectionError):
        asyncio.run(late.replay(store))
    assert (late.pending, store.sizes) == (1, [2, 2])
    store.away_after = None
    assert asyncio.run(late.replay(store)) == 5
    assert {*store.pushed} == {str(i) for i in range(5)}


def test_one_process_replays_at_a_time(tmp_path: Path) -> None:
    late, store = CatchUp(tmp_path / "behind"), Store()
    late.mark(write_spool(tmp_path, [message("1")]))
    with (tmp_path / "behind" / ".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert asyncio.run(late.replay(store)) == 0
    assert (asyncio.run(late.replay(store)), late.pending) == (1, 0)


def test_bad_and_torn_lines_stop_nothing(tmp_path: Path) -> None:
    late, store = CatchUp(tmp_path / "behind"), Store()
    path = write_spool(tmp_path, [b"nonsense", message("1")])
    with path.open("ab") as file:
        file.write(orjson.dumps(message("2"))[:-5])
    late.mark(path)
    assert (asyncio.run(late.replay(store)), store.pushed) == (1, Counter({"1": 1}))
