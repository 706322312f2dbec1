"""The examples pipeline against a row-at-a-time one and against a script without Beam: ``make bench-examples``."""

import argparse
import shutil
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from augury.simulator import Simulation, SimulationOptions, simulate
from augury.simulator_trouble import Trouble
from benchmarks.examples_equal import require_equal
from benchmarks.figures import Figure, write_results
from benchmarks.processes import Run, run_side

EVENTS_PER_VISITOR = 11.2
"""About what a simulated visitor leaves, trouble included; the exact number of events is counted."""

BEAM, ARROW, ROWWISE = (f"benchmarks.examples_{side}" for side in ("beam", "arrow", "rowwise"))


def main() -> None:
    """Measures every figure of the examples pipeline and writes ``benchmarks/results/examples.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scratch", help="folder for events and examples, a few GB; a temporary one by default")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each quick side; medians are taken")
    given = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="augury-bench-", dir=given.scratch))
    try:
        write_results("examples", _figures(scratch, given.rounds))
    finally:
        shutil.rmtree(scratch)


def _figures(scratch: Path, rounds: int) -> list[Figure]:
    tiny, small, large = (_simulation(scratch, events) for events in (1_000, 1_000_000, 10_000_000))
    start = _median([_run(BEAM, tiny, scratch / "start") for _ in range(rounds)])
    beam, arrow, generator, rowwise, cached = [], [], [], [], []
    for number in range(rounds):  # the sides in turn, so that a slow spell of the machine meets them all
        beam.append(_run(BEAM, small, scratch / "beam"))
        arrow.append(_run(ARROW, small, scratch / "arrow"))
        generator.append(_run(BEAM, small, scratch / "generator", "--per-session"))
        if number == 0:  # one run is enough beside a factor of this size
            rowwise.append(_run(ROWWISE, small, scratch / "rowwise"))
            cached.append(_run(ROWWISE, small, scratch / "cached", "--cached"))
    examples = require_equal(scratch / "beam", scratch / "rowwise")
    require_equal(scratch / "beam", scratch / "cached")
    require_equal(scratch / "beam", scratch / "arrow")
    require_equal(scratch / "beam", scratch / "generator")
    large_beam, large_arrow = [], []
    for _ in range(2):
        large_beam.append(_run(BEAM, large, scratch / "beam10"))
        large_arrow.append(_run(ARROW, large, scratch / "arrow10"))
    examples_large = require_equal(scratch / "beam10", scratch / "arrow10")

    events, events_large = small.counts["rows"], large.counts["rows"]
    one, ten = _median(beam), _median(large_beam)
    per_event, per_event_large = (one - start) / events, (ten - start) / events_large
    equal = f"{examples} examples equal"
    return [
        Figure(
            "examples_vs_rowwise",
            f"seconds for {events} events, row-at-a-time {_median(rowwise):.1f} over ours {one:.1f}; {equal}",
            _median(rowwise) / one,
            "ratio",
            ">= 12",
        ),
        Figure(
            "examples_vs_rowwise_cached",
            f"the same, where the row-at-a-time side remembers every string it has coded ({_median(cached):.1f} s)",
            _median(cached) / one,
            "ratio",
        ),
        Figure(
            "examples_vs_arrow_1m",
            f"seconds for {events} events, ours {one:.1f} over the script {_median(arrow):.1f}; {equal}",
            one / _median(arrow),
            "ratio",
            "<= 2",
        ),
        Figure(
            "examples_vs_arrow_10m",
            f"seconds for {events_large} events, ours {ten:.1f} over the script {_median(large_arrow):.1f}; "
            f"{examples_large} examples equal",
            ten / _median(large_arrow),
            "ratio",
            "<= 1.5",
        ),
        Figure(
            "examples_10m_peak_gb",
            f"peak memory of the pipeline at {events_large} events; the script takes "
            f"{max(run.peak_gb for run in large_arrow):.1f}",
            max(run.peak_gb for run in large_beam),
            "GB",
            "< 4",
        ),
        Figure(
            "examples_linearity",
            f"microseconds an event, start-up ({start:.1f} s) excluded: {per_event_large * 1e6:.2f} at {events_large} "
            f"events over {per_event * 1e6:.2f} at {events}",
            per_event_large / per_event,
            "ratio",
            "<= 1.2",
        ),
        Figure(
            "examples_10m_events_per_second",
            f"events a second at {events_large} events, start-up included",
            events_large / ten,
            "events/s",
        ),
        Figure(
            "custom_generator_ratio",
            f"speed with purchase one session at a time ({_median(generator):.1f} s) over vectorised ({one:.1f} s), "
            f"{events} events; {equal}",
            one / _median(generator),
            "ratio",
            ">= 0.33",
        ),
    ]


def _simulation(scratch: Path, events: int) -> Simulation:
    """Simulates Parquet events; the row-at-a-time side has no rules for malformed rows and tests, so there are none."""
    options = SimulationOptions(
        output=str(scratch / f"events-{events}"),
        visitors=max(1, round(events / EVENTS_PER_VISITOR)),
        format="parquet",
        trouble=Trouble(malformed=0.0, test_visitors=0.0),
    )
    return simulate(options)


def _run(side: str, simulation: Simulation, output: Path, *more: str) -> Run:
    shutil.rmtree(output, ignore_errors=True)
    return run_side(side, ["--events", simulation.events, "--output", str(output), *more])


def _median(runs: Sequence[Run]) -> float:
    return statistics.median(run.seconds for run in runs)


if __name__ == "__main__":
    main()
