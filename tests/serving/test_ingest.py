"""Micro-batches into a real spool and a real Redis, and what happens when one of them is away."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from features.recent_rules import RecentRules
from serving import ingest
from serving.archive import Appended, SpoolArchive
from serving.catch_up import CatchUp
from serving.ingest import ACCEPTED, DUPLICATE, BusyError, Ingest, Outcome
from serving.metrics import Metrics
from serving.spool import ArchiveError
from serving.store import RecentEventsStore
from tests.real_redis import until
from tests.running_service import WRITE_KEY, running_service

AT = "2026-11-01T12:00:00.000000Z"
AT_US = 1_793_534_400_000_000


def message(name: str, visitor: str = "a1", **more: Any) -> dict[str, Any]:
    made = {"type": "track", "event": "Clicked", "anonymousId": visitor, "messageId": name, "receivedAt": AT}
    return {**made, **more}


class Watched:
    """An archive that notes what it is given, and fails or waits when told to."""

    def __init__(self, archive: SpoolArchive) -> None:
        self._archive = archive
        self.sizes: list[int] = []
        self.broken = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def append(self, stream: str, lines: Sequence[bytes], received_at_us: int) -> Appended:
        await self.gate.wait()
        if self.broken:
            raise ArchiveError("no space left")
        if stream == "events":
            self.sizes.append(len(lines))
        return await self._archive.append(stream, lines, received_at_us)

    async def check(self) -> None:
        await self._archive.check()

    async def close(self) -> None:
        await self._archive.close()


class Parts:
    """An ingest and what it writes to."""

    def __init__(self, folder: Path, url: str, **options: Any) -> None:
        self.folder = folder
        self.metrics = Metrics()
        self.archive = Watched(SpoolArchive(folder))
        self.store = RecentEventsStore(url, RecentRules(), now_us=lambda: AT_US)
        self.catch_up = CatchUp(folder / "behind")
        self.ingest = Ingest(
            archive=self.archive,
            store=self.store,
            catch_up=self.catch_up,
            metrics=self.metrics,
            now_us=lambda: AT_US,
            **options,
        )

    def names(self, stream: str = "events") -> list[str]:
        lines = [
            line for path in sorted((self.folder / stream).glob("*.jsonl")) for line in path.read_text().splitlines()
        ]
        return [json.loads(line)["messageId" if stream == "events" else "reason"] for line in lines]

    def count(self, outcome: str, reason: str = "") -> float:
        return (
            self.metrics.registry.get_sample_value("augury_events_total", {"outcome": outcome, "reason": reason}) or 0.0
        )


@asynccontextmanager
async def parts(folder: Path, url: str, **options: Any) -> AsyncIterator[Parts]:
    made = Parts(folder, url, **options)
    await made.ingest.start()
    try:
        yield made
    finally:
        made.archive.gate.set()
        await made.ingest.close()
        await made.archive.close()
        await made.store.close()


def test_what_is_accepted_is_in_both_streams_and_a_copy_is_in_neither(tmp_path: Path, redis_url: str):
    async def run() -> None:
        async with parts(tmp_path, redis_url) as made:
            sent = [
                message("1"),
                message("1"),
                message("2", context={"userAgent": "Googlebot/2.1"}),
                message("3", type="x"),
            ]
            assert await made.ingest.accept(sent, letters=[("not_json", "{")]) == [
                ACCEPTED,
                DUPLICATE,
                Outcome("dropped", "bot"),
                Outcome("rejected", "unknown_type"),
            ]
            assert await made.ingest.accept([message("1"), message("4")]) == [DUPLICATE, ACCEPTED]
            assert made.names() == ["1", "4"]
            assert sorted(made.names("rejected")) == ["not_json", "unknown_type"]
            assert len((await made.store.recent("a1")).rows) == 2
            assert (made.count("accepted"), made.count("duplicate"), made.count("dropped", "bot")) == (2, 2, 1)
            assert await made.ingest.accept([]) == []

    asyncio.run(run())


def test_what_waits_is_written_together_and_each_request_gets_its_own_answer(tmp_path: Path, redis_url: str):
    async def run() -> None:
        async with parts(tmp_path, redis_url, batch_events=10) as made:
            made.archive.gate.clear()
            first = asyncio.create_task(made.ingest.accept([message("first")]))
            await asyncio.sleep(0)
            rest = [
                asyncio.create_task(
                    made.ingest.accept([message(f"{n}-{i}", f"v{n}") for i in range(3)] + [message("first")])
                )
                for n in range(5)
            ]
            await asyncio.sleep(0)
            made.archive.gate.set()
            assert await first == [ACCEPTED]
            assert await asyncio.gather(*rest) == [[ACCEPTED] * 3 + [DUPLICATE]] * 5
            assert made.archive.sizes == [1, 6, 6, 3]  # two requests of four a batch, without their copies
            assert made.names() == ["first"] + [f"{n}-{i}" for n in range(5) for i in range(3)]

    asyncio.run(run())


def test_a_request_larger_than_a_batch_is_one_batch(tmp_path: Path, redis_url: str):
    async def run() -> None:
        async with parts(tmp_path, redis_url, batch_events=10, queue_events=5) as made:
            assert await made.ingest.accept([message(str(i)) for i in range(25)]) == [ACCEPTED] * 25

    asyncio.run(run())


def test_too_many_waiting_are_turned_away(tmp_path: Path, redis_url: str):
    async def run() -> None:
        async with parts(tmp_path, redis_url, queue_events=3) as made:
            made.archive.gate.clear()
            first = asyncio.create_task(made.ingest.accept([message("1")]))
            await asyncio.sleep(0)
            await until(lambda: made.ingest.waiting == 0, "the first being written")
            second = asyncio.create_task(made.ingest.accept([message("2"), message("3")]))
            await asyncio.sleep(0)
            with pytest.raises(BusyError, match="2 events are waiting; send these again in a second"):
                await made.ingest.accept([message("4"), message("5")])
            made.archive.gate.set()
            assert await first + await second == [ACCEPTED] * 3

    asyncio.run(run())


def test_what_is_refused_waits_like_the_rest(tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ingest, "_QUEUE_BYTES", 1000)

    async def run() -> None:
        async with parts(tmp_path, redis_url) as made:
            made.archive.gate.clear()
            letters = [("too_large", "x" * 600)]
            first = asyncio.create_task(made.ingest.accept([], letters=letters))
            await asyncio.sleep(0.1)
            second = asyncio.create_task(made.ingest.accept([], letters=letters))
            await asyncio.sleep(0)
            with pytest.raises(BusyError):
                await asyncio.wait_for(made.ingest.accept([], letters=letters), 5)
            made.archive.gate.set()
            assert await first + await second == []
            assert made.names("rejected") == ["too_large"] * 2

    asyncio.run(run())


def test_nothing_is_acknowledged_that_is_not_archived(tmp_path: Path, redis_url: str):
    async def run() -> None:
        async with parts(tmp_path, redis_url) as made:
            made.archive.broken = True
            with pytest.raises(ArchiveError, match="events cannot be stored now; send them again later"):
                await made.ingest.accept([message("1")])
            assert made.count("accepted") == 0
            assert (await made.store.recent("a1")).rows == []
            made.archive.broken = False
            assert await made.ingest.accept([message("1")]) == [ACCEPTED]

    asyncio.run(run())


def test_while_the_store_is_away_the_archive_goes_on_and_the_store_catches_up(
    tmp_path: Path, new_redis: Callable[..., Any]
):
    server = new_redis()

    async def run() -> None:
        async with parts(tmp_path, server.url) as made:
            await made.ingest.accept([message("1")])
            server.kill()
            assert await made.ingest.accept([message("2"), message("2")]) == [ACCEPTED, DUPLICATE]
            assert await made.ingest.accept([message("1")]) == [ACCEPTED]  # nobody can tell; the archive will
            assert made.names() == ["1", "2", "1"]
            assert made.catch_up.pending == 1
            server.start()
            await until(lambda: made.store.available, "the store's return")
            assert await made.catch_up.replay(made.store) == 3
            assert len((await made.store.recent("a1")).rows) == 2
            assert await made.ingest.accept([message("2")]) == [DUPLICATE]

    asyncio.run(run())


def test_a_defect_in_one_request_does_not_reach_the_others(tmp_path: Path, redis_url: str):
    async def run() -> None:
        async with parts(tmp_path, redis_url) as made:
            made.archive.gate.clear()
            first = asyncio.create_task(made.ingest.accept([message("1")]))
            await asyncio.sleep(0)
            bad = asyncio.create_task(made.ingest.accept([None]))  # what no end-point hands over
            good = asyncio.create_task(made.ingest.accept([message("2")]))
            await asyncio.sleep(0)
            made.archive.gate.set()
            assert await first == await good == [ACCEPTED]
            with pytest.raises(AttributeError):
                await bad

    asyncio.run(run())


def test_closing_writes_what_waits_and_takes_no_more(tmp_path: Path, redis_url: str):
    async def run() -> None:
        async with parts(tmp_path, redis_url) as made:
            waiting = [asyncio.create_task(made.ingest.accept([message(str(i))])) for i in range(5)]
            await asyncio.sleep(0)
            await made.ingest.close()
            assert await asyncio.gather(*waiting) == [[ACCEPTED]] * 5
            with pytest.raises(ArchiveError, match="the service is shutting down; send the events again"):
                await made.ingest.accept([message("late")])

    asyncio.run(run())


def test_a_full_disk_is_a_503_and_what_was_acknowledged_is_there(tiny_disk: Path, redis_url: str):
    settings = {"REDIS_URL": redis_url}
    with running_service(tiny_disk, settings) as service, service.client() as client:
        acknowledged = []
        for number in range(100):
            body = {"event": "x", "anonymousId": "a", "messageId": str(number), "properties": {"x": "y" * 5000}}
            response = client.post("/v1/track", json=body)
            if response.status_code != 200:
                break
            acknowledged.append(str(number))
        assert (response.status_code, response.json()["error"]) == (503, "archive_unavailable")
        assert response.headers["retry-after"] == "5"
        assert [json.loads(line)["messageId"] for line in service.archived()] == acknowledged
        with pytest.raises(OSError, match="No space left"):  # an event did not fit; now not even a byte does
            (tiny_disk / "filler").write_bytes(b"x" * 65_536)
        assert client.get("/readyz").json()["missing"] == ["archive"]
        assert WRITE_KEY not in "".join(service.lines)
