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
import pyarrow as pa
import pyarrow.parquet as pq

from features.attention_spec import SPEC, AttentionSpec
from features.errors import AuguryError
from features.images import decode_image
from features.storage import read_text
from models.attention.dataset import Split, Stored
from models.attention.predictor import Predictor

INSTANCES_FILE = "golden/images.parquet"
PREDICTIONS_FILE = "golden/predictions.npy"

_COLUMNS = ("image_id", "set", "encoded")


class GoldenError(AuguryError, ValueError):
    """A golden set that is missing or does not hold together."""


@dataclass(frozen=True, eq=False)
class GoldenImage:
    """An image of a golden set: ``set/image_id``, the file, and the map that training computed, float32 (H, W)."""

    name: str
    encoded: bytes
    density: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Replay:
    """What replaying a golden set found: of ``total`` images those that differ, by ``set/image_id``."""

    total: int
    differing: tuple[str, ...]

    @property
    def identical(self) -> int:
        """Images whose map has the very same bits."""
        return self.total - len(self.differing)


def choose(split: Split, most: int) -> list[Stored]:
    """Returns up to ``most`` images of a split: those whose set and id have the lowest SHA-256, in that order."""
    ranked = sorted(split.stored, key=lambda s: hashlib.sha256(f"{s.set_name}/{s.image_id}".encode()).digest())
    return ranked[:most]


def write(folder: Path, images: list[Stored], predictor: Predictor) -> None:
    """Writes the golden set of an artifact: images as they are stored, and the predictor's maps of them."""
    (folder / INSTANCES_FILE).parent.mkdir(parents=True, exist_ok=True)
    rows = [[i.image_id for i in images], [i.set_name for i in images], [i.encoded_image for i in images]]
    kinds = (pa.string(), pa.string(), pa.binary())
    columns = {name: pa.array(values, kind) for name, values, kind in zip(_COLUMNS, rows, kinds, strict=True)}
    pq.write_table(pa.table(columns), folder / INSTANCES_FILE, compression="zstd")
    np.save(folder / PREDICTIONS_FILE, np.stack([predictor.predict(i.image()) for i in images]), allow_pickle=False)


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
    instances, kept = _read(folder)
    spec = AttentionSpec.from_json(read_text(folder / SPEC))
    size = (instances.num_rows, spec.height, spec.width)
    if kept.shape != size or kept.dtype != np.float32:
        raise GoldenError(
            f"{folder}/{PREDICTIONS_FILE} holds {kept.dtype} {kept.shape}; expected float32 {size}: train again"
        )
    rows = zip(instances.to_pylist(), kept, strict=True)
    return [GoldenImage(f"{row['set']}/{row['image_id']}", row["encoded"], density) for row, density in rows]


def _read(folder: Path) -> tuple[pa.Table, npt.NDArray[Any]]:
    try:
        instances = pq.read_table(folder / INSTANCES_FILE)
        if instances.column_names != list(_COLUMNS) or not instances.num_rows:
            raise ValueError(f"{INSTANCES_FILE} has not the columns {', '.join(_COLUMNS)}, or no rows")
        return instances, np.load(folder / PREDICTIONS_FILE, allow_pickle=False)
    except (OSError, ValueError, pa.ArrowInvalid, EOFError) as e:
        reason = " ".join(str(e).split())[:200]
        raise GoldenError(
            f"{folder} holds no readable golden set ({reason}); open the version again, or train again"
        ) from e
