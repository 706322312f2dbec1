"""What an outcome report is asked to do, checked before any work begins and before Beam is imported."""

from dataclasses import dataclass, field

from features.errors import AuguryError
from features.options import option
from pipelines.behavior_recipe import EVENTS_PER_SHARD, MAX_SHARDS

MOST_SETTLE_DAYS = 3650.0


class OutcomeOptionError(AuguryError, ValueError):
    """An option of an outcome report that cannot be, or contradicts another."""


@dataclass(frozen=True)
class OutcomeOptions:
    """Options of ``pipelines.outcome_report``; each is a command-line flag of that name."""

    events: tuple[str, ...] = field(
        metadata={"help": "events to read: files, folders or globs, such as archive/events; bq://project.dataset.table"}
    )
    predictions: tuple[str, ...] = field(
        metadata={
            "help": "the prediction log: archive/predictions, a folder of batch-predict, bq://project.dataset.predictions"
        }
    )
    model: str = field(metadata={"help": "name of the behaviour model, such as purchase"})
    output: str = field(metadata={"help": "folder for what became of each prediction; local or gs://"})
    registry: str = option("registry", "root of the registry that has the versions; local or gs://")
    settle_days: float = option(
        7.0, "a week is judged so many days after its end: by then a negative counts as one; see docs/outcomes.md"
    )
    window_start: str | None = option(None, "judge predictions since, ISO 8601; by default all")
    window_end: str | None = option(None, "judge predictions before, ISO 8601; by default all")
    events_end: str | None = option(None, "when the events end, ISO 8601; by default just after the last of them")
    adapter: str = option("canonical", "canonical, segment, ga4, or the path of a mapping file (.toml), of the events")
    format: str | None = option(None, "jsonl, csv or parquet, of the events, where the file names do not tell")
    link_visitors: bool = option(True, "let a login give the anonymous history to the user, as the fast store does")
    cleaning: str | None = option(None, "path of a TOML file with cleaning rules")
    tombstones: str | None = option(
        None, "folder of tombstones, whose visitors are left out; by default those of the archives that are read"
    )
    shards: int | None = option(None, f"number of shards; by default one for every {EVENTS_PER_SHARD:,} rows")
    max_bad_share: float = option(0.05, "fail when more than this share of the rows is rejected")
    dead_letter: str | None = option(None, "folder for rejected rows; by default <output>-dead-letter")
    overwrite: bool = option(False, "replace the output if it is there")

    def __post_init__(self) -> None:
        for name in ("events", "predictions"):
            if not getattr(self, name):
                raise OutcomeOptionError(f"no {name} to read; name at least one file, folder or glob")
        for name, least, most in (
            ("max_bad_share", 0, 1),
            ("shards", 1, MAX_SHARDS),
            ("settle_days", 0, MOST_SETTLE_DAYS),
        ):
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise OutcomeOptionError(f"{name} is {value:g}; expected {least:g} to {most:g}")

    @property
    def dead_letter_folder(self) -> str:
        """Where rejected rows go, of the events and of the log."""
        return self.dead_letter or f"{self.output.rstrip('/')}-dead-letter"

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path that the job reads or writes."""
        given = (*self.events, *self.predictions, self.registry, self.output, self.dead_letter_folder)
        return tuple(path for path in (*given, self.cleaning, self.tombstones) if path is not None)
