"""Runs a command and watches how much memory all its processes take together."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.processes import Run, SideFailedError

_EVERY_SECONDS = 0.1


def run_tree(module: str, arguments: Sequence[str]) -> Run:
    """Runs ``python -m module arguments`` to its end; its peak is that of the whole tree of processes.

    The tree is looked at ten times a second; memory that processes share is counted once (``Pss`` of
    ``/proc/<pid>/smaps_rollup``).

    Raises:
        SideFailedError: it exited with an error.
    """
    command = [sys.executable, "-m", module, *arguments]
    began = time.perf_counter()
    process = subprocess.Popen(command)
    peak_kb = 0
    while process.poll() is None:
        peak_kb = max(peak_kb, sum(map(_pss_kb, tree_of(process.pid))))
        time.sleep(_EVERY_SECONDS)
    if process.returncode:
        raise SideFailedError(f"{' '.join(command)} exited with {process.returncode}")
    return Run(time.perf_counter() - began, peak_kb * 1024 / 1e9)


def tree_of(root: int) -> list[int]:
    """Returns the ids of a process and all its descendants, itself first."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                stat = Path(f"/proc/{name}/stat").read_text(encoding="ascii", errors="replace")
            except OSError:  # it has ended
                continue
            children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(name))
    found, todo = [], [root]
    while todo:
        found.append(todo.pop())
        todo += children.get(found[-1], [])
    return found


def _pss_kb(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:  # it has ended
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
