"""The recogniser's golden set: stored images kept with the vectors that training computed, replayed bit for bit.

Training asks the recogniser about the pixels it learnt from; replaying goes the way of the service: the file's bytes,
safe decoding, recogniser. Any difference between the two ways shows up as a changed bit.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from features.errors import AuguryError
from features.images import decode_image
from models.creative.dataset import Split, Stored
from models.creative.recognizer import Recognizer, Vectors

INSTANCES_FILE = "golden/images.parquet"
LOGITS_FILE = "golden/logits.npy"
FEATURES_FILE = "golden/features.npy"

_COLUMNS = ("product", "variant", "encoded")


class GoldenError(AuguryError, ValueError):
    """A golden set that is missing or does not hold together."""


@dataclass(frozen=True)
class Replay:
    """What replaying a golden set found: of ``total`` images those that differ, by ``product/variant``."""

    total: int
    differing: tuple[str, ...]

    @property
    def identical(self) -> int:
        """Images whose vectors have the very same bits."""
        return self.total - len(self.differing)


def choose(split: Split, products: int) -> list[Stored]:
    """Returns all variants of up to ``products`` products: those whose names have the lowest SHA-256, in that order."""
    ranked = sorted(split.products.items(), key=lambda item: hashlib.sha256(item[0].encode()).digest())
    return [split.stored[row] for _, rows in ranked[:products] for row in rows]


def write(folder: Path, images: list[Stored], recognizer: Recognizer) -> None:
    """Writes the golden set of an artifact: images as they are stored, and the recogniser's vectors of them."""
    (folder / INSTANCES_FILE).parent.mkdir(parents=True, exist_ok=True)
    rows = [[i.product for i in images], [i.variant for i in images], [i.encoded for i in images]]
    kinds = (pa.string(), pa.string(), pa.binary())
    columns = {name: pa.array(values, kind) for name, values, kind in zip(_COLUMNS, rows, kinds, strict=True)}
    pq.write_table(pa.table(columns), folder / INSTANCES_FILE, compression="zstd")
    vectors = recognizer.embed(np.stack([image.image() for image in images]))
    np.save(folder / LOGITS_FILE, vectors.logits, allow_pickle=False)
    np.save(folder / FEATURES_FILE, vectors.features, allow_pickle=False)


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
    instances, logits, features = _read(folder)
    recognizer = recognizer or Recognizer.load(folder)
    count = instances.num_rows
    for name, kept, width in (
        (LOGITS_FILE, logits, len(recognizer.variants)),
        (FEATURES_FILE, features, recognizer.dimension),
    ):
        if kept.shape != (count, width) or kept.dtype != np.float32:
            raise GoldenError(
                f"{folder}/{name} holds {kept.dtype} {kept.shape}; expected float32 {(count, width)}: train again"
            )
    differing = []
    for row, instance in enumerate(instances.to_pylist()):
        found = recognizer.embed(decode_image(instance["encoded"])[None])
        if not _same(found, Vectors(logits[row], features[row])):
            differing.append(f"{instance['product']}/{instance['variant']}")
    return Replay(count, tuple(differing))


def _same(found: Vectors, kept: Vectors) -> bool:
    return all(a.tobytes() == b.tobytes() for a, b in zip(found, kept, strict=True))


def _read(folder: Path) -> tuple[pa.Table, npt.NDArray[Any], npt.NDArray[Any]]:
    try:
        instances = pq.read_table(folder / INSTANCES_FILE)
        if instances.column_names != list(_COLUMNS) or not instances.num_rows:
            raise ValueError(f"{INSTANCES_FILE} has not the columns {', '.join(_COLUMNS)}, or no rows")
        logits, features = (np.load(folder / name, allow_pickle=False) for name in (LOGITS_FILE, FEATURES_FILE))
        return instances, logits, features
    except (OSError, ValueError, pa.ArrowInvalid, EOFError) as e:
        reason = " ".join(str(e).split())[:200]
        raise GoldenError(
            f"{folder} holds no readable golden set ({reason}); open the version again, or train again"
        ) from e
