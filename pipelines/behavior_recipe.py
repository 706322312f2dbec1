"""What an examples job is asked to do, checked and made concrete before any work begins."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from example_generators.base import ExampleGenerator
from example_generators.catalogue import generator_params, load_generator
from features.adapters import Adapter, get_adapter
from features.cleaning import CleaningRules
from features.cleaning_file import read_cleaning_rules
from features.errors import AuguryError
from features.events import EVENT_SCHEMA
from features.options import check_ranges, option
from features.sessions import SessionRules, Window
from features.spec import FeatureSpec, HashSpec, SplitSpec
from features.storage import read_text
from features.tombstones import REQUIRED_COLUMNS, Tombstones, tombstone_files, tombstones_beside
from pipelines.estimate import estimate_rows
from pipelines.fit_sample import fit_to_sample
from transforms.bigquery_streams import open_streams
from transforms.read_tasks import ReadTask
from transforms.shards import SHARDS_AT_ONCE
from transforms.sources import plan_reads

EVENTS_PER_SHARD = 150_000
"""Events a shard should hold: a few tens of MB while it is worked on."""

MAX_SHARDS = 4096


class ExamplesOptionError(AuguryError, ValueError):
    """An option of an examples job that cannot be, or contradicts another."""


@dataclass(frozen=True)
class ExamplesOptions:
    """Options of ``pipelines.behavior_examples``; each is a command-line flag of that name."""

    events: tuple[str, ...] = field(
        metadata={
            "help": "files, folders or globs to read, local or gs://; bq://project.dataset.table; see docs/bigquery.md"
        }
    )
    output: str = field(metadata={"help": "folder for the data set; local or gs://"})
    adapter: str = option("segment", "segment, ga4, canonical, or the path of a mapping file (.toml)")
    format: str | None = option(None, "jsonl, csv or parquet, where the file names do not tell")
    spec: str | None = option(None, "path of a feature_spec.json to code by; the options below then come from it")
    generator: str = option("purchase", "example generator, see `augury generators`")
    generator_params: str = option("{}", "parameters of the generator, as a JSON object")
    gap_minutes: float | None = option(None, "inactivity that ends a session; none: all of a visitor's events are one")
    max_events: int = option(1000, "drop visitors with more events than this")
    split_by: str = option("visitor", "visitor (hash) or time (test: the last share of the window)")
    validation: float = option(0.1, "share of validation")
    test: float = option(0.1, "share of test")
    seed: int = option(0, "seed of the split and of the hash buckets")
    sequence_length: int = option(40, "most events that an instance holds")
    hash_size: int = option(1024, "number of hash buckets, see `augury inspect-buckets`")
    shards: int | None = option(None, f"number of shards; by default one for every {EVENTS_PER_SHARD:,} events")
    window_start: str | None = option(
        None, "start of the data window, ISO 8601, before which no event counts; by default the first event"
    )
    window_end: str | None = option(
        None, "end of the data window, ISO 8601, from which on no event counts; by default just after the last event"
    )
    link_visitors: bool = option(False, "join the anonymous ids that logins link to one user id")
    cleaning: str | None = option(None, "path of a TOML file with cleaning rules")
    tombstones: str | None = option(
        None, "folder of tombstones, whose visitors are left out; by default the one beside an archive that is read"
    )
    max_bad_share: float = option(0.05, "fail when more than this share of the rows is rejected")
    dead_letter: str | None = option(None, "folder for rejected rows; by default <output>-dead-letter")
    golden: int = option(1000, "instances kept raw, to prove later that serving computes the same")
    compress: bool = option(False, "gzip the TFRecords")
    overwrite: bool = option(False, "replace the output if it is there")

    def __post_init__(self) -> None:
        if not self.events:
            raise ExamplesOptionError("no events to read; name at least one file, folder or glob")
        limits = {"max_bad_share": (0, 1), "golden": (0, 1_000_000), "shards": (1, MAX_SHARDS)}
        check_ranges(self, ExamplesOptionError, limits)
        if (self.window_start is None) != (self.window_end is None):
            raise ExamplesOptionError("window_start and window_end go together; give both or neither")
        _window_of(self)

    @property
    def dead_letter_folder(self) -> str:
        """Where rejected rows go."""
        return self.dead_letter or f"{self.output.rstrip('/')}-dead-letter"


@dataclass(frozen=True)
class Recipe:
    """An examples job made concrete.

    Attributes:
        tasks: what to read.
        adapter: turns rows into events.
        rules: what is cleaned away.
        tombstones: who is forgotten.
        generator: where to predict; fitted.
        spec: how instances are coded; fitted.
        window: the data window, or None where the events decide.
        shards: number of shards.
        read_columns: event columns to read.
        shard_columns: event columns that cross the shuffle.
    """

    tasks: tuple[ReadTask, ...]
    adapter: Adapter
    rules: CleaningRules
    tombstones: Tombstones
    generator: ExampleGenerator
    spec: FeatureSpec
    window: Window | None
    shards: int
    read_columns: tuple[str, ...]
    shard_columns: tuple[str, ...]

    @property
    def worker_paths(self) -> tuple[str, ...]:
        """Every path that workers read."""
        return tuple(task.path for task in self.tasks)


def make_recipe(options: ExamplesOptions) -> Recipe:
    """Loads, fits and checks everything that a job needs.

    Raises:
        AuguryError: one of its kinds for a missing file, an unknown generator, an impossible spec, ...
    """
    tasks = tuple(plan_reads(options.events, options.format))
    adapter = get_adapter(options.adapter, now_us=time.time_ns() // 1000)
    rules = read_cleaning_rules(options.cleaning)
    spec = _spec_of(options)
    generator = load_generator(spec.generator, spec.generator_params)
    window = _window_of(options)
    tombstones = _tombstones_of(options, tasks)
    columns = _columns(spec, generator, rules, tombstones, options)
    if spec.needs_fitting or generator.needs_fitting:
        generator, spec = fit_to_sample(
            generator,
            spec,
            tasks=tasks,
            adapter=adapter,
            rules=rules,
            columns=columns,
            window=window,
            tombstones=tombstones,
        )
        spec = replace(spec, generator_params=generator_params(generator))
    tasks = tuple(open_streams(tasks, adapter.columns(columns)))
    shards = options.shards or _shards_for(estimate_rows(tasks))
    carried = {"timestamp_us", "message_id", "event", "type", *spec.required_columns(), *generator.requires}
    return Recipe(
        tasks=tasks,
        adapter=adapter,
        rules=rules,
        tombstones=tombstones,
        generator=generator,
        spec=spec,
        window=window,
        shards=shards,
        read_columns=columns,
        shard_columns=tuple(name for name in EVENT_SCHEMA.names if name in carried),
    )


def check_options(options: ExamplesOptions) -> None:
    """Refuses what no data could mend: an adapter, rules, a generator or a spec that cannot be.

    Raises:
        AuguryError: one of its kinds.
    """
    get_adapter(options.adapter, now_us=time.time_ns() // 1000)
    read_cleaning_rules(options.cleaning)
    _spec_of(options)


def _shards_for(rows: int) -> int:
    """Returns the number of shards for so many rows: 1, or enough in rounds of as many as are worked on at once."""
    needed = 1 + rows // EVENTS_PER_SHARD
    return 1 if needed == 1 else min(MAX_SHARDS, -(-needed // SHARDS_AT_ONCE) * SHARDS_AT_ONCE)


def _columns(
    spec: FeatureSpec,
    generator: ExampleGenerator,
    rules: CleaningRules,
    tombstones: Tombstones,
    options: ExamplesOptions,
) -> tuple[str, ...]:
    """Returns the event columns that somebody on the way needs, in the order of the schema."""
    wanted = {"message_id", "anonymous_id", "timestamp_us", "event", "type"}
    wanted.update(spec.required_columns(), generator.requires, rules.required_columns())
    if options.link_visitors:
        wanted.add("user_id")
    if len(tombstones):
        wanted.update(REQUIRED_COLUMNS)
    return tuple(name for name in EVENT_SCHEMA.names if name in wanted)


def _tombstones_of(options: ExamplesOptions, tasks: Sequence[ReadTask]) -> Tombstones:
    if options.tombstones is None:
        return Tombstones.union(map(Tombstones.load, tombstones_beside([task.path for task in tasks])))
    if not tombstone_files(options.tombstones):
        raise ExamplesOptionError(
            f"tombstones {options.tombstones} has no tombstones in it; name the folder `tombstones` of an archive, or "
            "leave the option out"
        )
    return Tombstones.load(options.tombstones)


def _spec_of(options: ExamplesOptions) -> FeatureSpec:
    if options.spec:
        return FeatureSpec.from_json(read_text(options.spec))
    generator = load_generator(options.generator, _object(options.generator_params))
    return FeatureSpec(
        sequence_length=options.sequence_length,
        hash=HashSpec(size=options.hash_size, seed=options.seed),
        agent_from="context" if options.adapter == "ga4" else "user_agent",  # GA4 exports hold no user agents
        hides=tuple(generator.hides),
        begins_after=tuple(generator.begins_after),
        stats=tuple(generator.stats),
        classes=generator.classes,
        generator=options.generator,
        generator_params=generator_params(generator),
        split=SplitSpec(by=options.split_by, validation=options.validation, test=options.test, seed=options.seed),  # type: ignore[arg-type]  # checked by SplitSpec
        session_rules=SessionRules(
            gap_seconds=None if options.gap_minutes is None else options.gap_minutes * 60.0,
            max_events=options.max_events,
        ),
    )


def _object(text: str) -> dict[str, Any]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as e:
        raise ExamplesOptionError(f"generator_params is {text!r}, which is not JSON ({e})") from e
    if not isinstance(found, dict):
        raise ExamplesOptionError(f'generator_params is {text!r}; expected a JSON object such as {{"days": 7}}')
    return found


def _window_of(options: ExamplesOptions) -> Window | None:
    if options.window_start is None or options.window_end is None:
        return None
    window = Window(time_us("window_start", options.window_start), time_us("window_end", options.window_end))
    if window.start_us >= window.end_us:
        raise ExamplesOptionError(
            f"window_start {options.window_start} is not before window_end {options.window_end}; swap them"
        )
    return window


def time_us(name: str, text: str) -> int:
    """Returns the time that an option gives as ISO 8601, int64 microseconds UTC.

    Raises:
        ExamplesOptionError: it gives none.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError as e:
        raise ExamplesOptionError(
            f"{name} is {text!r}; expected ISO 8601 such as 2026-01-31 or 2026-01-31T12:00Z"
        ) from e
    time = time if time.tzinfo else time.replace(tzinfo=UTC)
    return (time - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)
