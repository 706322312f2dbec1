"""What a refill of the fast store is asked to do, checked before any work begins."""

from dataclasses import dataclass, field

from features.checks import EVENT_TYPES
from features.errors import AuguryError
from features.options import option
from pipelines.behavior_recipe import EVENTS_PER_SHARD, MAX_SHARDS
from pipelines.store_options import make_store
from transforms.recent_store import StoreOptions


class WarmStoreError(AuguryError, ValueError):
    """A refill that cannot be, or that found nothing."""


@dataclass(frozen=True)
class WarmStoreOptions:
    """Options of ``pipelines.warm_store``; each is a command-line flag of that name."""

    events: tuple[str, ...] = field(
        metadata={"help": "files, folders or globs to read, such as archive/events; local or gs://"}
    )
    redis_url: str | None = field(
        default=None, repr=False, metadata={"help": "redis:// or rediss:// URL; by default that of REDIS_URL"}
    )
    adapter: str = option("canonical", "canonical, segment, ga4, or the path of a mapping file (.toml)")
    format: str | None = option(None, "jsonl, csv or parquet, where the file names do not tell")
    tombstones: str | None = option(None, "folder of tombstones; by default those of the archives that are read")
    cleaning: str | None = option(None, "path of a TOML file with cleaning rules")
    dead_letter: str = option("warm-store-dead-letter", "folder for rows that cannot be events")
    shards: int | None = option(None, f"number of shards; by default one for every {EVENTS_PER_SHARD:,} events")
    store_events: int = option(200, "recent events kept of each visitor; as AUGURY_STORE_EVENTS")
    store_days: float = option(30, "days after which a recent event is dropped; as AUGURY_STORE_DAYS")
    store_types: tuple[str, ...] = option(EVENT_TYPES, "types of message kept as recent events; as AUGURY_STORE_TYPES")
    store_namespace: str = option("augury", "what the keys in Redis begin with")
    link_visitors: bool = option(True, "let a login give the anonymous history to the user")

    def __post_init__(self) -> None:
        if not self.events:
            raise WarmStoreError("no events to read; name at least one file, folder or glob")
        if self.shards is not None and not 1 <= self.shards <= MAX_SHARDS:
            raise WarmStoreError(f"shards is {self.shards}; expected 1 to {MAX_SHARDS}")
        self.store()

    def store(self) -> StoreOptions:
        """Returns where recent events go.

        Raises:
            AuguryError: no URL, or one that is none, or rules that cannot be.
        """
        return make_store(
            self.redis_url,
            count=self.store_events,
            max_age_days=self.store_days,
            types=self.store_types,
            namespace=self.store_namespace,
            link_visitors=self.link_visitors,
        )
