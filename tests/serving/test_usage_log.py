"""Predictions reach the archive, a share of them by their ids, each once, and none is lost without being counted."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import orjson
import pytest
from prometheus_client import CollectorRegistry

from serving import usage_log
from serving.archive import PREDICTIONS, Appended, SpoolArchive
from serving.compaction_streams import PREDICTION_SCHEMA, read_stream
from serving.spool import ArchiveError
from serving.usage_log import UsageLog


class Held:
    """An archive that keeps lines in memory, fails while told to, and takes its time."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.fails = False

    async def append(self, stream: str, lines: Sequence[bytes], received_at_us: int) -> Appended:
        assert stream == PREDICTIONS
        await asyncio.sleep(0)
        if self.fails:
            raise ArchiveError("disk full")
        self.lines += lines
        return Appended(None)


def run(test: Callable[..., Awaitable[None]], archive: object, **options: object) -> None:
    async def body() -> None:
        log = UsageLog(archive, PREDICTIONS, **options)
        await log.start()
        try:
            await test(log)
        finally:
            await log.close()

    asyncio.run(body())


def test_lines_are_in_the_archive_when_it_closes(tmp_path: Path) -> None:
    async def body() -> None:
        archive = SpoolArchive(tmp_path)
        log = UsageLog(archive, PREDICTIONS, now_us=lambda: 1_700_000_000_000_000)
        await log.start()
        log.record("0" * 32, {"model": "m", "visitor": "ada", "probability": 0.25, "events_hash": "ff"})
        await log.close()
        await archive.close()

    asyncio.run(body())
    [path] = (tmp_path / "predictions").glob("*")
    read = read_stream(PREDICTIONS, path.read_bytes().splitlines())
    assert read.events.schema == PREDICTION_SCHEMA
    [row] = read.events.to_pylist()
    assert (row["prediction_id"], row["visitor"], row["probability"]) == ("0" * 32, "ada", 0.25)
    assert row["time_us"] == 1_700_000_000_000_000
    assert (row["events_hash"], row["other"]) == ("ff", None)


def test_a_share_is_logged_by_the_ids() -> None:
    archive, counts = Held(), CollectorRegistry()

    async def test(log: UsageLog) -> None:
        for first in ("00000000", "7fffffff", "80000000", "ffffffff"):
            log.record(first + "0" * 24, {})

    run(test, archive, share=0.5, counted_in=counts)
    assert [orjson.loads(line)["prediction_id"][:8] for line in archive.lines] == ["00000000", "7fffffff"]
    assert counts.get_sample_value("augury_logged_predictions_total", {"outcome": "left_out"}) == 2
    assert counts.get_sample_value("augury_logged_predictions_total", {"outcome": "logged"}) == 2


@pytest.mark.parametrize(("share", "logged"), [(0.0, 0), (1.0, 2)])
def test_none_and_all(share: float, logged: int) -> None:
    archive = Held()

    async def test(log: UsageLog) -> None:
        log.record("0" * 32, {})
        log.record("f" * 32, {})

    run(test, archive, share=share)
    assert len(archive.lines) == logged


def test_what_could_not_be_written_is_written_later_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_log, "_PAUSE_SECONDS", 0.001)
    archive = Held()
    archive.fails = True

    async def test(log: UsageLog) -> None:
        for number in range(5):
            log.record(f"{number:032x}", {})
        await asyncio.sleep(0.02)
        assert archive.lines == []
        archive.fails = False
        async with asyncio.timeout(10):
            while len(archive.lines) < 5:
                await asyncio.sleep(0.001)

    run(test, archive)
    assert [orjson.loads(line)["prediction_id"] for line in archive.lines] == [f"{n:032x}" for n in range(5)]


def test_what_is_lost_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_log, "_MOST_WAITING", 3)
    archive, counts = Held(), CollectorRegistry()
    archive.fails = True

    async def test(log: UsageLog) -> None:
        for _ in range(5):
            log.record("0" * 32, {})
        assert counts.get_sample_value("augury_logged_predictions_total", {"outcome": "lost"}) == 2

    run(test, archive, counted_in=counts)
    assert counts.get_sample_value("augury_logged_predictions_total", {"outcome": "lost"}) == 5
