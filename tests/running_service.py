"""A running `augury serve`, as an operator starts it: real processes, a real store, a free port.

    from tests.running_service import running_service, service  # the second is a fixture

`service` is one for each test module that imports it; `running_service` is for tests that need settings of their own,
or that kill something.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

WRITE_KEY = "test-write-key"
ADMIN_KEY = "test-admin-key"


def eventually(holds: Callable[[], object], seconds: float = 20.0) -> None:
    """Waits until something holds; for what has no event to wait for."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


@dataclass
class Service:
    """A service that runs.

    Attributes:
        url: where it listens.
        folder: its state: spool, archive and store.
        process: the supervisor.
        lines: what it wrote to standard error: log lines.
    """

    url: str
    folder: Path
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def client(self, **options: object) -> httpx.Client:
        """Returns a client that sends the write key."""
        return httpx.Client(base_url=self.url, auth=(WRITE_KEY, ""), **options)

    def admin(self) -> httpx.Client:
        """Returns a client that sends the admin key."""
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {ADMIN_KEY}"})

    def children(self, module: str = "") -> list[int]:
        """Returns the process ids of the supervisor's children, of a module such as `serving.worker` alone if given."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == self.process.pid and module in [*(path / "cmdline").read_text().split("\0"), ""]:
                    found.append(int(path.name))
        return sorted(found)

    def stop(self, number: int = signal.SIGTERM, seconds: float = 60.0) -> int:
        """Ends it and returns its exit code."""
        self.process.send_signal(number)
        return self.process.wait(seconds)

    def archived(self, stream: str = "events") -> list[bytes]:
        """Returns the lines of the spool, in the order of its files."""
        paths = sorted((self.folder / "spool" / stream).glob("*.jsonl"))
        return [line for path in paths for line in path.read_bytes().splitlines()]


@contextmanager
def running_service(folder: Path, settings: Mapping[str, str] | None = None, workers: int = 1) -> Iterator[Service]:
    """Runs `augury serve` on a free port until the block ends; without `REDIS_URL` in `settings` with its own store."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("AUGURY_")}
    environment.pop("REDIS_URL", None)
    environment |= {
        "AUGURY_WRITE_KEYS": WRITE_KEY,
        "AUGURY_ADMIN_KEYS": ADMIN_KEY,
        "AUGURY_STATE_DIR": str(folder),
        "AUGURY_WORKERS": str(workers),
        "AUGURY_PORT": "0",
        **(settings or {}),
    }
    command = [sys.executable, "-m", "augury.cli", "serve"]
    root = Path(__file__).parents[1]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, cwd=root, **pipes) as process:
        lines: list[str] = []
        reader = threading.Thread(target=lambda: lines.extend(process.stderr), daemon=True)
        reader.start()
        try:
            first = process.stdout.readline()
            if not first:
                process.wait()
                reader.join()
            assert first.startswith("serving on http://"), f"{first!r}, then {''.join(lines)}"
            yield Service(first.split()[2], folder, process, lines)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(60)
                except subprocess.TimeoutExpired:
                    process.kill()
            reader.join()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One worker with the embedded store."""
    with running_service(tmp_path_factory.mktemp("service")) as running:
        yield running
