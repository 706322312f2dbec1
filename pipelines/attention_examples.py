"""Images and gaze to examples of where people look: the pipeline behind ``augury attention-examples``."""

from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import Any

import apache_beam as beam

from features.images import ImageLimits
from pipelines.attention_options import WORKER_MODULES, AttentionExamplesOptions
from pipelines.attention_recipe import AttentionRecipe, make_attention_recipe
from pipelines.dataset_job import make_pooled_dataset
from pipelines.launch import main, print_json
from pipelines.options import parse_options
from pipelines.worker_pool import WorkerPool
from transforms.attention_splits import ImageSplits, assign_image_splits
from transforms.image_sets import ImageLayout, Looks
from transforms.publish_attention import AttentionNotes, PublishAttention
from transforms.read_attention import LOOKS, ReadAttention
from transforms.read_gaze import GazeReader
from transforms.read_images import ImageReader
from transforms.staging import Staging
from transforms.tally import TALLY
from transforms.write_attention import WriteAttention


def build(
    pipeline: beam.Pipeline, options: AttentionExamplesOptions, recipe: AttentionRecipe, staging: Staging
) -> beam.PCollection:
    """Composes the pipeline; returns the collection of the one dataset card.

    Args:
        pipeline: to add the steps to.
        options: what was asked for.
        recipe: what it came to.
        staging: where files are written and where they end.
    """
    letters = options.dead_letter_folder
    layout = ImageLayout(staging.work, recipe.shards, flush=not staging.staged)
    read = pipeline | "ReadAttention" >> ReadAttention(
        recipe.gaze,
        recipe.images,
        recipe.shards,
        GazeReader(recipe.images, recipe.shards, letters),
        ImageReader(recipe.spec, layout, letters, ImageLimits()),
    )
    splits = beam.pvalue.AsSingleton(
        pipeline
        | "SplitOnce" >> beam.Create([None], reshuffle=False)
        | "AssignSplits" >> beam.ParDo(_AssignSplits(recipe), beam.pvalue.AsList(read[LOOKS]))
    )
    reports = (
        read.pieces
        | "GroupByShard" >> beam.GroupByKey()
        | "WriteAttention" >> WriteAttention(recipe.images, recipe.forced_first, recipe.spec, layout, splits)
    )
    notes = AttentionNotes(
        sources=(options.sets,),
        sets=recipe.plain,
        code_version=version("augury"),
        max_bad_share=options.max_bad_share,
        dead_letter=letters,
        near_bits=recipe.shares.near_bits,
    )
    tallies = beam.pvalue.AsList(read[TALLY])
    return pipeline | "PublishAttention" >> PublishAttention(
        reports, tallies, splits, recipe.spec, notes, layout, staging
    )


def make_attention_examples(
    options: AttentionExamplesOptions, beam_flags: Sequence[str] = (), pool: WorkerPool | None = None
) -> dict[str, Any]:
    """Runs the pipeline to its end and returns the dataset card.

    Args:
        options: what was asked for.
        beam_flags: flags for Beam.
        pool: of ``options.processes`` workers, where one was started early.

    Raises:
        AuguryError: anything that makes the job impossible, or stopped it; the output is then as it was before.
    """
    return make_pooled_dataset(options, beam_flags, WORKER_MODULES, make_attention_recipe, build, pool)


def run(argv: Sequence[str]) -> None:
    """Runs the pipeline as ``argv`` says: its own options and Beam's; prints the card."""
    options, beam_flags = parse_options(AttentionExamplesOptions, argv, __doc__)
    print_json(make_attention_examples(options, beam_flags))


class _AssignSplits(beam.DoFn):
    """Holds the images, since Beam checks the type of each item of what is given beside a function."""

    def __init__(self, recipe: AttentionRecipe) -> None:
        self._images = recipe.images
        self._shares = recipe.shares

    def process(self, element: None, looks: list[Looks]) -> Iterator[ImageSplits]:
        yield assign_image_splits(self._images, looks, self._shares)


if __name__ == "__main__":
    main(run)
