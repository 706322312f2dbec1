"""Reads photos, makes their variants and spools them; reads conversions into pieces by shard. One stage does both.

A runner on one machine finishes a stage before it begins the next, so whatever does not wait for something else is done
in the same one.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import apache_beam as beam
import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.catalogue import NOT_AN_IMAGE_NAME, NOT_IN_TABLE
from features.checks import dead_letters
from features.conversions import TRUTH, UNKNOWN_PRODUCT, UNKNOWN_VARIANT, part
from features.conversions_tables import read_conversions, simulation_of
from features.creative_spec import CreativeSpec
from features.images import ImageLimits, decode_image
from features.images_hash import perceptual_hash
from features.images_headers import ImageError
from features.storage import StorageError, explained, open_atomic, open_filesystem, read_bytes
from features.variants_stored import encode_variant, make_variants
from transforms.creative_work import (
    SPOOL_SCHEMA,
    CatalogueTask,
    ConversionTask,
    CreativeLayout,
    PhotoTask,
    Product,
    shard_of,
)
from transforms.image_sets import Looks
from transforms.ipc import from_ipc, to_ipc
from transforms.letters import write_letters
from transforms.read_events import TALLY
from transforms.tally import Tally, count
from transforms.worker_sizes import DECODES_IMAGES, sized

LOOKS = "looks"
"""Tag of the output that carries ``Looks``."""

NO_FAULT = (NOT_AN_IMAGE_NAME, NOT_IN_TABLE)
"""Reasons why a file is no product that are nothing to worry about: they count in no share of bad rows."""

MISSING = "missing_file"
UNREADABLE = "unreadable_file"
RECORDED = "recorded"
"""Kind of the tally that says which counts the conversions give."""

SIMULATED_BY = "simulated_by"
"""Kind of the tally that says how conversions that were read had been simulated."""

ANYHOW = "unknown"


@dataclass(frozen=True)
class Sources:
    """What all tasks know.

    Attributes:
        spec: what is made.
        layout: where it goes.
        per_shard: products of a shard.
        numbers: product -> its number; empty where there are no conversions to read.
        dead_letter: folder for what is refused.
        limits: what photos are still decoded.
    """

    spec: CreativeSpec
    layout: CreativeLayout
    per_shard: int
    numbers: dict[str, int]
    dead_letter: str
    limits: ImageLimits


class MakeVariants(beam.PTransform):
    """Tasks -> ((shard, path of a spool file, or conversions as IPC); ``Looks``; ``Tally`` under their tags).

    Args:
        tasks: what to do.
        sources: what all of them know.
    """

    def __init__(self, tasks: Sequence[PhotoTask | ConversionTask | CatalogueTask], sources: Sources) -> None:
        super().__init__()
        self._tasks = tasks
        self._worker = _Work(sources)

    def expand(self, pipeline: beam.Pipeline) -> Any:
        return (
            pipeline
            | "PlanTasks" >> beam.Create(list(self._tasks))
            | "DoTasks"
            >> sized(beam.ParDo(self._worker), pipeline, DECODES_IMAGES).with_outputs(LOOKS, TALLY, main="pieces")
        )


def one_core() -> None:
    """Keeps libraries from using other cores than the process's own: the runner decides how much is done at once."""
    cv2.setNumThreads(1)
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)


Made: TypeAlias = (
    tuple[int, str | bytes]
    | beam.pvalue.TaggedOutput[Literal["looks"], Looks]
    | beam.pvalue.TaggedOutput[Literal["tally"], Tally]
)
"""What a task gives; as the type of an output it makes Beam encode the shard as an integer, not by pickling it."""


