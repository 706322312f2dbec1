"""A job that makes a data set: staged, run to its end, and put in place with its card, or as if it had never begun."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from typing import Any, Protocol, TypeVar

import apache_beam as beam
import orjson

from features.fingerprinted import DATASET_CARD
from features.storage import list_files, open_filesystem, read_bytes
from pipelines.engines import is_dry_run, only_planned, refuse_local_paths
from pipelines.launch import beam_options, choose_runner, run_to_end
from pipelines.worker_pool import WorkerPool, worker_pool
from transforms.staging import Staging


class DatasetOptions(Protocol):
    """What the options of every such job say."""

    @property
    def output(self) -> str:
        """Where the data set goes."""

    @property
    def overwrite(self) -> bool:
        """Whether one that is there is replaced."""

    @property
    def dead_letter_folder(self) -> str:
        """Where what is rejected goes; empty where nothing can be."""


class PooledOptions(DatasetOptions, Protocol):
    """What the options of a job say that may have worker processes of its own."""

    @property
    def processes(self) -> int:
        """Number of worker processes on this machine."""

    @property
    def paths(self) -> Sequence[str]:
        """Every path that the job reads or writes."""


class DatasetRecipe(Protocol):
    """What the recipes of every such job say."""

    @property
    def worker_paths(self) -> Iterable[str]:
        """Every path that workers read."""


Options = TypeVar("Options", bound=DatasetOptions)
Pooled = TypeVar("Pooled", bound=PooledOptions)
Recipe = TypeVar("Recipe", bound=DatasetRecipe)


def make_dataset(
    options: Options,
    beam_flags: Sequence[str],
    make_recipe: Callable[[Options], Recipe],
    build: Callable[[beam.Pipeline, Options, Recipe, Staging], Any],
    pool: WorkerPool | None = None,
    card_file: str = DATASET_CARD,
) -> dict[str, Any]:
    """Runs a pipeline to its end and returns the dataset card; of a job that is only planned, where it will be.

    Args:
        options: what was asked for.
        beam_flags: flags for Beam.
        make_recipe: makes the options concrete, before any work.
        build: composes the pipeline.
        pool: of worker processes on this machine; None for this process, or wherever ``beam_flags`` say.
        card_file: name of the card.

    Raises:
        AuguryError: anything that makes the job impossible, or stopped it; the output is then as it was before.
    """
    flags = beam_options(beam_flags)
    refuse_local_paths(flags, filter(None, (options.output, options.dead_letter_folder)))
    runner = choose_runner(flags, pool)
    recipe = make_recipe(options)
    refuse_local_paths(flags, recipe.worker_paths)
    staging = Staging.begin(options.output, overwrite=options.overwrite)
    if not is_dry_run(flags):
        staging.clear(card_file)
        if options.dead_letter_folder:
            _clear_dead_letters(options.dead_letter_folder)
    try:
        pipeline = beam.Pipeline(runner=runner, options=flags)
        build(pipeline, options, recipe, staging)
        run_to_end(pipeline)
    finally:
        staging.discard()
    if only_planned(flags):
        return {"planned": f"{staging.final}/{card_file}"}
    card: dict[str, Any] = orjson.loads(read_bytes(f"{staging.final}/{card_file}"))
    return card


def make_pooled_dataset(
    options: Pooled,
    beam_flags: Sequence[str],
    worker_modules: Sequence[str],
    make_recipe: Callable[[Pooled], Recipe],
    build: Callable[[beam.Pipeline, Pooled, Recipe, Staging], Any],
    pool: WorkerPool | None = None,
) -> dict[str, Any]:
    """Does what ``make_dataset`` does, in ``options.processes`` worker processes.

    Args:
        options: what was asked for.
        beam_flags: flags for Beam.
        worker_modules: what the workers import before there is work.
        make_recipe: makes the options concrete, before any work.
        build: composes the pipeline.
        pool: of the workers, where one was started early.

    Raises:
        AuguryError: anything that makes the job impossible, or stopped it; the output is then as it was before.
    """
    own = nullcontext(pool) if pool else worker_pool(options.processes, worker_modules, options.paths, beam_flags)
    with own as workers:
        return make_dataset(options, beam_flags, make_recipe, build, workers)


def _clear_dead_letters(folder: str) -> None:
    """Removes what an earlier job rejected, so that the folder tells of this one only."""
    for path in list_files(f"{folder}/part-*.parquet"):
        files, target = open_filesystem(path)
        files.rm_file(target)
