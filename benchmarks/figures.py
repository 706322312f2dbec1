"""Figures of benchmarks: what was measured, against what, where and by which command."""

import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.machinery import ModuleSpec
from pathlib import Path

import orjson

RESULTS = Path(__file__).parent / "results"
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": lambda value, limit: value <= limit,
    ">=": lambda value, limit: value >= limit,
    "<": lambda value, limit: value < limit,
    "==": lambda value, limit: value == limit,
}


@dataclass(frozen=True)
class Figure:
    """One measured figure.

    Attributes:
        id: the figure's name in the tables of what is to be reached.
        figure: what was measured, in words, with the numbers behind it.
        value: the measurement.
        unit: its unit; "ratio" for a quotient.
        reach: an operator and a limit such as ``">= 12"``, or "" for a figure that is only reported.
    """

    id: str
    figure: str
    value: float
    unit: str
    reach: str = ""

    @property
    def holds(self) -> bool | None:
        """Whether the value is within reach; None where there is nothing to reach."""
        if not self.reach:
            return None
        operator, limit = self.reach.split()
        return _OPERATORS[operator](self.value, float(limit))


def write_results(name: str, figures: Sequence[Figure]) -> Path:
    """Writes ``benchmarks/results/<name>.json`` and prints one line a figure."""
    around = {
        "command": command_of(sys.modules["__main__"].__spec__, sys.argv[1:]),
        "commit": _commit(),
        "machine": _machine(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }
    rows = [{**asdict(figure), "holds": figure.holds, **around} for figure in figures]
    path = RESULTS / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(orjson.dumps(rows, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    for row in rows:
        print(f"{row['id']}: {row['value']:.4g} {row['unit']} (reach {row['reach'] or '-'}; holds {row['holds']})")
    return path


def command_of(module: ModuleSpec | None, arguments: Sequence[str]) -> str:
    """Returns the command that is running, in the words of the Makefile where these say all; of paths the last part."""
    if module is None:
        raise RuntimeError("a benchmark is run as a module: make bench-NAME, or python -m benchmarks.NAME")
    if not arguments:
        return f"make bench-{module.name.rpartition('.')[2].replace('_', '-')}"
    return shlex.join(["python", "-m", module.name, *map(_shown, arguments)])


def _shown(argument: str) -> str:
    flag, _, value = argument.rpartition("=")
    last = value.rstrip("/").rpartition("/")[2]
    return f"{flag}={last}" if flag else last


def _commit() -> str:
    root = Path(__file__).parent.parent
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=root, capture_output=True, text=True, check=True
    )
    changed = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=no", "--", ".", ":!benchmarks/results"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    return commit.stdout.strip() + ("+changes" if changed.stdout.strip() else "")


def _machine() -> str:
    with open("/proc/meminfo", encoding="ascii") as file:
        memory_kb = int(file.readline().split()[1])
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    cores = len(os.sched_getaffinity(0))
    return (
        f"{cores} cores of {model}, {memory_kb / 2**20:.0f} GB, {platform.system()}, Python {platform.python_version()}"
    )
