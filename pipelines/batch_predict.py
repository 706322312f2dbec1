"""Every visitor of a window scored by a version of a model: the pipeline behind ``augury batch-predict``.

The predictions are those that the service would give at the end of the window, had its fast store received the same
events: the same rules say whose an event is and which are kept (``features.identities``, ``transforms.own_events``),
and the same code makes instances of them and asks the model (``models.behavior.scoring``).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import GoogleCloudOptions

from features.adapters import Adapter, get_adapter
from features.cleaning import CleaningRules
from features.cleaning_file import read_cleaning_rules
from features.events import EVENT_SCHEMA
from features.sessions import Window
from features.tombstones import REQUIRED_COLUMNS, Tombstones, tombstone_files, tombstones_beside
from models.behavior.scoring import VersionScorer, find_version
from pipelines.batch_options import BatchOptionError, BatchPredictOptions
from pipelines.behavior_recipe import EVENTS_PER_SHARD, MAX_SHARDS
from pipelines.dataset_job import make_dataset
from pipelines.engines import is_dry_run, only_planned, refuse_local_paths
from pipelines.estimate import estimate_rows
from pipelines.launch import beam_options, choose_runner, counted, main, print_json, run_to_end
from pipelines.options import parse_options
from transforms.bigquery_streams import open_streams
from transforms.clean_events import CleanEvents
from transforms.log_predictions import LogPredictions, check_prediction_log, log_rows
from transforms.own_events import EMAIL, KEPT_COLUMNS, RECENT, REFUSED, OwnEvents, OwnRules, replayed_logins
from transforms.publish_predictions import PREDICTIONS_CARD, PredictionNotes, PublishPredictions
from transforms.read_events import TALLY, ReadEvents
from transforms.read_tasks import ReadTask
from transforms.score_visitors import ScoreVisitors, WritePredictions, WrittenPart, segments_of
from transforms.shard_events import GroupByShard
from transforms.sources import plan_reads
from transforms.staging import Staging
from transforms.tally import Tally, merge
from transforms.visitor_histories import VisitorHistories


@dataclass(frozen=True)
class BatchRecipe:
    """A batch prediction made concrete.

    Attributes:
        tasks: what to read.
        adapter: turns rows into events.
        cleaning: what is cleaned away.
        tombstones: who is forgotten.
        own: what counts of a visitor.
        version: whole name of the version that predicts.
        columns: event columns that the model reads.
        start_us: visitors need an event since; None for no such need.
        end_us: the moment that is asked about; None for just after the last event.
        shards: number of shards.
        notes: what the card says.
    """

    tasks: tuple[ReadTask, ...]
    adapter: Adapter
    cleaning: CleaningRules
    tombstones: Tombstones
    own: OwnRules
    version: str
    columns: tuple[str, ...]
    start_us: int | None
    end_us: int | None
    shards: int
    notes: PredictionNotes

    @property
    def worker_paths(self) -> tuple[str, ...]:
        """Every path that workers read."""
        return (self.notes.registry, *(task.path for task in self.tasks))

    @property
    def read_columns(self) -> tuple[str, ...]:
        """Event columns that somebody on the way needs, in the order of the schema."""
        wanted = {*self.columns, *self.own.required_columns(), *self.cleaning.required_columns(), *REQUIRED_COLUMNS}
        return tuple(name for name in EVENT_SCHEMA.names if name in wanted)


def make_batch_recipe(options: BatchPredictOptions) -> BatchRecipe:
    """Finds the version and checks that it can be asked, plans the reading, and reads who is forgotten.

    Raises:
        AuguryError: one of its kinds for a missing file, a version that is not there, an impossible window, ...
    """
    now_us = time.time_ns() // 1000
    rules = options.rules()
    tasks = tuple(plan_reads(options.events, options.format))
    found = find_version(options.registry, options.model, options.version)
    columns = VersionScorer.load(options.registry, options.model, found, rules).columns
    folders = tombstones_beside([task.path for task in tasks]) if options.tombstones is None else [options.tombstones]
    if options.tombstones is not None and not tombstone_files(options.tombstones):
        raise BatchOptionError(
            f"tombstones {options.tombstones} has no tombstones in it; name the folder `tombstones` of an archive, or "
            "leave the option out"
        )
    start_us, end_us = options.window_us
    return BatchRecipe(
        tasks=tasks,
        adapter=get_adapter(options.adapter, now_us=now_us),
        cleaning=read_cleaning_rules(options.cleaning),
        tombstones=Tombstones.union(map(Tombstones.load, folders)),
        own=OwnRules(rules, options.emails, options.consent_categories),
        version=found,
        columns=columns,
        start_us=start_us,
        end_us=end_us,
        shards=options.shards or min(MAX_SHARDS, 1 + estimate_rows(tasks) // EVENTS_PER_SHARD),
        notes=PredictionNotes(
            model=options.model,
            version=found,
            registry=options.registry,
            sources=options.events,
            tombstones=tuple(folders),
            created_us=now_us,
            code_version=version("augury"),
            max_bad_share=options.max_bad_share,
            dead_letter=options.dead_letter_folder,
            emails=options.emails,
        ),
    )


def build(
    pipeline: beam.Pipeline, options: BatchPredictOptions, recipe: BatchRecipe, staging: Staging | None
) -> beam.PCollection:
    """Composes the pipeline; returns the collection of the one card.

    Args:
        pipeline: to add the steps to.
        options: what was asked for.
        recipe: what it came to.
        staging: where files are written and where they end; None where predictions go to a table.
    """
    tasks = open_streams(recipe.tasks, recipe.adapter.columns(recipe.read_columns))
    read = pipeline | "ReadEvents" >> ReadEvents(tasks, recipe.adapter, recipe.read_columns, options.dead_letter_folder)
    cleaned = read.events | "CleanEvents" >> CleanEvents(recipe.cleaning, recipe.tombstones)
    tallies = (read[TALLY], cleaned[TALLY])
    window = beam.pvalue.AsSingleton(
        pipeline
        | "WindowOnce" >> beam.Create([None], reshuffle=False)
        | "SpanWindow" >> beam.Map(_window, beam.pvalue.AsList(cleaned[TALLY]), recipe.start_us, recipe.end_us)
    )
    identities = replayed_logins(pipeline, cleaned.events) if options.link_visitors else None
    carried = tuple(dict.fromkeys((*KEPT_COLUMNS, *recipe.columns, RECENT, REFUSED, EMAIL)))
    owned = cleaned.events | "OwnEvents" >> OwnEvents(recipe.own, recipe.columns, window, identities)
    histories = (
        owned.events
        | "GroupByShard" >> GroupByShard(recipe.shards, carried)
        | "VisitorHistories" >> VisitorHistories(options.store_events, window)
    )
    load = partial(VersionScorer.load, options.registry, options.model, recipe.version, recipe.own.recent)
    scored = histories.parts | "ScoreVisitors" >> ScoreVisitors(load, window)
    if staging is None:
        rows = scored | "RowsOfPart" >> beam.Map(lambda part: part.rows)
        _ = rows | "LogRows" >> beam.Map(log_rows) | "LogPredictions" >> LogPredictions(options.output)
        written = rows | "CountRows" >> beam.Map(lambda rows: WrittenPart("", len(rows), segments_of(rows)))
    else:
        written = scored | "WritePredictions" >> WritePredictions(
            staging.work, options.output_format, recipe.shards, flush=not staging.staged
        )
    return pipeline | "PublishPredictions" >> PublishPredictions(
        written, (*tallies, owned[TALLY], histories[TALLY]), window, recipe.notes, staging
    )


def batch_predict(options: BatchPredictOptions, beam_flags: Sequence[str] = ()) -> dict[str, Any]:
    """Runs the pipeline to its end and returns the card; where predictions go to a table, what was counted.

    Raises:
        AuguryError: anything that makes the job impossible, or stopped it; an output folder is then as it was before.
    """
    if not options.to_table:
        return make_dataset(options, beam_flags, make_batch_recipe, build, card_file=PREDICTIONS_CARD)
    flags = beam_options(beam_flags)
    recipe = make_batch_recipe(options)
    refuse_local_paths(flags, (options.dead_letter_folder, *recipe.worker_paths))
    if not flags.view_as(GoogleCloudOptions).temp_location:
        raise BatchOptionError(
            f"output is {options.output}, which rows are loaded into from files: say with --temp_location=gs://... "
            "where these may lie meanwhile"
        )
    if not is_dry_run(flags):
        check_prediction_log(options.output)
    pipeline = beam.Pipeline(runner=choose_runner(flags), options=flags)
    build(pipeline, options, recipe, None)
    result = run_to_end(pipeline)
    return {"planned": options.output} if only_planned(flags) else counted(result)


def run(argv: Sequence[str]) -> None:
    """Runs the pipeline as ``argv`` says: its own options and Beam's; prints the card."""
    options, beam_flags = parse_options(BatchPredictOptions, argv, __doc__)
    print_json(batch_predict(options, beam_flags))


def _window(_: None, tallies: list[Tally], start_us: int | None, end_us: int | None) -> Window:
    span = merge(tallies)
    end = end_us if end_us is not None else span.end_us or 1
    return Window(start_us if start_us is not None else min(span.start_us or 0, end - 1), end)


if __name__ == "__main__":
    main(run)
