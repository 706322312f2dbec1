"""Creative examples to a recogniser's vectors of them: the pipeline behind ``augury creative-embeddings``."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

import apache_beam as beam
import orjson

from features.creative_spec import SPEC, CreativeSpec
from features.fingerprinted import DATASET_CARD
from features.splits import SPLITS
from features.storage import StorageError, list_files, read_bytes, read_text
from models.creative.recognizer import MODEL_FILE, Recognizer
from pipelines.dataset_job import make_pooled_dataset
from pipelines.embeddings_options import WORKER_MODULES, CreativeEmbeddingsOptions, EmbeddingOptionError
from pipelines.launch import main, print_json
from pipelines.options import parse_options
from pipelines.worker_pool import WorkerPool
from transforms.embed_images import EmbedImages, ExamplesFile
from transforms.publish_embeddings import EmbeddingNotes, PublishEmbeddings
from transforms.staging import Staging


@dataclass(frozen=True)
class EmbeddingsRecipe:
    """An embeddings job made concrete.

    Attributes:
        spec: of the examples and of the recogniser.
        files: of the examples.
        notes: what the card says.
    """

    spec: CreativeSpec
    files: tuple[ExamplesFile, ...]
    notes: EmbeddingNotes

    @property
    def worker_paths(self) -> tuple[str, ...]:
        """Every path that workers read."""
        return self.notes.recognizer, *(file.path for file in self.files)


def make_recipe(options: CreativeEmbeddingsOptions) -> EmbeddingsRecipe:
    """Looks at the examples and the recogniser.

    Raises:
        EmbeddingOptionError: the examples are incomplete.
        PredictorError: the recogniser is none, or was trained on images made by another spec.
        StorageError: a file is missing.
    """
    examples = options.examples.rstrip("/")
    try:
        card = orjson.loads(read_bytes(f"{examples}/{DATASET_CARD}"))
        promised = {split: int(card["splits"][split]["examples"]) for split in SPLITS}
    except (StorageError, ValueError, KeyError, TypeError) as e:
        reason = " ".join(str(e).split())[:200]
        raise EmbeddingOptionError(
            f"{examples} is not a complete examples folder ({reason}); run `augury creative-examples` to its end"
        ) from e
    spec = CreativeSpec.from_json(read_text(f"{examples}/{SPEC}"))
    recognizer = Recognizer.load(options.recognizer, spec, threads=1)
    paths = [(split, path) for split in SPLITS for path in list_files(f"{examples}/{split}") if ".tfrecord" in path]
    notes = EmbeddingNotes(
        examples=examples,
        promised=promised,
        recognizer=options.recognizer,
        model_sha256=hashlib.sha256(read_bytes(f"{options.recognizer.rstrip('/')}/{MODEL_FILE}")).hexdigest(),
        dimension=recognizer.dimension,
        code_version=version("augury"),
    )
    return EmbeddingsRecipe(spec, tuple(ExamplesFile(n, *place) for n, place in enumerate(paths)), notes)


def build(
    pipeline: beam.Pipeline, options: CreativeEmbeddingsOptions, recipe: EmbeddingsRecipe, staging: Staging
) -> beam.PCollection:
    """Composes the pipeline; returns the collection of the one dataset card.

    Args:
        pipeline: to add the steps to.
        options: what was asked for.
        recipe: what it came to.
        staging: where files are written and where they end.
    """
    load = partial(Recognizer.load, options.recognizer, recipe.spec, threads=1)
    written = (
        pipeline
        | "Files" >> beam.Create(recipe.files)
        | "EmbedImages" >> EmbedImages(load, staging.work, options.batch_size, flush=not staging.staged)
    )
    return pipeline | "PublishEmbeddings" >> PublishEmbeddings(written, recipe.spec, recipe.notes, staging)


def make_creative_embeddings(
    options: CreativeEmbeddingsOptions, beam_flags: Sequence[str] = (), pool: WorkerPool | None = None
) -> dict[str, Any]:
    """Runs the pipeline to its end and returns the dataset card.

    Args:
        options: what was asked for.
        beam_flags: flags for Beam.
        pool: of ``options.processes`` workers, where one was started early.

    Raises:
        AuguryError: anything that makes the job impossible, or stopped it; the output is then as it was before.
    """
    return make_pooled_dataset(options, beam_flags, WORKER_MODULES, make_recipe, build, pool)


def run(argv: Sequence[str]) -> None:
    """Runs the pipeline as ``argv`` says: its own options and Beam's; prints the card."""
    options, beam_flags = parse_options(CreativeEmbeddingsOptions, argv, __doc__)
    print_json(make_creative_embeddings(options, beam_flags))


if __name__ == "__main__":
    main(run)
