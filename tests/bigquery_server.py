"""A BigQuery emulator for tests: a process with the REST API, load and query jobs, and the Storage API over gRPC.

It is installed by `make emulators` into an environment of its own.
"""

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

_INSTALLED = Path(__file__).resolve().parents[1] / ".cache" / "emulators"
PROJECT = "test-proj"


@dataclass(frozen=True)
class BigQueryServer:
    """Where an emulator listens.

    Attributes:
        rest: URL of the REST API.
        storage: host and port of the Storage API.
    """

    rest: str
    storage: str

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead clients there."""
        return {"BIGQUERY_EMULATOR_HOST": self.rest, "BIGQUERY_STORAGE_EMULATOR_HOST": self.storage}


@contextmanager
def bigquery_server(folder: Path, **variables: str) -> Iterator[BigQueryServer]:
    """Runs an emulator with its data in ``folder`` until the block ends; ``STORAGE_EMULATOR_HOST`` is where it finds gs://.

    Args:
        folder: empty.
        variables: of its environment besides.
    """
    if not (_INSTALLED / ".installed").is_file():
        pytest.skip("the BigQuery emulator is not installed: run make emulators, which says why it cannot be")
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(2)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        rest, storage = (probe.getsockname()[1] for probe in probes)
    command = [_INSTALLED / "bin" / "local-bigquery", "--host", "127.0.0.1", "--port", str(rest), "--grpc-port"]
    command += [str(storage), "--project", PROJECT, "--dataset", "unused", "--data-dir", str(folder), "serve"]
    environment = {**os.environ, "HOME": str(_INSTALLED / "home"), **variables}
    environment.pop("PYTHONPATH", None)
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, cwd=folder, **pipes) as process:
        try:
            said = []
            for line in process.stderr:
                said.append(line)
                if "Uvicorn running" in line:
                    break
            else:
                pytest.fail(f"the BigQuery emulator ended before it was ready: {''.join(said)}")
            threading.Thread(target=process.stderr.read, daemon=True).start()  # what it says must not fill the pipe
            yield BigQueryServer(f"http://127.0.0.1:{rest}", f"127.0.0.1:{storage}")
        finally:
            process.kill()
