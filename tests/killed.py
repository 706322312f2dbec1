"""Work that is killed (SIGKILL) at a chosen step: every change of names in the file system is one.

What is written but not named yet is covered by them: a kill leaves the system's memory of a file alone.
"""

import itertools
import multiprocessing
import os
import signal
from collections.abc import Callable
from typing import Any

# pyarrow looks for pandas, and fsspec for its own, when they are first used
_LOADED = ["serving.compaction", "tests.spooled", "pytest", "pandas", "fsspec.implementations.chained", "_strptime"]
_LOADED += ["augury.scraping.scrape"]
_CHANGES = ("replace", "rename", "link", "unlink", "remove", "mkdir", "rmdir")


def run_killed_at(step: int, work: Callable[..., object], *args: Any) -> bool:
    """Runs ``work`` in a process that is killed just before its ``step``-th change; says whether it came so far."""
    process = started(_run, step, work, args)
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
    return process.exitcode != 0


def started(work: Callable[..., object], *args: Any) -> multiprocessing.process.BaseProcess:
    """Returns a process that does the work; it starts in 20 ms, since what it imports is loaded once for all."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_LOADED)
    process = context.Process(target=work, args=args)
    process.start()
    return process


def _run(step: int, work: Callable[..., object], args: tuple[Any, ...]) -> None:
    counted = itertools.count(1)

    def deadly(change: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **more: Any) -> Any:
            if next(counted) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return change(*args, **more)

        return run

    for name in _CHANGES:
        setattr(os, name, deadly(getattr(os, name)))
    work(*args)
