"""Our BigQuery source against Beam's own, on one table of the emulator: ``make bench-bq-source``.

All sides are pipelines on the same runner in the same process, in turn, and read the same columns. The figure to reach
is of canonical events, checked and adapted, on both sides: those of our source, and those made of the dictionaries that
Beam's gives, in batches, as a query with ``?by=beam`` has them made. A second figure is of our events over Beam's
dictionaries, which nobody has looked at yet.

The emulator is taken as it comes. It works on the same processors, and sends messages of forty megabytes (BigQuery's
have ten at most), for each of which it asks the system for memory and gives it back. What that does to the second
figure is told by a third, with an emulator that the C library's settings let keep its memory: this speeds up our source
far more than Beam's, which leaves it idle for longer, so it is reported and nothing more.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from augury.simulator import SimulationOptions, simulate
from augury.simulator_trouble import Trouble
from benchmarks.figures import Figure, write_results
from features.canonical import CanonicalAdapter
from features.events import EVENT_SCHEMA
from tests.bigquery_server import PROJECT, bigquery_server
from tests.fake_credentials import fake_credentials

_EVENTS_PER_VISITOR = 11.2
_TABLE = f"{PROJECT}.shop.events"
_KEEPS_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 32),
    "MALLOC_TOP_PAD_": str(1 << 28),
}


def main() -> None:
    """Measures both sides and writes ``benchmarks/results/bq-source.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="augury-bench-") as name:
        folder = Path(name)
        os.environ.update(fake_credentials(folder))
        rows = _simulate(folder, given.events)
        plain = _measured(folder, rows, given.rounds, ("ours", "events", "arrow", "avro"), {})
        keeping = _measured(folder, rows, given.rounds, ("ours", "arrow"), _KEEPS_MEMORY)
    dictionaries = {name: taken for name, taken in plain.items() if name != "events"}
    events = {name: taken for name, taken in plain.items() if name in ("ours", "events")}
    write_results(
        "bq-source",
        [
            _figure("bq_source_vs_beam", "wall", rows, events, "on the clock", ">= 5"),
            _figure("bq_source_vs_beam_dictionaries", "wall", rows, dictionaries, "on the clock"),
            _figure("bq_source_vs_beam_dictionaries_cpu", "cpu", rows, dictionaries, "of the reading process's CPU"),
            _figure(
                "bq_source_vs_beam_dictionaries_tuned",
                "wall",
                rows,
                keeping,
                "on the clock, an emulator tuned to keep its memory",
            ),
        ],
    )


@dataclass(frozen=True)
class _Taken:
    """Seconds of one reading: on the clock, and of this process's processors; the emulator is another process."""

    wall: float
    cpu: float