class _Work(beam.DoFn):
    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def setup(self) -> None:
        one_core()

    def process(self, task: PhotoTask | ConversionTask | CatalogueTask) -> Iterator[Made]:
        if isinstance(task, PhotoTask):
            yield from self._photos(task)
        elif isinstance(task, ConversionTask):
            yield from self._conversions(task)
        else:
            letters = write_letters(f"{self._sources.dead_letter}/part-catalogue.parquet", [from_ipc(task.letters)])
            left_out = {reason: n for reason, n in letters.items() if reason in NO_FAULT}
            counts = {reason: n for reason, n in letters.items() if reason not in NO_FAULT}
            read = count("read", {"photos": sum(counts.values())})
            named = {**count("left_out", left_out), **count("rejected_photos", counts)}
            yield beam.pvalue.TaggedOutput(TALLY, Tally({**read, **named}))

    def _photos(self, task: PhotoTask) -> Iterator[Made]:
        letters: list[pa.RecordBatch] = []
        columns: dict[str, list[Any]] = {name: [] for name in SPOOL_SCHEMA.names}
        numbers, hashes = [], []
        for product in task.products:
            try:
                hashes.append(self._add(product, columns))
                numbers.append(product.number)
            except ImageError as e:
                letters.append(dead_letters([e.reason], [f"{product.product}: {e.detail}"], product.path))
            except StorageError as e:
                reason = MISSING if e.errno in _ABSENT else UNREADABLE
                letters.append(dead_letters([reason], [product.product], product.path))
        if numbers:
            path = self._sources.layout.spool_path(task.number)
            with open_atomic(path, flush=False) as file, pa.ipc.new_file(file, SPOOL_SCHEMA) as writer:
                writer.write_table(pa.table(columns, SPOOL_SCHEMA))
            yield task.shard, path
        yield beam.pvalue.TaggedOutput(LOOKS, Looks(np.array(numbers, np.int32), np.array(hashes, np.uint64)))
        rejected = write_letters(f"{self._sources.dead_letter}/part-photos-{task.number:06d}.parquet", letters)
        counts = {**count("read", {"photos": len(task.products)}), **count("rejected_photos", rejected)}
        yield beam.pvalue.TaggedOutput(TALLY, Tally(counts))

    def _add(self, product: Product, columns: dict[str, list[Any]]) -> int:
        """Adds the variants of one photo to the columns of a spool file; returns its perceptual hash."""
        spec = self._sources.spec
        data = read_bytes(product.path)
        photo = decode_image(data, self._sources.limits)
        image_id = hashlib.sha256(data).hexdigest()
        for name, made in zip(spec.variant_names, make_variants(photo, spec), strict=True):
            row = (*_about(product), image_id, name, encode_variant(made, spec))
            for column, value in zip(columns.values(), row, strict=True):
                column.append(value)
        return int(perceptual_hash(photo))

    def _conversions(self, task: ConversionTask) -> Iterator[Made]:
        letters: list[pa.RecordBatch] = []
        counts: Counter[str] = Counter()
        source = self._sources
        fs, target = open_filesystem(task.path)
        with explained(task.path, "read", body=True), fs.open(target, "rb") as file:
            simulated = simulation_of(file)
            file.seek(0)
            for adapted in read_conversions(file, task.path, task.columns):
                counts["read/conversions"] += adapted.rows.num_rows + adapted.rejected.num_rows
                coded = adapted.rows.column("product").dictionary_encode()
                known = np.array([source.numbers.get(name, -1) for name in coded.dictionary.to_pylist()], np.int64)
                numbers = known[coded.indices.to_numpy(zero_copy_only=False)] if len(coded) else known
                reasons = np.full(len(numbers), "", object)
                variants = pc.is_in(adapted.rows.column("variant"), pa.array(source.spec.variant_names))
                reasons[~variants.to_numpy(False)] = UNKNOWN_VARIANT
                reasons[numbers < 0] = UNKNOWN_PRODUCT
                rows, unknown = part(adapted.rows, reasons, task.path)
                letters += [adapted.rejected, unknown]
                counts.update(f"{RECORDED}/{name}" for name in adapted.recorded)
                yield from _by_shard(rows, numbers[reasons == ""], source.per_shard)
                if simulated is None and any(name.startswith(TRUTH) for name in rows.schema.names):
                    simulated = ANYHOW
        if simulated is not None:
            counts[f"{SIMULATED_BY}/{simulated}"] += 1
        rejected = write_letters(f"{source.dead_letter}/part-conversions-{task.number:06d}.parquet", letters)
        read = count("read", {"conversions": counts.pop("read/conversions", 0)})
        yield beam.pvalue.TaggedOutput(TALLY, Tally({**counts, **read, **count("rejected_conversions", rejected)}))


_ABSENT = (2, 20)  # ENOENT, ENOTDIR


def _about(product: Product) -> tuple[int, str, str, str, str, str]:
    return product.number, product.product, product.kind, product.brand, product.gender, product.name


def _by_shard(rows: pa.RecordBatch, numbers: np.ndarray[Any, Any], per_shard: int) -> Iterator[tuple[int, bytes]]:
    shards = np.array([shard_of(number, per_shard) for number in numbers.tolist()], np.int64)
    for shard in np.unique(shards).tolist():
        yield shard, to_ipc(rows.filter(pa.array(shards == shard)))
