"""CreativeModel: a creative artifact, asked how well versions of a photo would convert. No torch, no training code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from features.creative_spec import CreativeSpec
from features.images import Pixels
from features.storage import read_bytes
from features.variants_stored import make_variants
from models.artifact import DESCRIPTION_FILE, PredictorError, read_description
from models.creative.conversion.calibration import Calibration
from models.creative.conversion.ensemble import Ensemble
from models.creative.conversion.inputs import Inputs
from models.creative.conversion.trees import Trees
from models.creative.estimates import Estimates
from models.creative.recognizer import Recognizer, Vectors

FORMAT = "augury.creative"
RECOGNIZER_FOLDER = "recognizer"
TREES_FOLDER = "trees"
CALIBRATION_FILE = "calibration.json"

Campaigns = Mapping[str, str | Sequence[str | None] | pa.Array | None]
"""Name of a category -> its value in every row, or one for all; what is left out, None or "" is unknown."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What the model says of N rows.

    Attributes:
        estimates: target -> rates and intervals.
        unseen: category -> rows whose value was never seen in training, and is taken for unknown.
    """

    estimates: Mapping[str, Estimates]
    unseen: Mapping[str, int]


class CreativeModel:
    """A loaded model; safe to call from several threads.

    Attributes:
        spec: what stored images, their variants and the targets are.
        recognizer: makes vectors of images.
        inputs: what the trees see; ``inputs.categories`` are the values that a campaign may have.
        description: ``model.json``.
    """

    def __init__(
        self,
        spec: CreativeSpec,
        recognizer: Recognizer,
        inputs: Inputs,
        ensembles: Mapping[str, Ensemble],
        description: Mapping[str, Any],
    ) -> None:
        self.spec, self.recognizer, self.inputs = spec, recognizer, inputs
        self.description = dict(description)
        self._ensembles = dict(ensembles)

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of the targets that the model predicts."""
        return tuple(self._ensembles)

    @classmethod
    def load(cls, folder: str | Path, expected: CreativeSpec | None = None, *, threads: int = 0) -> "CreativeModel":
        """Loads an artifact.

        Args:
            folder: of the artifact, local.
            expected: the spec in use, where it does not come from the artifact.
            threads: of one call of the recogniser; 0 is as many as there are processors.

        Raises:
            PredictorError: a part is damaged, or belongs to another spec or another recogniser.
            StorageError: a file is missing.
        """
        folder = Path(folder)
        spec, description = read_description(folder, CreativeSpec, FORMAT, expected)
        recognizer = Recognizer.load(folder / RECOGNIZER_FOLDER, spec, threads=threads)
        inputs = Inputs.load(folder)
        width = {"logits": len(recognizer.variants), "features": recognizer.dimension}.get(inputs.vector)
        if width != inputs.width:
            raise PredictorError(
                f"{folder}: the trees see {inputs.vector!r} of {inputs.width} numbers, the recogniser gives {width}; "
                "open the version again, or train again"
            )
        return cls(spec, recognizer, inputs, _ensembles(folder, description, inputs), description)

    def embed(self, images: npt.NDArray[np.uint8]) -> Vectors:
        """Returns the recogniser's vectors of stored images, uint8 (B, H, W, 3), as ``make_variants`` makes them."""
        return self.recognizer.embed(images)

    def probabilities(self, vectors: Vectors, campaigns: Campaigns, targets: Sequence[str] | None = None) -> Answer:
        """Returns the rates of N photos in N campaigns, float64; a row's bits do not depend on the rows beside it.

        Args:
            vectors: of the photos, each N rows.
            campaigns: the photos' campaigns, and their products' brand, gender and kind.
            targets: names; all of the model if not given.

        Raises:
            PredictorError: an unknown target or category, or shapes that do not fit.
        """
        asked = self.targets if targets is None else tuple(targets)
        for name in asked:
            if name not in self._ensembles:
                raise PredictorError(f"target {name!r} is not predicted; expected one of {', '.join(self.targets)}")
        chosen = np.asarray(getattr(vectors, self.inputs.vector))
        columns = {
            name: [value] * len(chosen) if value is None or isinstance(value, str) else value
            for name, value in campaigns.items()
        }
        matrix, unseen = self.inputs.matrix(chosen, columns)
        return Answer({name: self._ensembles[name].estimate(matrix) for name in asked}, unseen)

    def variants(self, image: Pixels, campaigns: Campaigns, targets: Sequence[str] | None = None) -> Answer:
        """Returns the rates of every variant of a photo, in the order of the spec, in one campaign.

        Args:
            image: uint8 (H, W, 3) RGB of any size.
            campaigns: one value for each category.
            targets: names; all of the model if not given.

        Raises:
            PredictorError: as ``probabilities``.
            VariantError: a variant that another package made returned something that is no image.
        """
        return self.probabilities(self.embed(np.stack(make_variants(image, self.spec))), campaigns, targets)


def _ensembles(folder: Path, description: Mapping[str, Any], inputs: Inputs) -> dict[str, Ensemble]:
    try:
        calibrations = orjson.loads(read_bytes(folder / CALIBRATION_FILE))
        confidence = float(description["confidence"])
        parts = {
            str(name): (int(part["members"]), int(part["rounds"]), calibrations[name])
            for name, part in description["targets"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise PredictorError(
            f"{folder}/{DESCRIPTION_FILE} and {CALIBRATION_FILE} do not hold together ({e!r}); open the version again, "
            "or train again"
        ) from e
    if not parts or not 0 < confidence < 1 or any(members < 2 for members, _, _ in parts.values()):
        raise PredictorError(f"{folder}/{DESCRIPTION_FILE} names no targets, or impossible ones; train again")
    return {
        name: Ensemble(
            Trees.load(folder / TREES_FOLDER / name, members, rounds, len(inputs.kinds)),
            Calibration.from_dict(calibration),
            confidence,
        )
        for name, (members, rounds, calibration) in parts.items()
    }
