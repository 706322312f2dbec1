"""All that trees are trained on: examples, embeddings and a recogniser that belong together, and their targets."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc

from features.creative_spec import Target
from features.splits import SPLITS
from features.storage import exists, read_bytes
from models.creative.conversion.belonging import check_belonging
from models.creative.conversion.inputs import Inputs, Reduction, categories_of
from models.creative.conversion.options import ConversionOptions, OptionError
from models.creative.conversion.rows import Photos, Rows, read_photos, read_rows
from models.creative.conversion.trees import Matrix
from models.creative.dataset import ExamplesFolder
from models.creative.recognizer import MODEL_FILE, Recognizer
from models.examples_folder import DatasetError
from models.progress import Progress

_MOST_BYTES = 4 * 2**30
_EVALUATION = "evaluation.json"


@dataclass(frozen=True, eq=False)
class Split:
    """The rows of a split, with what trees see of them.

    Attributes:
        rows: N conversions.
        matrix: float32 (N, F).
        unseen: category -> rows whose value no training product has.
    """

    rows: Rows
    matrix: Matrix
    unseen: Mapping[str, int]

    def of(self, target: Target) -> "Split":
        """Returns the rows of which a target was recorded."""
        places = self.rows.recorded(target)
        return Split(self.rows.take(places), self.matrix[places], self.unseen)


@dataclass(frozen=True, eq=False)
class TrainingData:
    """What training reads.

    Attributes:
        folder: of the examples.
        photos: split -> vectors.
        splits: split -> rows.
        inputs: what the trees see, fixed on the training rows.
        targets: to predict.
        not_recorded: targets of the spec that nobody recorded.
        rare: category -> values that are too many to keep.
        recognizer_digest: SHA-256, in hex, of the recogniser's graph.
        recognizer_evaluation: what its training measured; None where it left none.
    """

    folder: ExamplesFolder
    photos: Mapping[str, Photos]
    splits: Mapping[str, Split]
    inputs: Inputs
    targets: tuple[Target, ...]
    not_recorded: tuple[str, ...]
    rare: Mapping[str, int]
    recognizer_digest: str
    recognizer_evaluation: Mapping[str, Any] | None

    @property
    def simulated(self) -> Any:
        """False, or what the dataset card says of the simulation."""
        return self.folder.card.get("simulated", False)


def read_data(options: ConversionOptions, progress: Progress) -> TrainingData:
    """Reads and checks all of it, before any work.

    Raises:
        DatasetError: something is missing, does not belong together, or cannot be learnt from.
        OptionError: a target that is unknown or was not recorded.
        PredictorError: the recogniser is damaged, or of another spec than the examples.
        StorageError: a folder cannot be read.
    """
    folder = ExamplesFolder.open(options.examples)
    recognizer = Recognizer.load(options.recognizer, folder.spec)
    digest = hashlib.sha256(read_bytes(f"{options.recognizer}/{MODEL_FILE}")).hexdigest()
    check_belonging(options.embeddings.rstrip("/"), folder, options.recognizer, digest)
    photos: dict[str, Photos] = {}
    rows: dict[str, Rows] = {}
    for index, split in enumerate(SPLITS):
        progress("read", index, len(SPLITS), split)
        photos[split] = read_photos(options.embeddings.rstrip("/"), split)
        rows[split] = read_rows(folder, photos[split], split)
    progress("read", len(SPLITS), len(SPLITS), "")
    _check_apart(rows, folder.path)
    _check_sizes(photos, recognizer, options)
    targets, missing = _targets(options, folder, rows)
    for target in targets:
        _check_target(target, rows, options)
    inputs, rare = _inputs(options, folder, photos["train"], rows["train"])
    columns = len(inputs.kinds)
    total = sum(len(part) for part in rows.values())
    if 4 * total * columns > _MOST_BYTES:
        raise DatasetError(
            f"{total:,} rows of {columns:,} numbers are more than {_MOST_BYTES >> 30} GB; take --vector logits, or "
            "--reduce 32"
        )
    splits = {split: _see(rows[split], photos[split], inputs) for split in SPLITS}
    evaluation = f"{options.recognizer}/{_EVALUATION}"
    return TrainingData(
        folder=folder,
        photos=photos,
        splits=splits,
        inputs=inputs,
        targets=targets,
        not_recorded=missing,
        rare=rare,
        recognizer_digest=digest,
        recognizer_evaluation=json.loads(read_bytes(evaluation)) if exists(evaluation) else None,
    )


def _see(rows: Rows, photos: Photos, inputs: Inputs) -> Split:
    seen = inputs.see(photos.vectors[inputs.vector])
    return Split(rows, *inputs.join(seen[rows.photo], rows.campaigns(inputs.categories)))


def _inputs(
    options: ConversionOptions, folder: ExamplesFolder, photos: Photos, rows: Rows
) -> tuple[Inputs, dict[str, int]]:
    vectors = photos.vectors[options.vector]
    if options.reduce > min(vectors.shape):
        raise OptionError(
            f"reduce is {options.reduce}; expected at most {min(vectors.shape)}, for {len(vectors)} vectors of "
            f"{vectors.shape[1]} numbers"
        )
    reduction = Reduction.of(vectors, options.reduce) if options.reduce else None
    names = folder.spec.categorical
    categories, rare = categories_of(names, rows.campaigns(names), rows.codes("product"))
    return Inputs(options.vector, vectors.shape[1], categories, reduction), rare


def _check_apart(rows: Mapping[str, Rows], path: str) -> None:
    """Refuses a product that is in two splits: what is learnt of it would be judged on it."""
    seen: dict[str, str] = {}
    for split, part in rows.items():
        for product in pc.unique(part.column("product")).to_pylist():
            if seen.setdefault(product, split) != split:
                raise DatasetError(
                    f"{path}: product {product!r} is in {seen[product]} and in {split}; write the examples again"
                )


def _check_sizes(photos: Mapping[str, Photos], recognizer: Recognizer, options: ConversionOptions) -> None:
    expected = {"logits": len(recognizer.variants), "features": recognizer.dimension}
    for split, part in photos.items():
        for name, width in expected.items():
            if part.vectors[name].shape[1] != width:
                raise DatasetError(
                    f"{options.embeddings}/{split}: {name} have {part.vectors[name].shape[1]} numbers, the recogniser "
                    f"{options.recognizer} gives {width}; they are another recogniser's: make the embeddings again"
                )


def _targets(
    options: ConversionOptions, folder: ExamplesFolder, rows: Mapping[str, Rows]
) -> tuple[tuple[Target, ...], tuple[str, ...]]:
    known = {target.name: target for target in folder.spec.targets}
    recorded = [name for name, target in known.items() if all(len(part.recorded(target)) for part in rows.values())]
    if options.targets == "all":
        if not recorded:
            raise DatasetError(f"{folder.path}: none of {', '.join(known)} was recorded in every split")
        return tuple(known[name] for name in recorded), tuple(name for name in known if name not in recorded)
    asked = tuple(dict.fromkeys(options.targets.split(",")))
    for name in asked:
        if name not in recorded:
            raise OptionError(f"targets has {name!r}, which was not recorded; recorded are {', '.join(recorded)}")
    return tuple(known[name] for name in asked), tuple(name for name in known if name not in recorded)


def _check_target(target: Target, rows: Mapping[str, Rows], options: ConversionOptions) -> None:
    """Refuses a target with too few products in a split, or of which every message says the same."""
    for split, part in rows.items():
        own = part.take(part.recorded(target))
        products = len(np.unique(own.codes("product")))
        if products < options.min_products:
            raise DatasetError(
                f"{target.name} was recorded of {products} products in {split}; expected at least "
                f"{options.min_products}: take more products, a larger share for {split}, or other --targets"
            )
        count, among = (pc.sum(own.column(name)).as_py() for name in (target.count, target.among))
        if not 0 < count < among:
            raise DatasetError(
                f"{target.name}: {count:,} of {among:,} {target.among} in {split}; nothing can be learnt where all "
                "say the same: take more conversions, or other --targets"
            )
