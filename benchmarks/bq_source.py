"""Our BigQuery source against Beam's own, on one table of the emulator: ``make bench-bq-source``.

Both sides are pipelines on the same runner in the same process, in turn, and read the same columns. Ours ends with
canonical events, checked and adapted; Beam's with the dictionaries that it gives, which nobody has looked at yet.
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


def main() -> None:
    """Measures both sides and writes ``benchmarks/results/bq-source.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="augury-bench-") as folder:
        os.environ.update(fake_credentials(Path(folder)))
        (Path(folder) / "emulator").mkdir()
        with bigquery_server(Path(folder) / "emulator") as server:
            os.environ.update(server.environment)
            write_results("bq-source", _figures(Path(folder), given.events, given.rounds))


@dataclass(frozen=True)
class _Taken:
    """Seconds of one reading: on the clock, and of this process's processors; the emulator is another process."""

    wall: float
    cpu: float


def _figures(folder: Path, events: int, rounds: int) -> list[Figure]:
    rows = _fill(folder, events)
    sides = {"ours": _ours, "arrow": lambda scratch: _beams(True), "avro": lambda scratch: _beams(False)}
    taken: dict[str, list[_Taken]] = {name: [] for name in sides}
    for _ in range(rounds):  # the sides in turn, so that a slow spell of the machine meets them all
        for name, side in sides.items():
            taken[name].append(_measure(side, folder, rows))
    found = []
    for name, measure, meaning in (
        ("bq_source_vs_beam", "cpu", "of the reading process's CPU; the emulator's work, alike for both, is not in it"),
        ("bq_source_vs_beam_wall", "wall", "on the clock, the emulator on the same two cores included"),
    ):
        a_second = {
            side: rows / statistics.median(getattr(each, measure) for each in each_round)
            for side, each_round in taken.items()
        }
        beams = max(a_second["arrow"], a_second["avro"])
        text = (
            f"events per second {meaning}: {rows} events, canonical ones by our source {a_second['ours']:,.0f} over "
            f"dictionaries by ReadFromBigQuery(DIRECT_READ) {beams:,.0f} (the better of Arrow {a_second['arrow']:,.0f} "
            f"and Avro {a_second['avro']:,.0f}); medians of {rounds}"
        )
        found.append(Figure(name, text, a_second["ours"] / beams, "ratio", ">= 5" if measure == "cpu" else ""))
    return found


def _measure(side: Callable[[Path], int], folder: Path, rows: int) -> _Taken:
    began, used = time.perf_counter(), time.process_time()
    read = side(folder)
    taken = _Taken(time.perf_counter() - began, time.process_time() - used)
    if read != rows:
        raise RuntimeError(f"{read} of {rows} events were read")
    return taken


def _fill(folder: Path, events: int) -> int:
    """Makes the table of simulated events; returns how many it has."""
    from google.cloud import bigquery

    options = SimulationOptions(
        visitors=round(events / _EVENTS_PER_VISITOR),
        output=str(folder / "shop"),
        format="parquet",
        trouble=Trouble(malformed=0.0),
    )
    made = simulate(options)
    with bigquery.Client(project=PROJECT) as client:
        client.create_dataset("shop")
        appending = bigquery.LoadJobConfig(source_format="PARQUET", write_disposition="WRITE_APPEND")
        for path in sorted((folder / "shop" / "events").glob("*.parquet")):
            with path.open("rb") as file:
                client.load_table_from_file(file, _TABLE, job_config=appending).result()
        found = client.get_table(_TABLE)
        if not set(CanonicalAdapter().columns(())) <= {field.name for field in found.schema}:
            raise RuntimeError(f"the table lacks columns: {found.schema}")
        if found.num_rows != made.counts["rows"]:
            raise RuntimeError(f"{found.num_rows} of {made.counts['rows']} events are in the table")
        return int(found.num_rows)


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


def _beams(arrow: bool) -> int:
    import apache_beam as beam
    from apache_beam.io.gcp.bigquery import ReadFromBigQuery

    import tests.beam_emulators  # noqa: F401  # leads Beam's clients to the emulator

    return _count(
        lambda pipeline: (
            pipeline
            | "ReadRows"
            >> ReadFromBigQuery(
                table=_TABLE.replace(".", ":", 1),
                method=ReadFromBigQuery.Method.DIRECT_READ,
                selected_fields=EVENT_SCHEMA.names,
                use_native_datetime=arrow,
            )
            | "CountRow" >> beam.Map(lambda row: 1)
        )
    )


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
