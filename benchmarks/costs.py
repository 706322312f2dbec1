"""What a month costs at three sizes, from committed measurements and assumptions: ``python -m benchmarks.costs``.

Prints the tables of docs/costs.md and docs/sizing.md; ``--write`` puts them there, between their marks.
"""

import argparse
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import orjson

from benchmarks.figures import RESULTS
from benchmarks.plan_10b import HOURS as JOB_HOURS
from benchmarks.plan_sizes import GB_A_VCPU, VCPUS_A_WORKER, Measured, plan
from benchmarks.prices import HOURS, Prices
from features.sessions import SessionRules

DOCS = Path(__file__).resolve().parents[1] / "docs"
SIZES = (1_000_000, 100_000_000, 10_000_000_000)
RUNS = 365.25 / 12 / 7
"""Weekly retrainings in a month."""


@dataclass(frozen=True)
class Site:
    """What is assumed of a site, beside its number of events.

    Attributes:
        event_bytes: of an event as JSON, as it is received and kept; a simulated event has 608.
        predictions_an_event: how often a prediction is asked for.
        answer_bytes: of a logged prediction.
        peak: the busiest hour over the average one.
        requests_a_vcpu: requests a second that a processor of the service is given; a quarter of what was measured.
        busy: share of its processors that the service uses when it scales.
        least_instances: instances of two processors and 4 GB that always run.
        events_days: days that event files are kept.
        logs_days: days that logged answers are kept.
        store_days: days that the fast store remembers.
        row_bytes: of an event in the fast store.
        examples_an_event: examples that an event makes.
        most_examples: examples that training is given; more visitors than that are left out (``where`` of a bq:// URL).
        examples_a_second: that training works through, on two cores.
        epochs: passes over them.
    """

    event_bytes: int = 608
    predictions_an_event: float = 0.2
    answer_bytes: int = 400
    peak: float = 3.0
    requests_a_vcpu: float = 700.0
    busy: float = 0.6
    least_instances: int = 1
    events_days: int = 60
    logs_days: int = 90
    store_days: float = 30.0
    row_bytes: int = 650
    examples_an_event: float = 0.094
    most_examples: float = 10e6
    examples_a_second: float = 3500.0
    epochs: int = 8


SITES = {
    1_000_000: Site(),
    100_000_000: Site(least_instances=2),
    10_000_000_000: Site(least_instances=4, store_days=1.0),
}


def measured() -> Measured:
    """Returns what ``make bench-plan-10b`` measured."""
    rows = {row["id"]: row["value"] for row in orjson.loads((RESULTS / "plan-10b.json").read_bytes())}
    return Measured(
        split_seconds=rows["shard_split_us"] / 1e6,
        shard_seconds=rows["shard_work_us"] / 1e6,
        bytes_an_event=rows["shard_bytes_an_event"],
        start_gb=rows["shard_start_gb"],
        gb_a_million=rows["shard_gb_a_million"],
        kept=rows["shard_kept"],
    )


def store_gb(events: float, site: Site) -> int:
    """Returns the memory of the fast store, whole GB: the rows of ``store_days`` in four fifths of it."""
    return max(1, math.ceil(events * min(site.store_days / 30, 1.0) * site.row_bytes / 0.8 / 1e9))


def lines(events: int, site: Site, prices: Prices) -> dict[str, float]:
    """Returns what is paid for -> US dollars a month."""
    gb = events * site.event_bytes / 1e9
    answers_gb = events * site.predictions_an_event * site.answer_bytes / 1e9
    requests = events * (1 + site.predictions_an_event) / (HOURS * 3600)
    vcpus = max(2.0 * site.least_instances, requests / site.requests_a_vcpu / site.busy)
    memory = store_gb(events, site)
    tier = next(
        ((basic, ha) for most, basic, ha in prices.redis_gb_hour if memory <= most), prices.redis_gb_hour[-1][1:]
    )
    job = plan(measured(), events, max_events=SessionRules().max_events, hours=JOB_HOURS, prices=prices)
    on_dataflow = events > 100_000_000
    vcpu_second = prices.run_vcpu_second + 4 * prices.run_gb_second  # 4 GB a processor
    examples = RUNS * (job.dollars if on_dataflow else job.vcpu_hours * 3600 * vcpu_second)
    trained = min(events * site.examples_an_event, site.most_examples)
    training_seconds = trained * site.epochs / site.examples_a_second + 600  # to verify and to promote
    return {
        "service on Cloud Run": vcpus * HOURS * 3600 * (prices.run_vcpu_second + 2 * prices.run_gb_second),
        "fast store (Memorystore)": memory * HOURS * tier[0 if events < 10_000_000 else 1],
        "Pub/Sub, publishing": (gb + answers_gb) / 1000 * prices.pubsub_tb,
        "Pub/Sub, writing to the bucket": (gb + answers_gb) / 1000 * prices.pubsub_to_storage_tb,
        "event files and logs": (gb * site.events_days / 30 + answers_gb * site.logs_days / 30)
        * prices.storage_gb_month,
        "examples, weekly": examples,
        "training, weekly": RUNS * training_seconds * 4 * vcpu_second,
    }


