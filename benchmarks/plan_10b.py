"""A month of 10 billion events, on paper, from what one shard of it takes: ``make bench-plan-10b``.

Nobody here has 10 billion events or the machines. What is measured is the work of one worker process at that size: the
pieces that it packs where there are 4,096 shards, and a shard of as many pieces, events and visitors as it would have.
What is computed from it, by the formulae of ``plan_sizes``, is marked as computed.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from augury.simulator import SimulationOptions, simulate
from augury.simulator_trouble import Trouble
from benchmarks.figures import Figure, write_results
from benchmarks.plan_sizes import GB_A_VCPU, OTHER_MACHINE, VCPUS_A_WORKER, Measured, plan
from benchmarks.prices import Prices
from features.sessions import SessionRules
from pipelines.behavior_recipe import MAX_SHARDS

EVENTS = 10_000_000_000
HOURS = 4.0
"""Time that the job is given."""

_VISITORS = 224_000
"""Of the simulation: their events are as many as one of 4,096 shards has of 10 billion."""

_SIDE = "benchmarks.plan_10b_side"


def main() -> None:
    """Measures, computes, and writes ``benchmarks/results/plan-10b.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scratch", help="folder for 1 GB of events and pieces; a temporary one by default")
    given = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="augury-bench-", dir=given.scratch))
    try:
        write_results("plan-10b", _figures(scratch))
    finally:
        shutil.rmtree(scratch)


def _figures(scratch: Path) -> list[Figure]:
    made = SimulationOptions(
        output=str(scratch / "shop"), visitors=_VISITORS, format="parquet", trouble=Trouble(malformed=0.0)
    )
    events = simulate(made).events
    pieces = str(scratch / "pieces")
    split = _side("split", events, pieces, "--shards", str(MAX_SHARDS))
    output = str(scratch / "examples")
    whole = _side("shard", events, pieces, "--output", output)
    small = _side("shard", events, pieces, "--output", output, "--most", str(int(split["pieces"]) // 4))
    more = (whole["peak_gb"] - small["peak_gb"]) / (whole["events"] - small["events"]) * 1e6
    measured = Measured(
        split_seconds=(split["read_seconds"] + split["split_seconds"]) / split["rows"],
        shard_seconds=whole["busy_seconds"] / whole["events"],
        bytes_an_event=split["bytes"] / split["kept"],
        start_gb=max(whole["peak_gb"] - more * whole["events"] / 1e6, 0.0),
        gb_a_million=more,
        kept=split["kept"] / split["rows"],
    )
    cap = SessionRules().max_events
    found = plan(measured, EVENTS, max_events=cap, hours=HOURS, prices=Prices())
    worker_gb = VCPUS_A_WORKER * GB_A_VCPU
    computed = "COMPUTED from measured per-shard figures, not run: "
    return [
        Figure(
            "plan_10b",
            f"{computed}a month of {EVENTS:,} events in {found.shards:,} shards of {found.events_a_shard:,.0f} events "
            f"on average: the largest shard over the average one, bounded with a chance of 1 - 10^-6 whatever visitors "
            f"are like, if each has at most {cap:,} events; {found.workers} workers of {VCPUS_A_WORKER} vCPU for "
            f"{HOURS:g} hours, {found.memory_gb:.1f} GB a process, {found.shuffle_gb / 1000:.2f} TB shuffled, "
            f"{found.dollars:.0f} dollars",
            found.hottest,
            "ratio",
            "<= 1.25",
        ),
        Figure(
            "plan_10b_workers",
            f"{computed}workers of {VCPUS_A_WORKER} vCPU to be done within {HOURS:g} hours; {found.vcpu_hours:.0f} "
            f"vCPU hours, the measured processor time doubled for a slower machine and the runner ({OTHER_MACHINE:g})",
            found.workers,
            "workers",
        ),
        Figure(
            "plan_10b_worker_gb",
            f"{computed}memory of a worker's {VCPUS_A_WORKER} processes, each with three shards as large as the bound; "
            f"n2-highmem-4 has {worker_gb:g} GB",
            VCPUS_A_WORKER * found.memory_gb,
            "GB",
            f"<= {worker_gb:g}",
        ),
        Figure("plan_10b_shuffle_tb", f"{computed}bytes that cross the shuffle", found.shuffle_gb / 1000, "TB"),
        Figure(
            "plan_10b_dollars",
            f"{computed}workers and shuffle by the list prices of benchmarks/prices.py",
            found.dollars,
            "USD",
        ),
        *_measured(measured, split, whole, small),
    ]


def _measured(
    measured: Measured, split: dict[str, Any], whole: dict[str, Any], small: dict[str, Any]
) -> Sequence[Figure]:
    shard = (
        f"a shard of {whole['events']:,.0f} events of {whole['visitors']:,.0f} visitors, {split['pieces']:,.0f} pieces"
    )
    return [
        Figure(
            "shard_split_us",
            f"measured: processor time an event to read, clean and split {split['rows']:,.0f} rows into {MAX_SHARDS:,} "
            f"shards, every row among other visitors'; peak {split['peak_gb']:.2f} GB",
            measured.split_seconds * 1e6,
            "us",
        ),
        Figure(
            "shard_work_us",
            f"measured: processor time an event from pieces to files, {shard}; {whole['wall_seconds']:.1f} s",
            measured.shard_seconds * 1e6,
            "us",
        ),
        Figure(
            "shard_bytes_an_event",
            f"measured: bytes an event of the packed pieces, {shard}",
            measured.bytes_an_event,
            "bytes",
        ),
        Figure(
            "shard_gb_a_million",
            f"measured: memory more for a million events, from {small['events']:,.0f} to {shard} "
            f"({whole['peak_gb']:.2f} GB in all)",
            measured.gb_a_million,
            "GB",
        ),
        Figure("shard_start_gb", "measured: memory of a process before it has a shard", measured.start_gb, "GB"),
        Figure("shard_kept", "measured: share of the rows that cleaning leaves", measured.kept, "ratio"),
    ]


def _side(part: str, events: str, pieces: str, *more: str) -> dict[str, Any]:
    """Runs one part in a process of its own and returns what it printed."""
    command = [sys.executable, "-m", _SIDE, part, "--events", events, "--pieces", pieces, *more]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
