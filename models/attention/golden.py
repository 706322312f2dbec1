"""The golden set: images kept with the maps that training computed, replayed bit for bit.

Training asks the predictor about the pixels it learnt from; replaying goes the way of the service: the file's bytes,
safe decoding, letterbox, predictor. Any difference between the two ways shows up as a changed bit.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from features.attention_spec import SPEC, AttentionSpec
from features.images import decode_image
from features.storage import read_text
from models.attention.dataset import Split, Stored
from models.attention.predictor import Predictor
from models.golden import Replay, expect, read_set, write_set

INSTANCES_FILE = "golden/images.parquet"
PREDICTIONS_FILE = "golden/predictions.npy"

_COLUMNS = ("image_id", "set", "encoded")


@dataclass(frozen=True, eq=False)
class GoldenImage:
    """An image of a golden set: ``set/image_id``, the file, and the map that training computed, float32 (H, W)."""

    name: str
    encoded: bytes
    density: npt.NDArray[np.float32]


def choose(split: Split, most: int) -> list[Stored]:
    """Returns up to ``most`` images of a split: those whose set and id have the lowest SHA-256, in that order."""
    ranked = sorted(split.stored, key=lambda s: hashlib.sha256(f"{s.set_name}/{s.image_id}".encode()).digest())
    return ranked[:most]


def write(folder: Path, images: list[Stored], predictor: Predictor) -> None:
    """Writes the golden set of an artifact: images as they are stored, and the predictor's maps of them."""
    columns: dict[str, list[Any]] = {
        "image_id": [image.image_id for image in images],
        "set": [image.set_name for image in images],
        "encoded": [image.kept_image.read() for image in images],
    }
    maps = np.stack([predictor.predict(image.image()) for image in images])
    write_set(folder, INSTANCES_FILE, columns, {PREDICTIONS_FILE: maps})


def replay(folder: str | Path, predictor: Predictor | None = None) -> Replay:
    """Answers the golden images of an artifact again and compares the maps bit for bit.

    Args:
        folder: of the artifact, local.
        predictor: that answers; the artifact's own if none is given.

    Raises:
        GoldenError: the golden set is missing or does not hold together.
        PredictorError, ImageError: the model or an image cannot be read.
    """
    images = read(folder)
    answering = predictor or Predictor.load(folder)
    return compare(images, (answering.predict(decode_image(image.encoded)) for image in images))


def compare(images: Sequence[GoldenImage], found: Iterable[npt.NDArray[np.float32]]) -> Replay:
    """Compares the maps found of some golden images, in their order, with those kept, bit for bit."""
    pairs = list(zip(images, found, strict=True))
    differing = (
        image.name
        for image, density in pairs
        if density.shape != image.density.shape or density.tobytes() != image.density.tobytes()
    )
    return Replay(len(pairs), tuple(differing))


def read(folder: str | Path) -> list[GoldenImage]:
    """Returns the golden set of an artifact.

    Raises:
        GoldenError: it is missing or does not hold together.
        StorageError: the artifact has no spec.
    """
    folder = Path(folder)
    rows, [kept] = read_set(folder, INSTANCES_FILE, _COLUMNS, [PREDICTIONS_FILE])
    spec = AttentionSpec.from_json(read_text(folder / SPEC))
    expect(folder, PREDICTIONS_FILE, kept, (len(rows), spec.height, spec.width), np.float32)
    pairs = zip(rows, kept, strict=True)
    return [GoldenImage(f"{row['set']}/{row['image_id']}", row["encoded"], density) for row, density in pairs]
