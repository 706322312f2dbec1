"""A worker that is killed in the middle of a job: the job fails, says so, soon, and leaves nothing that looks whole."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.process_tree import tree_of
from tests.engines.engines import (
    TRIES,
    external_workers,
    finish,
    module_command,
    needs_prism,
    needs_workers,
    portable_flags,
    prism_service,
    starved,
)
from tests.engines.inputs import Job, attention_job
from tests.engines.test_identical import PROCESSES

IMAGES = 400


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    return attention_job(tmp_path_factory.mktemp("many"), IMAGES)


def is_beams(process: int) -> bool:
    return b"sdk_worker_main" in Path(f"/proc/{process}/cmdline").read_bytes()


def kill_one(job: Job, folder: Path, flags: tuple[str, ...], workers: Callable[[int], list[int]]) -> str:
    """Kills one of a job's workers once the first images are read; returns what the job said last of all."""
    command = module_command(job.module, job.command(folder / "data", *flags), folder)
    for _ in range(TRIES):
        with subprocess.Popen(**command) as process:
            try:
                while (going := process.poll() is None) and not list(folder.glob(".data.*/*/*")):
                    time.sleep(0.02)
                if going:
                    os.kill(workers(process.pid)[-1], signal.SIGKILL)
                _, told = finish(process)
            except BaseException:
                process.kill()
                raise
        if going or not starved(told):
            break
    assert going, told
    assert process.returncode == 1, told
    assert not [path for path in folder.iterdir() if path.name not in ("data-dead-letter", "prism.txt", "empty")]
    [line] = [line for line in told.splitlines() if line.startswith("error: ")]
    return line


def test_one_of_our_pool(job: Job, tmp_path: Path) -> None:
    line = kill_one(job, tmp_path, ("--processes", "2"), lambda launcher: tree_of(launcher)[2:])
    assert line.startswith("error: ") and " ended before its work did; if the system killed it for want of" in line


def test_one_of_beams(job: Job, tmp_path: Path) -> None:
    line = kill_one(job, tmp_path, PROCESSES, lambda launcher: list(filter(is_beams, tree_of(launcher))))
    assert line.startswith("error: a worker process ended before its work did")


@needs_prism
@needs_workers
def test_the_external_one_of_a_job_service(job: Job, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with external_workers(tmp_path / "empty") as (address, server), prism_service(tmp_path / "prism.txt") as service:
        flags = portable_flags(service, address)
        line = kill_one(job, tmp_path, flags, lambda _: list(filter(is_beams, tree_of(server))))
    assert line.startswith("error: a worker process ended before its work did")
