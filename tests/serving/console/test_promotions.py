"""Promotions in processes of their own: one at a time, told of by a file, and none that is lost without a word."""

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from models.registry import Registry
from serving.console.promoting import LOCK, STATE
from serving.console.promotions import PromotionBusyError, Promotions, Wanted, _environment
from tests.served_attention import artifact

GOOD = {"auc": 0.8, "cc": 0.5, "information_gain": 0.1, "nss": 1.2, "kld": 1.0}


@pytest.fixture
def wanted(tmp_path: Path) -> Wanted:
    registry = Registry(tmp_path / "registry")
    version = registry.publish(artifact(tmp_path / "model", metrics=GOOD), "attention", "page")
    return Wanted(str(tmp_path / "registry"), "attention", "page", version, "because", "Anna (console)")


async def ended(promotions: Promotions) -> dict[str, Any]:
    for _ in range(2400):
        found = promotions.last()
        if found is not None and found["state"] != "running":
            return found
        await asyncio.sleep(0.05)
    raise AssertionError("it did not end")


def test_one_at_a_time(tmp_path: Path, wanted: Wanted) -> None:
    async def run() -> None:
        promotions, another = Promotions(tmp_path / "console"), Promotions(tmp_path / "console")
        assert promotions.last() is None
        await promotions.start(wanted)
        assert another.running  # of whatever worker
        with pytest.raises(PromotionBusyError, match="another promotion is under way"):
            await another.start(wanted)
        told = await ended(another)
        assert (told["state"], told["reason"], told["by"]) == ("promoted", "because", "Anna (console)")
        assert told["gates"][-1]["detail"] == "6 of 6 predictions are identical bit for bit"
        assert Registry(wanted.registry).champion("attention", "page").version == wanted.version
        await promotions.close()

    asyncio.run(run())


def test_two_that_begin_at_once(tmp_path: Path, wanted: Wanted) -> None:
    async def run() -> None:
        both = [Promotions(tmp_path / "console") for _ in range(2)]
        found = await asyncio.gather(*(one.start(wanted) for one in both), return_exceptions=True)
        assert sum(isinstance(each, PromotionBusyError) for each in found) == 1, found
        assert (await ended(both[0]))["state"] == "promoted"
        for one in both:
            await one.close()

    asyncio.run(run())


def test_one_that_is_killed_is_told_of(tmp_path: Path, wanted: Wanted) -> None:
    async def run() -> None:
        promotions = Promotions(tmp_path / "console")
        await promotions.start(wanted)
        [process] = promotions._processes
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
        assert (await ended(promotions))["state"] == "ended"
        assert Registry(wanted.registry).champion("attention", "page") is None
        await promotions.start(wanted)  # nothing is in the way of the next
        await promotions.close()  # a worker that stops ends what it began
        assert (await ended(promotions))["state"] == "ended"

    asyncio.run(run())


def test_what_cannot_be_promoted(tmp_path: Path, wanted: Wanted) -> None:
    async def run() -> None:
        promotions = Promotions(tmp_path / "console")
        await promotions.start(wanted._replace(version="20260101T000000Z-0123456789abcdef"))
        told = await ended(promotions)
        assert told["state"] == "failed"
        assert "has no version" in told["detail"]
        await promotions.close()

    asyncio.run(run())


def test_a_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / LOCK).touch()
    (tmp_path / STATE).write_text("{")
    assert Promotions(tmp_path).last() is None
    (tmp_path / STATE).write_text(json.dumps({"id": "a", "state": "running"}))
    assert Promotions(tmp_path).last() == {"id": "a", "state": "ended"}


def test_the_process_is_told_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AUGURY_ADMIN_KEYS", "augury_write_keys", "REDIS_URL", "PROMETHEUS_MULTIPROC_DIR", "KEPT"):
        monkeypatch.setenv(name, "x")
    told = _environment()
    assert told["KEPT"] == "x"
    assert not [name for name in told if name.upper().startswith("AUGURY_")]
    assert not {"REDIS_URL", "PROMETHEUS_MULTIPROC_DIR"} & told.keys()
