"""The service as a benchmark runs it: the real command, its own embedded store, a state folder that is thrown away."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

WRITE_KEY = "benchmark-write-key"
ADMIN_KEY = "benchmark-admin-key"

PEER_STORE, PEER_MODEL = "AUGURY_BENCH_STORE", "AUGURY_BENCH_MODEL"
"""Where the environment tells a peer of the service which fast store and which model's folder to use."""

_READY_SECONDS = 60.0


class ServiceError(RuntimeError):
    """A service that did not start or ended before it was told to."""


class Service:
    """``augury serve`` as a process group of its own.

    Attributes:
        port: where it listens, on 127.0.0.1.
        state: its state folder.
        process: id of its supervisor.
    """

    def __init__(self, state: Path, settings: Mapping[str, str]) -> None:
        self.port = free_port()
        self.state = state
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AUGURY_")}
        environment |= {
            "AUGURY_HOST": "127.0.0.1",
            "AUGURY_PORT": str(self.port),
            "AUGURY_STATE_DIR": str(state),
            "AUGURY_WRITE_KEYS": WRITE_KEY,
            "AUGURY_ADMIN_KEYS": ADMIN_KEY,
            "AUGURY_LOG_LEVEL": "warning",
            **settings,
        }
        command = [sys.executable, "-m", "augury.cli", "serve"]
        self._process = subprocess.Popen(command, env=environment, start_new_session=True)
        self.process = self._process.pid

    def wait_until_ready(self) -> None:
        """Returns when ``/readyz`` answers 200.

        Raises:
            ServiceError: it does not within a minute.
        """
        until = time.monotonic() + _READY_SECONDS
        while time.monotonic() < until:
            if self._process.poll() is not None:
                raise ServiceError(f"augury serve exited with {self._process.returncode} before it was ready")
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=1):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.02)
        self.kill()
        raise ServiceError(f"augury serve was not ready within {_READY_SECONDS:g} s")

    def stop(self) -> None:
        """Ends it as an operator would, and waits.

        Raises:
            ServiceError: it ended with an error.
        """
        self._process.send_signal(signal.SIGTERM)
        if self._process.wait(60):
            raise ServiceError(f"augury serve ended with {self._process.returncode} when told to stop")

    def kill(self) -> None:
        """Ends every process of it, the embedded store's included, with no chance to tidy up."""
        for process in [self._process.pid, *_descendants(self._process.pid)]:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._process.wait()


@contextmanager
def running(settings: Mapping[str, str]) -> Iterator[Service]:
    """Yields a ready service in a temporary state folder."""
    with tempfile.TemporaryDirectory(prefix="augury-bench-") as folder:
        service = Service(Path(folder), settings)
        try:
            service.wait_until_ready()
            yield service
            service.stop()
        except BaseException:
            service.kill()
            raise


def _descendants(process: int) -> list[int]:
    """Returns the processes that a process started, and those that they started."""
    try:
        threads = list(Path(f"/proc/{process}/task").iterdir())
        children = [int(child) for thread in threads for child in (thread / "children").read_text().split()]
    except FileNotFoundError:  # it has just ended
        return []
    return [each for child in children for each in (child, *_descendants(child))]


def free_port() -> int:
    """Returns a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
