"""What an artifact holds besides the trees: its recogniser, the golden photos, the catalogue."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.creative_spec import CATEGORICAL, SPEC
from features.images import decode_image
from features.images_encode import encode_image
from features.splits import SPLITS
from features.storage import StorageError, explained, local_folder
from models.artifact import DESCRIPTION_FILE
from models.creative.conversion.data import TrainingData
from models.creative.conversion.options import ConversionOptions
from models.creative.conversion.stored import StoredPhoto, lowest, original_of, read_originals
from models.creative.predictor import RECOGNIZER_FOLDER, CreativeModel
from models.creative.recognizer import MODEL_FILE
from models.examples_folder import DatasetError
from models.progress import Progress

_NEEDED = (SPEC, DESCRIPTION_FILE, MODEL_FILE)
_TOLD = ("model_card.json", "evaluation.json")
_THUMBNAIL_QUALITY = 85
_TOLERANCE = 1e-2


@dataclass(frozen=True, eq=False)
class Shelf:
    """What was collected.

    Attributes:
        catalogue: rows for ``write_catalogue``.
        golden: photos for ``golden.write``.
        left_out: products of the examples that the catalogue has no place for.
    """

    catalogue: list[dict[str, Any]]
    golden: list[dict[str, Any]]
    left_out: int


def copy_recognizer(source: str, artifact: Path) -> None:
    """Copies what predicts of a recogniser, and what it says of itself, into an artifact.

    Raises:
        StorageError: a file is missing or cannot be copied.
    """
    target = artifact / RECOGNIZER_FOLDER
    target.mkdir()
    folder = local_folder(source)
    for name in (*_NEEDED, *_TOLD):
        path = folder / name
        if name in _TOLD and not path.exists():
            continue
        with explained(path, "copy"):
            if not path.exists():
                raise StorageError(f"{path} is missing; train the recogniser again")
            shutil.copyfile(path, target / name)


def shelve(options: ConversionOptions, data: TrainingData, model: CreativeModel, progress: Progress) -> Shelf:
    """Collects the catalogue and the golden photos, and checks that the embeddings are this recogniser's.

    Raises:
        DatasetError: a golden photo is not among the examples, or an embedding is of another photo or recogniser.
    """
    original = original_of(data.folder.spec)
    everywhere = {
        split: set(table.filter(pc.equal(table.column("variant"), original)).column("product").to_pylist())
        for split, table in ((split, data.photos[split].table) for split in SPLITS)
    }
    shown = set(lowest([name for names in everywhere.values() for name in names], options.catalogue))
    rows = data.splits["test"].rows
    tested = set(pc.unique(rows.column("product")).to_pylist())
    wanted = lowest(tested & everywhere["test"], options.golden_images)
    some = rows.table.filter(pc.is_in(rows.column("product"), pa.array(wanted))).select(["product", *CATEGORICAL])
    campaigns = {row["product"]: row for row in reversed(some.to_pylist())}
    found: dict[str, StoredPhoto] = {}
    catalogue: list[dict[str, Any]] = []
    for index, split in enumerate(SPLITS):
        progress("catalogue", index, len(SPLITS), split)
        golden = set(wanted) if split == "test" else set()
        for photo in read_originals(data.folder, split, (shown & everywhere[split]) | golden):
            vectors = _vectors(options, data, split, photo, original)
            if photo.product in golden:
                _check(options, model, photo, vectors)
                found[photo.product] = photo
            if photo.product in shown:
                catalogue.append(_row(photo, vectors))
    progress("catalogue", len(SPLITS), len(SPLITS), "")
    if len(found) < len(wanted) or len(catalogue) < len(shown):
        raise DatasetError(
            f"{data.folder.path} lacks the photo of a product that {options.embeddings} has; make the embeddings of "
            "these very examples"
        )
    chosen = [
        {"product": name, "encoded": found[name].encoded, **{key: campaigns[name][key] for key in CATEGORICAL}}
        for name in wanted
    ]
    return Shelf(catalogue, chosen, sum(map(len, everywhere.values())) - len(shown))


def _vectors(
    options: ConversionOptions, data: TrainingData, split: str, photo: StoredPhoto, variant: str
) -> dict[str, Any]:
    photos = data.photos[split]
    place = photos.place(photo.product, variant)
    kept = photos.table.column("image_id")[place].as_py()
    if kept != photo.image_id:
        raise DatasetError(
            f"{options.embeddings}/{split} has an embedding of {photo.product!r} made of image {str(kept)[:12]}, the "
            f"examples have {photo.image_id[:12]}; make the embeddings of these very examples"
        )
    return {name: vectors[place] for name, vectors in photos.vectors.items()}


def _check(options: ConversionOptions, model: CreativeModel, photo: StoredPhoto, vectors: dict[str, Any]) -> None:
    """Refuses embeddings that the recogniser does not make; the last digits may differ between machines."""
    own = model.embed(decode_image(photo.encoded)[None])._asdict()
    for name, kept in vectors.items():
        largest = max(1.0, float(np.abs(kept).max()))
        if np.abs(own[name][0] - kept).max() > _TOLERANCE * largest:
            raise DatasetError(
                f"{options.embeddings}: the {name} of {photo.product!r} are not what {options.recognizer} makes of the "
                "photo; they are another recogniser's: make the embeddings again"
            )


def _row(photo: StoredPhoto, vectors: dict[str, Any]) -> dict[str, Any]:
    about = {name: getattr(photo, name) for name in ("product", "kind", "brand", "gender", "name", "image_id")}
    thumbnail = encode_image(decode_image(photo.encoded), "jpeg", _THUMBNAIL_QUALITY)
    return {**about, "embedding": vectors["features"], "logits": vectors["logits"], "thumbnail": thumbnail}
