"""Engines to run pipelines on: the servers behind them, and the flags that Beam takes for each."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from benchmarks.process_tree import tree_of

ROOT = Path(__file__).parents[2]
PRISM = ROOT / ".cache/bin/prism"
WORKERS = ROOT / ".cache/workers"
"""An environment of the built wheel and ``requirements/pipelines.txt``, as a worker's image has it."""

PATIENCE_SECONDS = 240.0
"""A job counts as one that hangs when nobody has worked for so long: a busy machine only makes it last longer."""

MOST_CPU_SECONDS = 900.0
"""A job that has used more does not end either; the longest takes a thirtieth."""

TRIES = 5
"""How often a job is run whose worker Prism did not wait for."""

_LOOK_SECONDS = 5.0
_WORKING = 0.1  # processors; idle workers and Prism use a tenth of this
_STARVED = "no worker has started within the minute that Prism waits"

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

    Prism gives a worker a minute to start, and has no option for it. A job that failed because the machine was too busy
    for that has done nothing yet, and is run again.

    Raises:
        subprocess.TimeoutExpired: it hangs.
    """
    for _ in range(TRIES):
        with subprocess.Popen(**module_command(module, arguments, cwd)) as process:
            out, err = finish(process)
        if not starved(err):
            break
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def starved(told: str) -> bool:
    """Says whether a job failed because the machine was too busy to start a worker in Prism's minute."""
    return _STARVED in told


def finish(process: subprocess.Popen) -> tuple[str, str]:
    """Returns what a process prints until its end; it may take as long as anybody of this test's processes works.

    Raises:
        subprocess.TimeoutExpired: it hangs, and was killed.
    """
    first = worked = _cpu_seconds()
    looked = last = time.monotonic()
    while True:
        try:
            return process.communicate(timeout=_LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            used, now = _cpu_seconds(), time.monotonic()
            if used - worked > _WORKING * (now - looked):
                last = now
            worked, looked = used, now
            if now - last > PATIENCE_SECONDS or used - first > MOST_CPU_SECONDS:
                process.kill()
                raise
        except BaseException:
            process.kill()
            raise


def _cpu_seconds() -> float:
    """Returns the processor time of this process and all below it, those that have ended included."""
    ticks = 0
    for process in tree_of(os.getpid()):
        try:
            stat = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace")
        except OSError:  # it has ended
            continue
        ticks += sum(map(int, stat.rpartition(")")[2].split()[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


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
