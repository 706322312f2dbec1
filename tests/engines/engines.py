"""Engines to run pipelines on: the servers behind them, and the flags that Beam takes for each."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

ROOT = Path(__file__).parents[2]
PRISM = ROOT / ".cache/bin/prism"
WORKERS = ROOT / ".cache/workers"
"""An environment of the built wheel and ``requirements/pipelines.txt``, as a worker's image has it."""

PATIENCE_SECONDS = 240.0
"""After which a job counts as one that hangs; the longest takes a twentieth of it on two idle cores."""

FLINK_JAR = "FLINK_JOB_SERVER_JAR"

needs_prism = pytest.mark.skipif(not PRISM.is_file(), reason="there is no Prism; `make prism` builds it, with Go")
needs_workers = pytest.mark.skipif(
    not (WORKERS / "bin/augury").is_file(), reason="workers have no environment; `make workers` makes it"
)

thorough = pytest.mark.skipif(os.environ.get("AUGURY_ENGINES") != "all", reason="left to `make test-prism`")


def module_command(module: str, arguments: Sequence[str], cwd: Path) -> dict:
    """Returns arguments of ``subprocess.Popen`` that run a module of the sources in another folder."""
    return {
        "args": [sys.executable, "-m", module, *arguments],
        "cwd": cwd,
        "env": {**os.environ, "PYTHONPATH": str(ROOT)},
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "text": True,
    }


def run_module(module: str, arguments: Sequence[str], cwd: Path) -> subprocess.CompletedProcess:
    """Runs a module of the sources to its end; returns what it printed and its exit code.

    Raises:
        subprocess.TimeoutExpired: it hangs.
    """
    with subprocess.Popen(**module_command(module, arguments, cwd)) as process:
        try:
            out, err = process.communicate(timeout=PATIENCE_SECONDS)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def prism_flags() -> tuple[str, ...]:
    """Flags for a Prism that the job starts and ends, with workers in the launcher's process."""
    return "--runner=PrismRunner", f"--prism_location={PRISM}"


def flink_flags() -> tuple[str, ...]:
    """Flags for a Flink that the job starts and ends, with workers in the launcher's process."""
    jar = os.environ[FLINK_JAR]
    return "--runner=FlinkRunner", f"--flink_job_server_jar={jar}", "--environment_type=LOOPBACK", "--parallelism=1"


@contextmanager
def external_workers(empty: Path) -> Iterator[tuple[str, int]]:
    """Serves workers of the environment ``WORKERS``, in an empty folder; yields their address and the server's id."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = [str(WORKERS / "bin/python"), "-m", "pipelines.external_workers"]
    process = subprocess.Popen(command, cwd=empty, env=clean, stdout=subprocess.PIPE, text=True)
    with process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip().rpartition("=")[2], process.pid
        finally:
            process.terminate()
            process.wait(PATIENCE_SECONDS)


@contextmanager
def prism_service(log: Path) -> Iterator[str]:
    """Runs Prism's job service; yields its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(PRISM), f"--job_port={port}", "--serve_http=false", "--log_kind=text"]
    with log.open("wb") as told, subprocess.Popen(command, stdout=told, stderr=subprocess.STDOUT) as process:
        try:
            with grpc.insecure_channel(f"localhost:{port}") as channel:
                grpc.channel_ready_future(channel).result(timeout=PATIENCE_SECONDS)
            yield f"localhost:{port}"
        finally:
            process.kill()


def portable_flags(service: str, workers: str) -> tuple[str, ...]:
    """Flags for a job service and external workers."""
    external = ("--environment_type=EXTERNAL", f"--environment_config={workers}")
    return "--runner=PortableRunner", f"--job_endpoint={service}", *external
