"""The examples pipeline against a row-at-a-time pipeline and against a script without Beam: ``make bench-examples``."""

import argparse
import shutil
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path

from augury.simulator import SimulationOptions, simulate
from benchmarks.examples_equal import require_equal
from benchmarks.figures import Figure, write_results
from benchmarks.processes import Run, run_side

MILLION = 1_000_000


def main() -> None:
    """Measures every figure of the examples pipeline and writes ``benchmarks/results/examples.json``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--scratch", help="folder for events and examples, several GB; a temporary one by default")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side at 1 M events; medians are taken")
    given = parser.parse_args()
    scratch = Path(given.scratch or tempfile.mkdtemp(prefix="augury-bench-"))
    try:
        write_results("examples", _figures(scratch, given.rounds))
    finally:
        if not given.scratch:
            shutil.rmtree(scratch)


def _figures(scratch: Path, rounds: int) -> list[Figure]:
    small, large = _events(scratch, MILLION), _events(scratch, 10 * MILLION)
    sides = {"beam": [], "arrow": [], "rowwise": [], "generator": []}  # type: dict[str, list[Run]]
    for number in range(rounds):
        sides["beam"].append(_side("benchmarks.examples_beam", small, scratch / "beam"))
        sides["arrow"].append(_side("benchmarks.examples_arrow", small, scratch / "arrow"))
        sides["generator"].append(
            _side("benchmarks.examples_beam", small, scratch / "generator", "--generator", "purchase_per_session")
        )
        if number == 0:  # half a minute or more a run: one is enough beside a factor of this size
            sides["rowwise"].append(_side("benchmarks.examples_rowwise", small, scratch / "rowwise"))
    same = require_equal(scratch / "beam", scratch / "rowwise")
    require_equal(scratch / "beam", scratch / "arrow")
    require_equal(scratch / "beam", scratch / "generator")
    large_beam = _side("benchmarks.examples_beam", large, scratch / "beam-10m")
    large_arrow = _side("benchmarks.examples_arrow", large, scratch / "arrow-10m")
    same_large = require_equal(scratch / "beam-10m", scratch / "arrow-10m")
    nothing = _side("benchmarks.examples_beam", _events(scratch, 1000), scratch / "beam-start")
