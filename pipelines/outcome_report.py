"""What became of predictions: the log joined with what the visitors then did, the pipeline behind ``augury outcomes``.

Events and predictions cross one shuffle together, by shard of visitors; the shards' outcomes are small columns. Figures
and alarms are made of these by ``models.behavior.outcomes``, in a process that needs neither Beam nor the events.
"""

from collections.abc import Sequence
from typing import Any

import apache_beam as beam

from features.sessions import Window
from pipelines.dataset_job import make_dataset
from pipelines.launch import main, print_json
from pipelines.options import parse_options
from pipelines.outcome_options import OutcomeOptions
from pipelines.outcome_recipe import LOG, OutcomeRecipe, make_outcome_recipe
from transforms.bigquery_streams import open_streams
from transforms.choose_predictions import CHOSEN_COLUMNS, ChoosePredictions
from transforms.clean_events import CleanEvents
from transforms.name_visitors import NameVisitors
from transforms.own_events import replayed_logins
from transforms.publish_outcomes import OUTCOMES_CARD, PublishOutcomes
from transforms.read_events import TALLY, ReadEvents
from transforms.shard_events import SplitByShard
from transforms.staging import Staging
from transforms.tally import Tally, merge
from transforms.write_outcomes import JudgeShards


def build(pipeline: beam.Pipeline, options: OutcomeOptions, recipe: OutcomeRecipe, staging: Staging) -> Any:
    """Composes the pipeline; returns the collection of the one card.

    Args:
        pipeline: to add the steps to.
        options: what was asked for.
        recipe: what it came to.
        staging: where files are written and where they end.
    """
    tasks = open_streams(recipe.event_tasks, recipe.adapter.columns(recipe.read_columns))
    read = pipeline | "ReadEvents" >> ReadEvents(tasks, recipe.adapter, recipe.read_columns, options.dead_letter_folder)
    log_tasks = open_streams(recipe.log_tasks, LOG.columns(()))
    logged = pipeline | "ReadPredictions" >> ReadEvents(
        log_tasks, LOG, (), options.dead_letter_folder, first=len(tasks)
    )
    cleaned = read.events | "CleanEvents" >> CleanEvents(recipe.cleaning, recipe.rules.tombstones)
    window = beam.pvalue.AsSingleton(
        pipeline
        | "WindowOnce" >> beam.Create([recipe.events_end_us], reshuffle=False)
        | "SpanWindow" >> beam.Map(_window, beam.pvalue.AsList(cleaned[TALLY]))
    )
    identities = replayed_logins(pipeline, cleaned.events) if options.link_visitors else None
    chosen = logged.events | "ChoosePredictions" >> ChoosePredictions(recipe.rules, identities)
    events = (
        cleaned.events
        | "NameVisitors" >> NameVisitors(recipe.shard_columns, identities)
        | "SplitEvents" >> SplitByShard(recipe.shards, recipe.shard_columns)
    )
    predictions = chosen.predictions | "SplitPredictions" >> SplitByShard(recipe.shards, CHOSEN_COLUMNS)
    written = (
        (events, predictions)
        | "BothOfThem" >> beam.Flatten()
        | "GroupByShard" >> beam.GroupByKey()
        | "JudgeShards"
        >> JudgeShards(
            recipe.judges,
            recipe.settle_us,
            staging.work,
            recipe.shards,
            window,
            recipe.shard_columns,
            flush=not staging.staged,
        )
    )
    return pipeline | "PublishOutcomes" >> PublishOutcomes(
        written, (read[TALLY], cleaned[TALLY]), (logged[TALLY], chosen[TALLY]), window, recipe.notes, staging
    )


def join_outcomes(options: OutcomeOptions, beam_flags: Sequence[str] = ()) -> dict[str, Any]:
    """Runs the pipeline to its end and returns the card.

    Raises:
        AuguryError: anything that makes the job impossible, or stopped it; the output is then as it was before.
    """
    return make_dataset(options, beam_flags, make_outcome_recipe, build, card_file=OUTCOMES_CARD)


def run(argv: Sequence[str]) -> None:
    """Runs the pipeline as ``argv`` says: its own options and Beam's; prints the card."""
    options, beam_flags = parse_options(OutcomeOptions, argv, __doc__)
    print_json(join_outcomes(options, beam_flags))


def _window(end_us: int | None, tallies: list[Tally]) -> Window:
    span = merge(tallies)
    return Window(span.start_us or 0, end_us if end_us is not None else span.end_us or 1)


if __name__ == "__main__":
    main(run)
