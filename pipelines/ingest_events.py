"""Received messages off Pub/Sub into the archive and the fast store: ``python -m pipelines.ingest_events``."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam
from apache_beam.io.gcp.pubsub import ReadFromPubSub, parse_subscription, parse_topic
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.runners.runner import PipelineResult, PipelineRunner

from features.cleaning_file import read_cleaning_rules
from features.errors import AuguryError
from features.options import check_ranges, option
from features.storage import open_filesystem
from features.tables import Table, load_table
from pipelines.engines import is_dry_run, refuse_local_paths
from pipelines.launch import beam_options, choose_runner, main
from pipelines.options import parse_options
from pipelines.store_options import RecentEventsOptions
from transforms.bigquery_check import check_tables
from transforms.bigquery_names import table_reference
from transforms.bigquery_rows import WriteRows, dead_letter_of
from transforms.drop_repeats import DropRepeats
from transforms.pack_events import MarkLate, PackEvents
from transforms.read_received import EVENTS, REJECTED, ReadReceived
from transforms.write_dead_letters import WriteDeadLetters, is_topic
from transforms.write_partitions import WritePartitions
from transforms.write_recent_events import WriteRecentEvents

_SECOND_US = 1_000_000
_MONTH_SECONDS = 30 * 86_400


class IngestOptionError(AuguryError, ValueError):
    """An option of the streaming pipeline that cannot be, or contradicts another."""


@dataclass(frozen=True)
class IngestOptions(RecentEventsOptions):
    """Options of ``pipelines.ingest_events``; each is a command-line flag of that name."""

    archive: str = field(metadata={"help": "where events go: a folder, local or gs://, or bq://project.dataset.table"})
    dead_letter: str = field(
        metadata={"help": "where rejected rows go: a folder, projects/P/topics/T or bq://project.dataset.table"}
    )
    subscription: str | None = option(None, "projects/P/subscriptions/S to read")
    topic: str | None = option(None, "projects/P/topics/T to read, by a subscription of the pipeline's own")
    recent_events: bool = option(True, "also write the visitors' recent events to Redis")
    cleaning: str | None = option(None, "path of a TOML file with cleaning rules")
    dedup_seconds: float = option(86_400, "how long a message is remembered, to drop its copies")
    lateness_seconds: float = option(3600, "an event received so much later than it happened is marked late")
    archive_seconds: float = option(60, "how long the first rows of a Parquet file wait for more")
    archive_shards: int = option(1, "Parquet files of one hour that are collected side by side")

    def __post_init__(self) -> None:
        if (self.subscription is None) == (self.topic is None):
            raise IngestOptionError("give either subscription or topic: what is to be read")
        if self.subscription is not None:
            _check_name("subscription", self.subscription, parse_subscription)
        if self.topic is not None:
            _check_name("topic", self.topic, parse_topic)
        limits: dict[str, tuple[float, float]] = {
            "dedup_seconds": (1, _MONTH_SECONDS),
            "lateness_seconds": (0, _MONTH_SECONDS),
            "archive_seconds": (0.1, 3600),
            "archive_shards": (1, 256),
        }
        check_ranges(self, IngestOptionError, limits)
        _check_target("archive", self.archive, "a folder or bq://project.dataset.table", topics=False)
        _check_target("dead_letter", self.dead_letter, "a folder, projects/P/topics/T or bq://p.d.t", topics=True)
        if is_topic(self.dead_letter) and self.dead_letter == self.topic:
            raise IngestOptionError(f"dead_letter is {self.dead_letter}, which is read: it would come back for ever")
        if self.recent_events:
            self.store()

    @property
    def source(self) -> str:
        """What is read."""
        return self.subscription or self.topic or ""


def build(pipeline: beam.Pipeline, options: IngestOptions, messages: beam.PCollection | None = None) -> Any:
    """Composes the pipeline.

    Args:
        pipeline: to add the steps to.
        options: what was asked for.
        messages: ``PubsubMessage`` to take instead of reading Pub/Sub, for tests.

    Returns:
        The events that are neither bad nor repeated, in batches.
    """
    if messages is None:
        messages = pipeline | "ReadMessages" >> ReadFromPubSub(
            options.topic, options.subscription, with_attributes=True
        )
    received = messages | "ReadReceived" >> ReadReceived(options.source, read_cleaning_rules(options.cleaning))
    events = (
        received[EVENTS]
        | "DropRepeats" >> DropRepeats(round(options.dedup_seconds * _SECOND_US))
        | "PackEvents" >> PackEvents()
    )
    archived = events | "MarkLate" >> MarkLate(round(options.lateness_seconds * _SECOND_US))
    letters = received[REJECTED]
    if options.archive.startswith("bq://"):
        refused = (
            archived
            | "InsertEvents"
            >> WriteRows(
                options.archive, load_table("events"), kind="archive", times=("received_at_us", "timestamp_us")
            )
            | "LetterOfRefused" >> beam.Map(dead_letter_of, options.source)
        )
        letters = (letters, refused) | "AllLetters" >> beam.Flatten()
    else:
        _ = archived | "WriteArchive" >> WritePartitions(
            f"{options.archive.rstrip('/')}/{EVENTS}",
            wait_seconds=options.archive_seconds,
            kind="archive",
            shards=options.archive_shards,
        )
    if options.recent_events:
        # apart from the archive by a shuffle: while Redis is away, its bundles alone are tried again
        _ = events | "SettleRecent" >> beam.Reshuffle() | "WriteRecent" >> WriteRecentEvents(options.store())
    _ = letters | "WriteDeadLetters" >> WriteDeadLetters(options.dead_letter, options.archive_seconds)
    return events


def start(options: IngestOptions, beam_flags: Sequence[str] = ()) -> PipelineResult:
    """Starts the pipeline and returns its result, to wait for or to cancel.

    Raises:
        AuguryError: an unknown flag, or a table that is not there or has other columns.
    """
    flags = beam_options(beam_flags)
    flags.view_as(StandardOptions).streaming = True
    refuse_local_paths(flags, (path for path in (options.archive, options.dead_letter) if not is_topic(path)))
    if not is_dry_run(flags):
        check_tables(_tables(options))
    pipeline = beam.Pipeline(runner=runner_of(flags), options=flags)
    build(pipeline, options)
    return pipeline.run()


def run(argv: Sequence[str]) -> None:
    """Runs the pipeline as ``argv`` says, its own options and Beam's, until it is cancelled or drained."""
    options, beam_flags = parse_options(IngestOptions, argv, __doc__)
    start(options, beam_flags).wait_until_finish()


def _tables(options: IngestOptions) -> dict[str, Table]:
    """Returns the tables that are written to."""
    targets = {options.archive: "events", options.dead_letter: "dead_letters"}
    return {target: load_table(name) for target, name in targets.items() if target.startswith("bq://")}


def runner_of(flags: PipelineOptions) -> PipelineRunner | str:
    """Returns the runner; of the local ones, the one that can stream."""
    local = flags.view_as(StandardOptions).runner in (None, "DirectRunner", "direct")
    return BundleBasedDirectRunner() if local else choose_runner(flags)


def _check_name(name: str, value: str, parse: Callable[[str], Any]) -> None:
    try:
        parse(value)
    except ValueError as e:
        raise IngestOptionError(f"{name} is {value!r}; expected projects/PROJECT/{name}s/NAME ({e})") from e


def _check_target(name: str, target: str, expected: str, topics: bool) -> None:
    if target.startswith("bq://"):
        table_reference(target)
        return
    if is_topic(target) and topics:
        _check_name("topic", target, parse_topic)
        return
    if not target or target.startswith("projects/"):
        raise IngestOptionError(f"{name} is {target!r}; expected {expected}")
    open_filesystem(target)


if __name__ == "__main__":
    main(run)
