"""Promotions asked for in the console: one at a time, each in a process of its own that all workers can look at."""

import asyncio
import fcntl
import json
import logging
import os
import secrets
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from features.errors import AuguryError
from serving.console.promoting import BUSY, LOCK, STATE
from serving.metrics import MULTIPROCESS
from serving.settings import PREFIX

_START_SECONDS = 20.0
_PAUSE_SECONDS = 0.05

_log = logging.getLogger(__name__)


class PromotionBusyError(AuguryError, RuntimeError):
    """Another promotion is under way."""


class Wanted(NamedTuple):
    """A promotion that is asked for: see ``models.registry.Registry.promote``."""

    registry: str
    family: str
    name: str
    version: str
    reason: str
    by: str


class Promotions:
    """Starts promotions and tells how the last one goes; for the tasks of one event loop.

    Args:
        folder: that all workers share.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting: set[asyncio.Task[None]] = set()
        self._processes: set[asyncio.subprocess.Process] = set()

    async def start(self, wanted: Wanted) -> str:
        """Begins a promotion; returns its id.

        Raises:
            PromotionBusyError: another one is under way, or this one cannot be started.
        """
        if self.running:
            raise PromotionBusyError("another promotion is under way; wait until it has ended")
        asked = {"id": secrets.token_hex(8), **wanted._asdict()}
        command = (sys.executable, "-m", "serving.console.promoting", str(self._folder.resolve()))
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, env=_environment()
        )
        self._processes.add(process)
        task = asyncio.create_task(self._wait(process), name="promotion")
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)
        assert process.stdin is not None
        with suppress(ConnectionError):
            process.stdin.write(json.dumps(asked).encode())
            await process.stdin.drain()
            process.stdin.close()
        async with asyncio.timeout(_START_SECONDS):
            while True:
                found = self.last()
                if found is not None and found["id"] == asked["id"]:
                    return str(asked["id"])
                if process.returncode is not None:
                    raise PromotionBusyError(
                        "another promotion is under way; wait until it has ended"
                        if process.returncode == BUSY
                        else "the promotion could not be started; the service's log says why"
                    )
                await asyncio.sleep(_PAUSE_SECONDS)

    @property
    def running(self) -> bool:
        """Whether a promotion is under way, of this worker or of another."""
        try:
            with open(self._folder / LOCK, "rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return False

    def last(self) -> dict[str, Any] | None:
        """Returns how the last promotion goes or went; None if there was none.

        ``state`` is running, promoted, refused, failed, or ended: its process was ended before it said how it went.
        """
        running = self.running  # before the file is read: what ends in between has written its end
        try:
            found: dict[str, Any] = json.loads((self._folder / STATE).read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        if found["state"] == "running" and not running:
            found["state"] = "ended"
        return found

    async def close(self) -> None:
        """Ends what this worker started; the registry is changed at once or not at all."""
        for process in self._processes:
            with suppress(ProcessLookupError):
                process.terminate()
        if self._waiting:
            await asyncio.wait(self._waiting)

    async def _wait(self, process: asyncio.subprocess.Process) -> None:
        code = await process.wait()
        self._processes.discard(process)
        if code not in (0, BUSY):
            _log.error("a promotion ended with code %d", code)


def _environment() -> dict[str, str]:
    """Returns what the process is told: none of the service's keys and settings, which the gates do not depend on."""
    ours = {name for name in os.environ if name.upper().startswith(PREFIX)} | {MULTIPROCESS, "REDIS_URL"}
    return {name: value for name, value in os.environ.items() if name not in ours}
