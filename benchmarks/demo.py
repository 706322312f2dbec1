"""How long ``make demo`` takes once it is installed: ``make bench-demo``."""

import tempfile
from pathlib import Path

from benchmarks.figures import Figure, write_results
from benchmarks.processes import run_side


def main() -> None:
    """Runs the demo once in a temporary folder and writes ``benchmarks/results/demo.json``."""
    with tempfile.TemporaryDirectory(prefix="augury-bench-") as folder:
        run = run_side("augury.cli", ["demo", "--output", str(Path(folder, "demo"))])
    what = f"seconds from nothing to a promoted version, installed; peak memory of its own process {run.peak_gb:.1f} GB"
    write_results("demo", [Figure("demo_seconds", what, run.seconds, "s", "< 300")])


if __name__ == "__main__":
    main()
