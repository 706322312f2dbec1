"""The golden set of a creative model: photos in campaigns, kept with the rates of all their variants.

Training computes them from the photos as they are stored; replaying goes the way of the service: the file's bytes, safe
decoding, variants, recogniser, trees. Any difference of a machine or a library shows up as a changed bit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from features.creative_spec import CATEGORICAL
from features.images import decode_image
from models.creative.predictor import CreativeModel
from models.golden import Replay, expect, read_set, write_set

INSTANCES_FILE = "golden/photos.parquet"
PREDICTIONS_FILE = "golden/predictions.npy"

_COLUMNS = ("product", "encoded", *CATEGORICAL)


@dataclass(frozen=True, eq=False)
class GoldenPhoto:
    """A photo of a golden set.

    Attributes:
        name: of its product.
        encoded: its file.
        campaign: category -> value.
        rates: float64 (T, V, 3): for each target and variant, in the order of the model, the rate and its interval.
    """

    name: str
    encoded: bytes
    campaign: Mapping[str, str]
    rates: npt.NDArray[np.float64]


def write(folder: Path, photos: Sequence[Mapping[str, Any]], model: CreativeModel) -> None:
    """Writes the golden set of an artifact.

    Args:
        folder: of the artifact.
        photos: each with a product, its photo ``encoded``, and its campaign's categories.
        model: that answers.
    """
    columns = {name: [photo[name] for photo in photos] for name in _COLUMNS}
    found = [answer(model, photo["encoded"], {name: photo[name] for name in CATEGORICAL}) for photo in photos]
    write_set(folder, INSTANCES_FILE, columns, {PREDICTIONS_FILE: np.stack(found)})


def answer(model: CreativeModel, encoded: bytes, campaign: Mapping[str, str]) -> npt.NDArray[np.float64]:
    """Returns the rates of all variants of a photo, float64 (T, V, 3), and their intervals, as the service finds them.

    Raises:
        ImageError: the file cannot be decoded.
    """
    asked = {name: value for name, value in campaign.items() if name in model.inputs.categories}
    found = model.variants(decode_image(encoded), asked).estimates
    return np.stack([np.stack([e.probability, e.low, e.high], axis=-1) for e in found.values()])


def replay(folder: str | Path, model: CreativeModel | None = None) -> Replay:
    """Answers the golden photos of a local artifact again and compares the rates bit for bit.

    Args:
        folder: of the artifact.
        model: that answers; the artifact's own if none is given.

    Raises:
        GoldenError: the golden set is missing or does not hold together.
        PredictorError, ImageError: the model or a photo cannot be read.
    """
    answering = model or CreativeModel.load(folder)
    photos = read(folder, answering)
    differing = (photo.name for photo in photos if not same(photo, answer(answering, photo.encoded, photo.campaign)))
    return Replay(len(photos), tuple(differing))


def same(photo: GoldenPhoto, found: npt.NDArray[np.float64]) -> bool:
    """Returns whether rates, float64 (T, V, 3), are those kept, bit for bit."""
    return found.shape == photo.rates.shape and found.tobytes() == photo.rates.tobytes()


def read(folder: str | Path, model: CreativeModel) -> list[GoldenPhoto]:
    """Returns the golden set of a local artifact.

    Raises:
        GoldenError: it is missing or does not hold together.
    """
    folder = Path(folder)
    rows, [kept] = read_set(folder, INSTANCES_FILE, _COLUMNS, [PREDICTIONS_FILE])
    expect(folder, PREDICTIONS_FILE, kept, (len(rows), len(model.targets), len(model.spec.variants), 3), np.float64)
    return [
        GoldenPhoto(row["product"], row["encoded"], {name: row[name] for name in CATEGORICAL}, rates)
        for row, rates in zip(rows, kept, strict=True)
    ]
