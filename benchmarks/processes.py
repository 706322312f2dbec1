"""Runs one side of a comparison as a process of its own and asks the operating system what it took."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Run:
    """One finished process: wall-clock seconds, start-up included, and the peak of its resident memory in GB (10^9)."""

    seconds: float
    peak_gb: float


class SideFailedError(RuntimeError):
    """One side of a comparison exited with an error."""


def run_side(module: str, arguments: Sequence[str]) -> Run:
    """Runs ``python -m module arguments`` to its end.

    Raises:
        SideFailedError: it exited with an error.
    """
    command = [sys.executable, "-m", module, *arguments]
    began = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SideFailedError(f"{' '.join(command)} exited with {process.returncode}")
    return Run(seconds, usage.ru_maxrss * 1024 / 1e9)