def _measured(
    folder: Path, rows: int, rounds: int, names: tuple[str, ...], variables: dict[str, str]
) -> dict[str, list[_Taken]]:
    """Fills an emulator's table and reads it by the sides in turn, so that a slow spell meets them all."""
    sides: dict[str, Callable[[Path], int]] = {
        "ours": _ours,
        "events": lambda scratch: _beams(True, events=True),
        "arrow": lambda scratch: _beams(True),
        "avro": lambda scratch: _beams(False),
    }
    taken: dict[str, list[_Taken]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory(dir=folder) as data, bigquery_server(Path(data), **variables) as server:
        os.environ.update(server.environment)
        _fill(folder, rows)
        for number in range(rounds):
            for name in names:
                if name != "avro" or number == 0:  # far slower than Arrow: once is enough to tell
                    taken[name].append(_measure(sides[name], folder, rows))
    return taken


def _figure(id: str, measure: str, rows: int, taken: dict[str, list[_Taken]], meaning: str, reach: str = "") -> Figure:
    a_second = {
        side: rows / statistics.median(getattr(each, measure) for each in each_round)
        for side, each_round in taken.items()
    }
    ours = a_second.pop("ours")
    best = max(a_second, key=lambda side: a_second[side])
    others = "".join(
        f", with {side} {number:,.0f} (median of {len(taken[side])})"
        for side, number in a_second.items()
        if side != best
    )
    made = "canonical events too" if best == "events" else f"dictionaries, with {best}"
    text = (
        f"events per second {meaning}: {rows} events, canonical ones by our source {ours:,.0f} over "
        f"ReadFromBigQuery(DIRECT_READ), {made}, {a_second[best]:,.0f} (median of {len(taken[best])}){others}; ours a "
        f"median of {len(taken['ours'])}"
    )
    return Figure(id, text, ours / a_second[best], "ratio", reach)


def _measure(side: Callable[[Path], int], folder: Path, rows: int) -> _Taken:
    began, used = time.perf_counter(), time.process_time()
    read = side(folder)
    taken = _Taken(time.perf_counter() - began, time.process_time() - used)
    if read != rows:
        raise RuntimeError(f"{read} of {rows} events were read")
    return taken


def _simulate(folder: Path, events: int) -> int:
    """Makes events below ``folder``; returns how many."""
    options = SimulationOptions(
        visitors=round(events / _EVENTS_PER_VISITOR),
        output=str(folder / "shop"),
        format="parquet",
        trouble=Trouble(malformed=0.0),
    )
    return int(simulate(options).counts["rows"])


def _fill(folder: Path, rows: int) -> None:
    """Makes the table of the simulated events."""
    from google.cloud import bigquery

    with bigquery.Client(project=PROJECT) as client:
        client.create_dataset("shop")
        appending = bigquery.LoadJobConfig(source_format="PARQUET", write_disposition="WRITE_APPEND")
        for path in sorted((folder / "shop" / "events").glob("*.parquet")):
            with path.open("rb") as file:
                client.load_table_from_file(file, _TABLE, job_config=appending).result()
        found = client.get_table(_TABLE)
        if not set(CanonicalAdapter().columns(())) <= {field.name for field in found.schema}:
            raise RuntimeError(f"the table lacks columns: {found.schema}")
        if found.num_rows != rows:
            raise RuntimeError(f"{found.num_rows} of {rows} events are in the table")


def _ours(folder: Path) -> int:
    import apache_beam as beam

    from transforms.bigquery_streams import open_streams
    from transforms.read_events import ReadEvents
    from transforms.sources import plan_reads

    adapter = CanonicalAdapter()
    tasks = open_streams(plan_reads([f"bq://{_TABLE}"]), adapter.columns(tuple(EVENT_SCHEMA.names)))
    letters = str(folder / "letters")
    return _count(
        lambda pipeline: (
            (pipeline | "ReadEvents" >> ReadEvents(tasks, adapter, EVENT_SCHEMA.names, letters)).events
            | "CountRows" >> beam.Map(lambda batch: batch.num_rows)
        )
    )


def _beams(arrow: bool, events: bool = False) -> int:
    import apache_beam as beam
    from apache_beam.io.gcp.bigquery import ReadFromBigQuery

    from tests.beam_emulators import install
    from transforms.query_rows import RowsToTables

    install()  # leads Beam's clients to the emulator of now
    adapter = CanonicalAdapter()

    def counted(pipeline: beam.Pipeline) -> object:
        rows = pipeline | "ReadRows" >> ReadFromBigQuery(
            table=_TABLE.replace(".", ":", 1),
            method=ReadFromBigQuery.Method.DIRECT_READ,
            selected_fields=EVENT_SCHEMA.names,
            use_native_datetime=arrow,
        )
        if not events:
            return rows | "CountRow" >> beam.Map(lambda row: 1)
        tables = rows | "RowsToTables" >> RowsToTables()
        return tables | "AdaptRows" >> beam.Map(lambda table: adapter.adapt(table, _TABLE).events.num_rows)

    return _count(counted)


def _count(read: Callable[..., object]) -> int:
    import apache_beam as beam

    from pipelines.launch import beam_options, choose_runner

    flags = beam_options([])
    with tempfile.TemporaryDirectory() as folder:
        with beam.Pipeline(runner=choose_runner(flags), options=flags) as pipeline:
            summed = read(pipeline) | "Sum" >> beam.CombineGlobally(sum)
            _ = summed | "Tell" >> beam.Map(lambda total: Path(folder, "total").write_text(str(total)))
        return int(Path(folder, "total").read_text())


if __name__ == "__main__":
    main()
