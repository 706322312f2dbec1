"""The recogniser's golden set: stored images kept with the vectors that training computed, replayed bit for bit.

Training asks the recogniser about the pixels it learnt from; replaying goes the way of the service: the file's bytes,
safe decoding, recogniser. Any difference between the two ways shows up as a changed bit.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from features.images import decode_image
from models.creative.dataset import Split, Stored
from models.creative.recognizer import Recognizer, Vectors
from models.golden import Replay, expect, read_set, write_set

INSTANCES_FILE = "golden/images.parquet"
LOGITS_FILE = "golden/logits.npy"
FEATURES_FILE = "golden/features.npy"

_COLUMNS = ("product", "variant", "encoded")


def choose(split: Split, products: int) -> list[Stored]:
    """Returns all variants of up to ``products`` products: those whose names have the lowest SHA-256, in that order."""
    ranked = sorted(split.products.items(), key=lambda item: hashlib.sha256(item[0].encode()).digest())
    return [split.stored[row] for _, rows in ranked[:products] for row in rows]


def write(folder: Path, images: list[Stored], recognizer: Recognizer) -> None:
    """Writes the golden set of an artifact: images as they are stored, and the recogniser's vectors of them."""
    columns: dict[str, list[Any]] = {
        "product": [image.product for image in images],
        "variant": [image.variant for image in images],
        "encoded": [image.encoded for image in images],
    }
    vectors = recognizer.embed(np.stack([image.image() for image in images]))
    write_set(folder, INSTANCES_FILE, columns, {LOGITS_FILE: vectors.logits, FEATURES_FILE: vectors.features})


def products(folder: Path) -> list[str]:
    """Returns the products of an artifact's golden set, all of them of its test split, in the order of ``choose``.

    Raises:
        GoldenError: the golden set is missing or damaged.
    """
    rows, _ = read_set(folder, INSTANCES_FILE, _COLUMNS, [])
    return list(dict.fromkeys(row["product"] for row in rows))


def replay(folder: str | Path, recognizer: Recognizer | None = None) -> Replay:
    """Answers the golden images of an artifact again and compares the vectors bit for bit.

    Args:
        folder: of the artifact, local.
        recognizer: that answers; the artifact's own if none is given.

    Raises:
        GoldenError: the golden set is missing or does not hold together.
        PredictorError, ImageError: the model or an image cannot be read.
    """
    folder = Path(folder)
    rows, [logits, features] = read_set(folder, INSTANCES_FILE, _COLUMNS, [LOGITS_FILE, FEATURES_FILE])
    recognizer = recognizer or Recognizer.load(folder)
    expect(folder, LOGITS_FILE, logits, (len(rows), len(recognizer.variants)), np.float32)
    expect(folder, FEATURES_FILE, features, (len(rows), recognizer.dimension), np.float32)
    differing = []
    for number, row in enumerate(rows):
        found = recognizer.embed(decode_image(row["encoded"])[None])
        if not _same(found, Vectors(logits[number], features[number])):
            differing.append(f"{row['product']}/{row['variant']}")
    return Replay(len(rows), tuple(differing))


def _same(found: Vectors, kept: Vectors) -> bool:
    return all(a.tobytes() == b.tobytes() for a, b in zip(found, kept, strict=True))
