"""Raw web events to coded examples: the pipeline behind ``augury examples``."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import apache_beam as beam

from features.sessions import Window
from pipelines.behavior_recipe import ExamplesOptions, Recipe, make_recipe
from pipelines.dataset_job import make_dataset
from pipelines.launch import main, print_json
from pipelines.options import parse_options
from transforms.clean_events import CleanEvents
from transforms.link_visitors import FindLinks, resolve_links
from transforms.publish_dataset import DatasetNotes, PublishDataset
from transforms.read_events import TALLY, ReadEvents
from transforms.shard_events import GroupByShard
from transforms.staging import Staging
from transforms.tally import Tally, merge
from transforms.write_examples import ShardLayout, WriteExamples


def build(pipeline: beam.Pipeline, options: ExamplesOptions, recipe: Recipe, staging: Staging) -> beam.PCollection:
    """Composes the pipeline; returns the collection of the one dataset card.

    Args:
        pipeline: to add the steps to.
        options: what was asked for.
        recipe: what it came to.
        staging: where files are written and where they end.
    """
    read = pipeline | "ReadEvents" >> ReadEvents(
        recipe.tasks, recipe.adapter, recipe.read_columns, options.dead_letter_folder
    )
    cleaned = read.events | "CleanEvents" >> CleanEvents(recipe.rules, recipe.tombstones, recipe.window)
    # side inputs one by one: flattened, they would keep runners from fusing the steps before the shuffle
    tallies = (beam.pvalue.AsList(read[TALLY]), beam.pvalue.AsList(cleaned[TALLY]))
    window = beam.pvalue.AsSingleton(
        pipeline
        | "WindowOnce" >> beam.Create([recipe.window], reshuffle=False)
        | "SpanWindow" >> beam.Map(_window, tallies[1])
    )
    links = None
    if options.link_visitors:
        found = cleaned.events | "FindLinks" >> FindLinks()
        links = beam.pvalue.AsSingleton(
            pipeline
            | "LinkOnce" >> beam.Create([None], reshuffle=False)
            | "ResolveLinks" >> beam.Map(lambda _, pairs: resolve_links(pairs), beam.pvalue.AsList(found))
        )
    layout = ShardLayout(staging.work, recipe.shards, options.compress, options.golden, flush=not staging.staged)
    reports = (
        cleaned.events
        | "GroupByShard" >> GroupByShard(recipe.shards, recipe.shard_columns, links)
        | "WriteExamples" >> WriteExamples(recipe.generator, recipe.spec, layout, window)
    )
    notes = DatasetNotes(
        generator=recipe.spec.generator,
        sources=options.events,
        code_version=version("augury"),
        max_bad_share=options.max_bad_share,
        dead_letter=options.dead_letter_folder,
    )
    return pipeline | "PublishDataset" >> PublishDataset(reports, tallies, window, recipe.spec, notes, staging)


def make_examples(options: ExamplesOptions, beam_flags: Sequence[str] = ()) -> dict[str, Any]:
    """Runs the pipeline to its end and returns the dataset card.

    Raises:
        AuguryError: anything that makes the job impossible, or stopped it; the output is then as it was before.
    """
    return make_dataset(options, beam_flags, make_recipe, build)


def run(argv: Sequence[str]) -> None:
    """Runs the pipeline as ``argv`` says: its own options and Beam's; prints the card."""
    options, beam_flags = parse_options(ExamplesOptions, argv, __doc__)
    print_json(make_examples(options, beam_flags))


def _window(given: Window | None, tallies: list[Tally]) -> Window:
    span = merge(tallies)
    return given or Window(span.start_us or 0, span.end_us or 0)


if __name__ == "__main__":
    main(run)
