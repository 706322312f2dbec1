"""What a batch prediction is asked to do, checked before any work begins and before Beam is imported."""

from dataclasses import dataclass, field

from features.checks import EVENT_TYPES
from features.errors import AuguryError
from features.options import check_ranges, option
from features.recent_events import RecentEventsError, RecentRules
from pipelines.behavior_recipe import EVENTS_PER_SHARD, MAX_SHARDS, time_us

FORMATS = ("parquet", "csv")


class BatchOptionError(AuguryError, ValueError):
    """An option of a batch prediction that cannot be, or contradicts another."""


@dataclass(frozen=True)
class BatchPredictOptions:
    """Options of ``pipelines.batch_predict``; each is a command-line flag of that name."""

    events: tuple[str, ...] = field(
        metadata={
            "help": "files, folders or globs to read, such as archive/events, local or gs://; bq://project.dataset.table"
        }
    )
    model: str = field(metadata={"help": "name of a behaviour model of the registry, such as purchase"})
    output: str = field(
        metadata={
            "help": "where predictions go: a folder, local or gs://, or the log, bq://project.dataset.predictions"
        }
    )
    registry: str = option("registry", "root of the registry; local or gs://")
    version: str = option("champion", "a version, the beginning of one, latest or champion")
    output_format: str = option("parquet", "parquet or csv, of the files in a folder")
    adapter: str = option("canonical", "canonical, segment, ga4, or the path of a mapping file (.toml)")
    format: str | None = option(None, "jsonl, csv or parquet, where the file names do not tell")
    window_start: str | None = option(None, "score visitors with an event since, ISO 8601; by default all")
    window_end: str | None = option(None, "the moment asked about, ISO 8601; by default just after the last event")
    store_events: int = option(200, "newest events that count of each visitor; as AUGURY_STORE_EVENTS")
    store_days: float = option(30, "events so many days before the window's end no longer count; as AUGURY_STORE_DAYS")
    store_types: tuple[str, ...] = option(EVENT_TYPES, "types of message that count; as AUGURY_STORE_TYPES")
    link_visitors: bool = option(True, "let a login give the anonymous history to the user")
    consent_categories: tuple[str, ...] = option(
        (), "categories of consent that must not be refused; by default a visitor who refuses every one is left out"
    )
    emails: bool = option(False, "also write the SHA-256 of the e-mail address that an identify call told")
    cleaning: str | None = option(None, "path of a TOML file with cleaning rules")
    tombstones: str | None = option(
        None, "folder of tombstones, whose visitors are left out; by default those of the archives that are read"
    )
    shards: int | None = option(None, f"number of shards; by default one for every {EVENTS_PER_SHARD:,} events")
    max_bad_share: float = option(0.05, "fail when more than this share of the rows is rejected")
    dead_letter: str | None = option(None, "folder for rejected rows; by default <output>-dead-letter")
    overwrite: bool = option(False, "replace the output if it is there")

    def __post_init__(self) -> None:
        if not self.events:
            raise BatchOptionError("no events to read; name at least one file, folder or glob")
        check_ranges(self, BatchOptionError, {"max_bad_share": (0, 1), "shards": (1, MAX_SHARDS)})
        if self.output_format not in FORMATS:
            raise BatchOptionError(f"output_format is {self.output_format!r}; expected {' or '.join(FORMATS)}")
        if self.to_table and self.dead_letter is None:
            raise BatchOptionError(f"output is {self.output}; name a folder for rejected rows with dead_letter")
        self.rules()
        start_us, end_us = self.window_us
        if start_us is not None and end_us is not None and start_us >= end_us:
            raise BatchOptionError(f"window_start {self.window_start} is not before window_end {self.window_end}")

    @property
    def window_us(self) -> tuple[int | None, int | None]:
        """Beginning and end of the window, int64 microseconds UTC; None where the option is not given."""
        given = {"window_start": self.window_start, "window_end": self.window_end}
        start_us, end_us = (None if text is None else time_us(name, text) for name, text in given.items())
        return start_us, end_us

    @property
    def to_table(self) -> bool:
        """Whether predictions go to BigQuery."""
        return self.output.startswith("bq://")

    @property
    def dead_letter_folder(self) -> str:
        """Where rejected rows go."""
        return self.dead_letter or f"{self.output.rstrip('/')}-dead-letter"

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path that the job reads or writes."""
        given = (*self.events, self.registry, self.output, self.dead_letter_folder, self.cleaning, self.tombstones)
        return tuple(path for path in given if path is not None)

    def rules(self) -> RecentRules:
        """Returns what counts of a visitor.

        Raises:
            BatchOptionError: rules that cannot be.
        """
        try:
            return RecentRules(
                count=self.store_events,
                max_age_days=self.store_days,
                types=self.store_types,
                link_visitors=self.link_visitors,
            )
        except RecentEventsError as e:
            raise BatchOptionError(f"store: {e}") from e