def options(events: int, site: Site, prices: Prices) -> dict[str, float]:
    """Returns what may be added -> US dollars a month more."""
    gb = events * site.event_bytes / 1e9
    workers = max(1, math.ceil(events / (HOURS * 3600) * site.peak / 2000))  # of two processors and 8 GB
    worker = 2 * prices.streaming_vcpu_hour + 8 * prices.streaming_gb_hour
    ingest = workers * HOURS * worker + 2 * gb * prices.streaming_engine_gb + gb / 1000 * prices.pubsub_tb
    saved = gb / 1000 * prices.pubsub_to_storage_tb + gb * site.events_days / 30 * prices.storage_gb_month
    read = RUNS * gb / 1000 * prices.bigquery_read_tb  # a month of it for each retraining
    table = gb * prices.bigquery_insert_gb + 12 * gb * prices.bigquery_gb_month + read
    return {
        "events in BigQuery by the streaming pipeline, a year kept, instead of files": ingest + table - saved,
        "heatmaps on one GPU behind a balancer": HOURS * (prices.gpu_machine_hour + prices.balancer_hour),
    }


def costs_table() -> str:
    """Returns the table of docs/costs.md."""
    prices = Prices()
    columns = [lines(events, SITES[events], prices) for events in SIZES]
    more = [options(events, SITES[events], prices) for events in SIZES]
    rows = [[name, *(_dollars(column[name]) for column in columns)] for name in columns[0]]
    rows.append(["**together**", *(f"**{_dollars(sum(column.values()))}**" for column in columns)])
    rows += [[f"*more:* {name}", *(_dollars(column[name]) for column in more)] for name in more[0]]
    head = ["US dollars a month", *(_number(events) + " events" for events in SIZES)]
    return _table(head, rows)


def sizing_table() -> str:
    """Returns the table of docs/sizing.md."""
    found = [
        plan(measured(), events, max_events=SessionRules().max_events, hours=JOB_HOURS, prices=Prices())
        for events in (*SIZES[:2], 1_000_000_000, SIZES[2])
    ]
    rows = [
        ["shards", *(f"{one.shards:,}" for one in found)],
        ["events a shard, on average", *(f"{one.events_a_shard:,.0f}" for one in found)],
        ["the largest shard over the average, at most", *(f"{one.hottest:.2f}" for one in found)],
        ["through the shuffle", *(_size(one.shuffle_gb) for one in found)],
        ["processor hours, doubled", *(f"{one.vcpu_hours:.2g}" for one in found)],
        [f"workers of {VCPUS_A_WORKER} vCPU for {JOB_HOURS:g} hours at most", *(f"{one.workers:,}" for one in found)],
        ["memory of a process", *(f"{one.memory_gb:.1f} GB" for one in found)],
        [
            "of one unnoticed robot's events, a process can take",
            *(_number((GB_A_VCPU - one.memory_gb) / measured().gb_a_million * 1e6) for one in found),
        ],
        ["workers and shuffle", *(f"{_dollars(one.dollars)} USD" for one in found)],
    ]
    return _table(["a month", *(_number(one.events) + " events" for one in found)], rows)


def assumptions_table() -> str:
    """Returns the assumptions of docs/costs.md: those of a site, then the prices."""
    text = Site.__doc__ or ""
    names = dict(re.findall(r"^ {8}(\w+): (.*?)(?=\n {8}\w+: |\Z)", text.rstrip(), re.DOTALL | re.MULTILINE))
    rows = [
        [
            f"`{name}`: {' '.join(meaning.split()).rstrip('.')}".replace("``", "`"),
            *(_number(getattr(SITES[events], name)) for events in SIZES),
        ]
        for name, meaning in names.items()
    ]
    return _table(["assumed", *(_number(events) + " events" for events in SIZES)], rows)


def prices_table() -> str:
    """Returns the prices of docs/costs.md."""
    text = Prices.__doc__ or ""
    names = dict(re.findall(r"^ {8}(\w+): (.*?)(?=\n {8}\w+: |\Z)", text.rstrip(), re.DOTALL | re.MULTILINE))
    shown = {
        name: "; ".join(f"to {most} GB {basic:g}, {ha:g}" for most, basic, ha in value)
        if isinstance(value, tuple)
        else f"{value:g}"
        for name, value in vars(Prices()).items()
    }
    return _table(
        ["price", "USD"],
        [[f"`{name}`: {' '.join(meaning.split()).rstrip('.')}", shown[name]] for name, meaning in names.items()],
    )


TABLES: dict[str, tuple[str, Callable[[], str]]] = {
    "costs": ("costs.md", costs_table),
    "assumptions": ("costs.md", assumptions_table),
    "prices": ("costs.md", prices_table),
    "sizing": ("sizing.md", sizing_table),
}
"""Mark in a guide -> the guide, and what makes the table after the mark."""


def filled(text: str, guide: str) -> str:
    """Returns a guide's text with every table of it as it is computed now."""
    for mark, (name, table) in TABLES.items():
        if name == guide:
            pattern = rf"(<!-- computed: {mark} -->\n\n)(?:\|.*\n)*"
            text = re.sub(pattern, lambda found, table=table: found[1] + table(), text)
    return text


def _table(head: list[str], rows: list[list[str]]) -> str:
    out = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in out)


def _dollars(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2f}"


def _size(gigabytes: float) -> str:
    return f"{gigabytes / 1000:.2f} TB" if gigabytes >= 1000 else f"{gigabytes:.3g} GB"


def _number(value: float) -> str:
    for least, name in ((1e9, " B"), (1e6, " M")):
        if value >= least:
            return f"{value / least:.3g}{name}"
    return f"{value:g}"


def main() -> None:
    """Prints the tables, or writes them into the guides."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/")
    if parser.parse_args().write:
        for guide in sorted({guide for guide, _ in TABLES.values()}):
            (DOCS / guide).write_text(filled((DOCS / guide).read_text(), guide))
        return
    for mark, (_, table) in TABLES.items():
        print(f"{mark}\n\n{table()}")


if __name__ == "__main__":
    main()
