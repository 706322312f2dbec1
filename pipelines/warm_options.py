"""What a refill of the fast store is asked to do, checked before any work begins."""

from dataclasses import dataclass, field
from typing import Any

from features.errors import AuguryError
from features.options import option
from pipelines.behavior_recipe import EVENTS_PER_SHARD, MAX_SHARDS
from pipelines.store_options import RecentEventsOptions


class WarmStoreError(AuguryError, ValueError):
    """A refill that cannot be, or that found nothing."""


@dataclass(frozen=True)
class WarmStoreOptions(RecentEventsOptions):
    """Options of ``pipelines.warm_store``; each is a command-line flag of that name."""

    events: tuple[str, ...] = field(
        metadata={
            "help": "files, folders or globs to read, such as archive/events, local or gs://; bq://project.dataset.table"
        }
    )
    adapter: str = option("canonical", "canonical, segment, ga4, or the path of a mapping file (.toml)")
    format: str | None = option(None, "jsonl, csv or parquet, where the file names do not tell")
    tombstones: str | None = option(None, "folder of tombstones; by default those of the archives that are read")
    cleaning: str | None = option(None, "path of a TOML file with cleaning rules")
    dead_letter: str = option("warm-store-dead-letter", "folder for rows that cannot be events")
    shards: int | None = option(None, f"number of shards; by default one for every {EVENTS_PER_SHARD:,} events")
    link_visitors: bool = option(True, "let a login give the anonymous history to the user")

    def __post_init__(self) -> None:
        if not self.events:
            raise WarmStoreError("no events to read; name at least one file, folder or glob")
        if self.shards is not None and not 1 <= self.shards <= MAX_SHARDS:
            raise WarmStoreError(f"shards is {self.shards}; expected 1 to {MAX_SHARDS}")
        self.store()

    def rules(self) -> dict[str, Any]:
        """Returns the arguments of ``RecentRules``."""
        return {**super().rules(), "link_visitors": self.link_visitors}
