"""One version of an attention model, loaded to answer, and tried out before it may.

ONNX Runtime is imported here alone, and only when a model is loaded.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from features.images import decode_image
from models.cards import ModelError, read_json
from serving.models import Family

if TYPE_CHECKING:
    from models.attention.predictor import Predictor

FAMILY = "attention"

_SPOT_CHECK = 4
_GPU_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class AttentionModel:
    """A version ready to answer; safe to use from several threads.

    Attributes:
        name: of the model.
        version: of the model.
        predictor: its graph.
        card: the model card.
        measured_fixations: the model's number of effective fixations, measured against real ones; None where the card
            has none.
        loaded_at_us: when.
    """

    name: str
    version: str
    predictor: "Predictor"
    card: Mapping[str, Any]
    measured_fixations: int | None
    loaded_at_us: int

    def attend(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Returns where people look in an image uint8 (H, W, 3): a density, float32 (H, W) of sum 1."""
        from models.attention.pages import attend

        return attend(self.predictor, image)

    def described(self) -> dict[str, Any]:
        """See ``serving.models.Loaded``."""
        spec = self.predictor.spec
        return {
            "width": spec.width,
            "height": spec.height,
            "sets": list(spec.sets),
            "effective_fixations": self.measured_fixations,
            "metrics": dict(self.card.get("metrics") or {}),
        }


def attention_family(threads: int, device: str = "cpu") -> Family[AttentionModel]:
    """Returns the family, for a shelf.

    Args:
        threads: that one call of a graph may use.
        device: that graphs run on, one of ``models.attention.predictor.DEVICES``.
    """
    return Family(FAMILY, lambda folder, name, version: load_model(folder, name, version, threads, device), spot_check)


def load_model(folder: Path, name: str, version: str, threads: int = 1, device: str = "cpu") -> AttentionModel:
    """Loads a version.

    Args:
        folder: of the version, its files just verified.
        name: of the model.
        version: of the model.
        threads: that one call of the graph may use; the bits of an answer do not depend on it.
        device: that the graph runs on; on another than "cpu" its bits are not those of training.

    Raises:
        ModelError: its card cannot be read.
        AuguryError: its files are not a model.
    """
    from models.attention.card import CARD_FILE, measured_fixations
    from models.attention.predictor import Predictor

    return AttentionModel(
        name=name,
        version=version,
        predictor=Predictor.load(folder, threads=threads, device=device),
        card=read_json(folder / CARD_FILE),
        measured_fixations=measured_fixations(folder),
        loaded_at_us=time.time_ns() // 1000,
    )


def spot_check(model: AttentionModel, folder: Path) -> None:
    """Has a model answer some images of its golden set as it will be asked to.

    On a processor the bits must be those of training; on a GPU the values, to ``_GPU_TOLERANCE`` of their mean.

    Raises:
        ModelError: a map is another than training computed.
        GoldenError: there is no golden set.
        ImageError: an image of it cannot be decoded.
    """
    from models.attention.golden import compare, read

    images = read(folder)[:_SPOT_CHECK]
    answers = (model.attend(decode_image(image.encoded)) for image in images)
    if not model.predictor.exact:
        answers = (_near(image.density, found) for image, found in zip(images, answers, strict=True))
    found = compare(images, answers)
    if found.differing:
        raise ModelError(
            f"{model.name} {model.version} gives other maps than training computed of {len(found.differing)} of "
            f"{found.total} golden images; train again with this release"
        )


def _near(expected: npt.NDArray[np.float32], found: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Returns what was expected if what was found is as good as that."""
    near = found.shape == expected.shape and np.abs(found - expected).max() * expected.size <= _GPU_TOLERANCE
    return expected if near else found
