"""An outcome report made concrete: which versions can be judged and how, what to read, who is forgotten."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version

from example_generators.catalogue import load_generator
from example_generators.errors import GeneratorError
from features.adapters import Adapter, get_adapter
from features.cleaning import CleaningRules
from features.cleaning_file import read_cleaning_rules
from features.events import EVENT_SCHEMA
from features.identities import REQUIRED_COLUMNS as OF_IDENTITIES
from features.prediction_log import PredictionLogAdapter
from features.tombstones import REQUIRED_COLUMNS as OF_TOMBSTONES
from features.tombstones import Tombstones, tombstone_files, tombstones_beside
from models.behavior.scoring import version_specs
from pipelines.behavior_recipe import EVENTS_PER_SHARD, MAX_SHARDS, time_us
from pipelines.estimate import estimate_rows
from pipelines.outcome_options import OutcomeOptionError, OutcomeOptions
from transforms.choose_predictions import PredictionRules
from transforms.judge_predictions import Judge
from transforms.publish_outcomes import OutcomeNotes
from transforms.publish_predictions import PREDICTIONS_CARD
from transforms.read_tasks import ReadTask
from transforms.sources import plan_reads

UNKNOWN_GENERATOR, UNFITTED = "unknown_generator", "generator_without_its_fit"

_DAY_US = 86_400_000_000
_CARRIED = ("timestamp_us", "message_id", "event", "type")


@dataclass(frozen=True)
class OutcomeRecipe:
    """An outcome report made concrete.

    Attributes:
        event_tasks: what to read of events.
        log_tasks: what to read of the prediction log.
        adapter: turns rows into events.
        cleaning: what is cleaned away.
        rules: which predictions are judged.
        judges: version -> how its predictions are judged.
        settle_us: how long after a week's end its answers count as in, microseconds.
        events_end_us: when the events end; None for just after the last of them.
        read_columns: event columns to read.
        shard_columns: event columns that cross the shuffle.
        shards: number of shards.
        notes: what the card says.
    """

    event_tasks: tuple[ReadTask, ...]
    log_tasks: tuple[ReadTask, ...]
    adapter: Adapter
    cleaning: CleaningRules
    rules: PredictionRules
    judges: Mapping[str, Judge]
    settle_us: int
    events_end_us: int | None
    read_columns: tuple[str, ...]
    shard_columns: tuple[str, ...]
    shards: int
    notes: OutcomeNotes

    @property
    def worker_paths(self) -> tuple[str, ...]:
        """Every path that workers read."""
        return tuple(task.path for task in (*self.event_tasks, *self.log_tasks))


def make_outcome_recipe(options: OutcomeOptions) -> OutcomeRecipe:
    """Finds out how each version is judged, plans the reading, and reads who is forgotten.

    Raises:
        AuguryError: one of its kinds for a missing file, a model that is not there, impossible days, ...
    """
    now_us = time.time_ns() // 1000
    times = {name: _time(options, name) for name in ("window_start", "window_end", "events_end")}
    start_us, end_us = times["window_start"], times["window_end"]
    if start_us is not None and end_us is not None and start_us >= end_us:
        raise OutcomeOptionError(f"window_start {options.window_start} is not before window_end {options.window_end}")
    specs, unusable = version_specs(options.registry, options.model)
    judges: dict[str, Judge] = {}
    for name, spec in specs.items():
        try:
            generator = load_generator(spec.generator, spec.generator_params)
        except GeneratorError:
            unusable[name] = UNKNOWN_GENERATOR
            continue
        if generator.needs_fitting:
            unusable[name] = UNFITTED
            continue
        judges[name] = Judge(generator, spec.session_rules, spec.hides, spec.begins_after)
    if not judges:
        why = ", ".join(sorted({*unusable.values()})) or "it has none"
        raise OutcomeOptionError(
            f"no version of behavior/{options.model} in {options.registry} can be judged ({why}); check the registry, "
            "and install the package that has the example generator"
        )
    event_tasks, log_tasks = tuple(plan_reads(options.events, options.format)), _log_tasks(options)
    adapter, cleaning = get_adapter(options.adapter, now_us=now_us), read_cleaning_rules(options.cleaning)
    paths = [task.path for task in event_tasks]
    folders = tombstones_beside(paths) if options.tombstones is None else [options.tombstones]
    if options.tombstones is not None and not tombstone_files(options.tombstones):
        raise OutcomeOptionError(
            f"tombstones {options.tombstones} has no tombstones in it; name the folder `tombstones` of an archive, or "
            "leave the option out"
        )
    carried = {*_CARRIED, *(name for judge in judges.values() for name in judge.generator.requires)}
    read = {*carried, *cleaning.required_columns(), *OF_TOMBSTONES, *OF_IDENTITIES}
    read -= set() if options.link_visitors else {"properties"} - carried - set(cleaning.required_columns())
    rows = estimate_rows(event_tasks) + estimate_rows(log_tasks) if options.shards is None else 0
    return OutcomeRecipe(
        event_tasks=event_tasks,
        log_tasks=log_tasks,
        adapter=adapter,
        cleaning=cleaning,
        rules=PredictionRules(
            options.model,
            {name: specs[name].classes for name in judges},
            unusable,
            start_us,
            end_us,
            Tombstones.union(map(Tombstones.load, folders)),
        ),
        judges=judges,
        settle_us=round(options.settle_days * _DAY_US),
        events_end_us=times["events_end"],
        read_columns=tuple(name for name in EVENT_SCHEMA.names if name in read),
        shard_columns=tuple(name for name in EVENT_SCHEMA.names if name in carried),
        shards=options.shards or min(MAX_SHARDS, 1 + rows // EVENTS_PER_SHARD),
        notes=OutcomeNotes(
            model=options.model,
            registry=options.registry,
            versions={
                name: {"generator": specs[name].generator, "fingerprint": specs[name].fingerprint} for name in judges
            },
            unusable=unusable,
            events=options.events,
            predictions=options.predictions,
            tombstones=tuple(folders),
            settle_days=options.settle_days,
            created_us=now_us,
            code_version=version("augury"),
            max_bad_share=options.max_bad_share,
            dead_letter=options.dead_letter_folder,
        ),
    )


LOG = PredictionLogAdapter()


def _log_tasks(options: OutcomeOptions) -> tuple[ReadTask, ...]:
    """Returns what to read of the log; the card that a batch prediction leaves beside its rows is none of it."""
    tasks = tuple(task for task in plan_reads(options.predictions) if not task.path.endswith(f"/{PREDICTIONS_CARD}"))
    if not tasks:
        raise OutcomeOptionError(
            f"{', '.join(options.predictions)} holds no predictions; name the archive's folder predictions, or one "
            "that augury batch-predict wrote"
        )
    return tasks


def _time(options: OutcomeOptions, name: str) -> int | None:
    given = getattr(options, name)
    return None if given is None else time_us(name, given)
