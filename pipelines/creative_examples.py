"""Product photos to examples of their variants, with conversions: the pipeline behind ``augury creative-examples``."""

from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import Any

import apache_beam as beam

from features.images import ImageLimits
from pipelines.creative_options import WORKER_MODULES, CreativeExamplesOptions
from pipelines.creative_recipe import CreativeRecipe, make_creative_recipe
from pipelines.dataset_job import make_pooled_dataset
from pipelines.launch import main, print_json
from pipelines.options import parse_options
from pipelines.worker_pool import WorkerPool
from transforms.creative_splits import ProductSplits, assign_product_splits, split_hashes
from transforms.creative_work import CreativeLayout, merge_reports
from transforms.image_sets import Looks
from transforms.make_variants import LOOKS, MakeVariants, Sources
from transforms.publish_creative import CreativeNotes, PublishCreative
from transforms.read_events import TALLY
from transforms.staging import Staging
from transforms.write_creative import WriteCreative


def build(
    pipeline: beam.Pipeline, options: CreativeExamplesOptions, recipe: CreativeRecipe, staging: Staging
) -> beam.PCollection:
    """Composes the pipeline; returns the collection of the one dataset card.

    Args:
        pipeline: to add the steps to.
        options: what was asked for.
        recipe: what it came to.
        staging: where files are written and where they end.
    """
    letters = options.dead_letter_folder
    layout = CreativeLayout(staging.work, recipe.shards, flush=not staging.staged)
    numbers = {name: number for number, name in enumerate(recipe.products)} if recipe.reads_conversions else {}
    sources = Sources(recipe.spec, layout, recipe.per_shard, numbers, letters, ImageLimits())
    made = pipeline | "MakeVariants" >> MakeVariants(recipe.tasks, sources)
    splits = beam.pvalue.AsSingleton(
        pipeline
        | "SplitOnce" >> beam.Create([None], reshuffle=False)
        | "AssignSplits" >> beam.ParDo(_Assign(recipe), beam.pvalue.AsList(made[LOOKS]))
    )
    tallies = beam.pvalue.AsList(made[TALLY])
    reports = (
        made.pieces
        | "GroupByShard" >> beam.GroupByKey()
        | "WriteCreative" >> WriteCreative(recipe.spec, layout, letters, recipe.simulation, splits, tallies)
        # Added up where they are made: what one shard reports is small, what a thousand do is not.
        | "MergeReports" >> beam.CombineGlobally(merge_reports).without_defaults()
    )
    notes = CreativeNotes(
        sources=tuple(path for path in (options.catalogue, options.images, options.conversions) if path is not None),
        code_version=version("augury"),
        max_bad_share=options.max_bad_share,
        dead_letter=letters,
        near_bits=recipe.shares.near_bits,
        simulation=recipe.simulation,
    )
    return pipeline | "PublishCreative" >> PublishCreative(
        reports, tallies, splits, recipe.spec, notes, layout, staging
    )


def make_creative_examples(
    options: CreativeExamplesOptions, beam_flags: Sequence[str] = (), pool: WorkerPool | None = None
) -> dict[str, Any]:
    """Runs the pipeline to its end and returns the dataset card.

    Args:
        options: what was asked for.
        beam_flags: flags for Beam.
        pool: of ``options.processes`` workers, where one was started early.

    Raises:
        AuguryError: anything that makes the job impossible, or stopped it; the output is then as it was before.
    """
    return make_pooled_dataset(options, beam_flags, WORKER_MODULES, make_creative_recipe, build, pool)


def run(argv: Sequence[str]) -> None:
    """Runs the pipeline as ``argv`` says: its own options and Beam's; prints the card."""
    options, beam_flags = parse_options(CreativeExamplesOptions, argv, __doc__)
    print_json(make_creative_examples(options, beam_flags))


class _Assign(beam.DoFn):
    """Assigns splits; Beam would look at the type of each product's name if they were an argument of a function."""

    def __init__(self, recipe: CreativeRecipe) -> None:
        self._hashes = split_hashes(recipe.products, recipe.shares.seed)
        self._shares = recipe.shares

    def process(self, _: None, looks: list[Looks]) -> Iterator[ProductSplits]:
        yield assign_product_splits(self._hashes, looks, self._shares)


if __name__ == "__main__":
    main(run)
