"""Worker processes of a local job: real ones, forked and killed."""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest

from features.errors import AuguryError
from pipelines.launch import PipelineFailedError, PipelineOptionError, beam_options, choose_runner, run_to_end
from pipelines.worker_pool import WorkerPool, WorkerPoolError, worker_pool
from pipelines.worker_process import _tells_the_end


class RefusedError(AuguryError, ValueError):
    """Raised inside a worker."""


def meet(element: int, folder: str, processes: int) -> None:
    """Writes down who works on an element, once so many processes have one."""
    import cv2
    import pyarrow as pa

    Path(folder, f"{os.getpid()}.here").touch()
    while len(list(Path(folder).glob("*.here"))) < processes:
        time.sleep(0.01)
    Path(folder, f"{element}.done").write_text(f"{os.getpid()} {cv2.getNumThreads()} {pa.cpu_count()}")


def outlast(element: int, folder: str) -> None:
    """Writes down that an element is done; the first is not before all others are."""
    while element == 0 and len(list(Path(folder).glob("*.done"))) < 7:
        time.sleep(0.01)
    Path(folder, f"{element}.done").touch()


def refuse(element: int) -> None:
    if element == 3:
        raise RefusedError(f"element {element} cannot be; leave it out")


def stumble(element: int) -> None:
    raise ZeroDivisionError(f"of element {element}")


def die(element: int) -> None:
    if element == 3:
        os.kill(os.getpid(), signal.SIGKILL)


def run(pool: WorkerPool | None, function: Any, *arguments: Any, flags: tuple[str, ...] = ()) -> None:
    options = beam_options(flags)
    pipeline = beam.Pipeline(runner=choose_runner(options, pool), options=options)
    pipeline | beam.Create(list(range(8))) | beam.Map(function, *arguments)
    run_to_end(pipeline)


def test_every_process_works_with_one_thread_and_all_are_gone_afterwards(tmp_path: Path) -> None:
    with worker_pool(3, ("cv2",), [str(tmp_path)]) as pool:
        run(pool, meet, str(tmp_path), 3)
    done = [path.read_text().split() for path in tmp_path.glob("*.done")]
    workers = {pid for pid, _, _ in done}
    assert len(done) == 8 and len(workers) == 3 and str(os.getpid()) not in workers
    assert {(threads, arrow) for _, threads, arrow in done} == {("1", "1")}
    assert not any(Path("/proc", pid).exists() for pid in workers)


def test_who_is_free_does_what_another_would_have_to_wait_for(tmp_path: Path) -> None:
    # dealt out beforehand, elements 2, 4 and 6 would wait for the end of 0, which waits for theirs
    with worker_pool(2, (), [str(tmp_path)]) as pool:
        run(pool, outlast, str(tmp_path))
    assert len(list(tmp_path.glob("*.done"))) == 8


def test_a_default_timeout_of_sockets_is_not_the_workers(tmp_path: Path) -> None:
    """Some of Google's clients set one, and a socket with a timeout does not wait where another process reads it."""
    socket.setdefaulttimeout(60)
    try:
        with worker_pool(2) as pool:
            for name in ("first", "second"):  # the second has the process that forks workers wait
                (tmp_path / name).mkdir()
                run(pool, meet, str(tmp_path / name), 2)
                assert len(list((tmp_path / name).glob("*.done"))) == 8
    finally:
        socket.setdefaulttimeout(None)


def test_a_pool_serves_one_pipeline_after_another(tmp_path: Path) -> None:
    with worker_pool(2, (), [str(tmp_path)]) as pool:
        for name in ("first", "second"):
            (tmp_path / name).mkdir()
            run(pool, meet, str(tmp_path / name), 2)
            assert len(list((tmp_path / name).glob("*.done"))) == 8


def test_one_process_needs_no_pool() -> None:
    with worker_pool(1) as pool:
        assert pool is None


def test_a_project_error_in_a_worker_is_one_line_and_said_once(capfd: pytest.CaptureFixture[str]) -> None:
    with worker_pool(2, (__name__,), ["here"]) as pool, pytest.raises(PipelineFailedError) as caught:
        run(pool, refuse)
    assert str(caught.value) == "element 3 cannot be; leave it out"
    assert "Traceback" not in capfd.readouterr().err


def test_any_other_error_in_a_worker_keeps_its_traceback() -> None:
    with worker_pool(2, (), ["here"]) as pool, pytest.raises(RuntimeError, match="in stumble\n(.*\n)*.*of element"):
        run(pool, stumble)


# Beam's threads that read what the worker sent
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_killed_worker_ends_the_job_and_says_so() -> None:
    with worker_pool(2, (), ["here"]) as pool, pytest.raises(PipelineFailedError, match=r"worker process \d+ ended"):
        run(pool, die)


def test_a_launcher_that_is_killed_leaves_no_worker(tmp_path: Path) -> None:
    code = f"""
import sys
sys.path[:] = {sys.path!r}
from {__name__} import meet, run
from pipelines.worker_pool import worker_pool
with worker_pool(2, (), ["here"]) as pool:
    run(pool, meet, {str(tmp_path)!r}, 99)
"""
    launcher = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE)
    while len(here := list(tmp_path.glob("*.here"))) < 2:
        assert launcher.poll() is None
        time.sleep(0.01)
    launcher.kill()
    assert launcher.stderr is not None
    told = launcher.stderr.read()  # to its end: until nobody is left who holds it
    launcher.wait()
    launcher.stderr.close()
    assert b"Traceback" not in told
    assert not any(Path("/proc", path.stem).exists() for path in here)


def test_a_pool_whose_process_cannot_import_a_module_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    with worker_pool(2, ("no.such.module",), ["here"]) as pool:
        assert pool is not None
        pool.wait()
        with pytest.raises(WorkerPoolError, match="the process that starts workers is gone"):
            pool.start("worker", "localhost:1", pytest.fail)
    assert "No module named 'no'" in capfd.readouterr().err


@pytest.mark.parametrize("flag", ["--direct_num_workers=2", "--direct_running_mode=multi_processing", "--runner=Flink"])
def test_a_pool_and_flags_that_say_otherwise_are_refused(flag: str) -> None:
    with worker_pool(2, (), ["here"]) as pool, pytest.raises(PipelineOptionError, match="2 processes are of the local"):
        run(pool, refuse, flags=(flag,))


@pytest.mark.parametrize(("error", "end"), [(KeyError("bundle_750"), True), (KeyError("price"), False), (None, False)])
def test_a_bundle_that_was_put_away_at_the_end_of_a_job_is_no_error_to_log(error: Exception | None, end: bool) -> None:
    raised = (type(error), error, None) if error else None
    record = logging.LogRecord("apache_beam.runners.worker", logging.ERROR, "", 0, "x", None, raised)
    assert _tells_the_end(record) == end
