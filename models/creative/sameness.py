"""Whether a version still shows the product: how far apart a recogniser's features of versions of one product lie.

A recogniser learns to tell versions apart, so the plain distance of a sketch from its photo says mostly that it is a
sketch. Each vector is therefore taken less the mean of its variant over many products; what is left says which product
it is. The distance of two versions is 1 - cos of what is left of them: about 0 for one product, about 1 for two that
have nothing in common.

A version is taken for another product when it is farther from its photo than that variant of nearly all products is
from theirs, and as far as another product's photo may be. Both are measured on products that the means know nothing of.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import orjson

from features.creative_spec import CreativeSpec
from features.storage import read_bytes
from models.artifact import PredictorError, write_json

SAMENESS_FILE = "sameness.json"
MEANS_FILE = "sameness.npz"

WITHIN = 0.99
"""Share of products whose version is no farther from the photo than the variant's limit."""

UNMEASURED_LIMIT = 0.8
"""The limit of an artifact in which none was measured; there, means are not known either."""

Floats = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Sameness:
    """What versions of one product have in common.

    Attributes:
        original: place of the variant that is the photo as it is.
        means: float64 (V, D), the mean features of each variant.
        limits: float64 (V,), the largest distance from the photo that is still taken for the same product.
        measured: whether means and limits were measured in training.
    """

    original: int
    means: Floats
    limits: Floats
    measured: bool

    def distances(self, features: Matrix) -> Floats:
        """Returns the distance of each version of a photo from the photo, float64 (V,), from 0 to 2.

        Args:
            features: float32 (V, D), in the order of the spec.
        """
        left = features.astype(np.float64) - self.means
        found: Floats = _distance(left, left[self.original])
        found[self.original] = 0.0
        return found

    @classmethod
    def measure(cls, spec: CreativeSpec, train: Matrix, validation: Matrix) -> tuple["Sameness", Floats]:
        """Measures limits on products that the means know nothing of.

        Args:
            spec: of the versions.
            train: float32 (P, V, D), features of all versions of P products.
            validation: float32 (Q, V, D), of other products, at least one.

        Returns:
            What was measured, and float64 (V,): the share of products whose version would be taken for another
            product's, the one after it.
        """
        original = _original(spec)
        means = train.mean(axis=0, dtype=np.float64)
        left = validation.astype(np.float64) - means
        own = _distance(left, left[:, original : original + 1])  # (Q, V)
        others = _distance(left, np.roll(left[:, original : original + 1], 1, axis=0))
        near = np.quantile(others, 1 - WITHIN, axis=0, method="lower")
        limits = np.maximum(np.quantile(own, WITHIN, axis=0, method="higher"), near)
        limits[original] = 0.0
        return cls(original, means, limits, True), (others <= limits).mean(axis=0)

    def save(self, folder: Path, spec: CreativeSpec, products: int, confused: Floats) -> None:
        """Writes what ``load`` reads, and how it was measured."""
        told = {
            "within": WITHIN,
            "products": products,
            "limits": dict(zip(spec.variant_names, self.limits.tolist(), strict=True)),
            "another_product_within_limit": dict(zip(spec.variant_names, confused.tolist(), strict=True)),
        }
        write_json(folder / SAMENESS_FILE, told)
        np.savez(folder / MEANS_FILE, means=self.means)

    @classmethod
    def load(cls, folder: str | Path, spec: CreativeSpec, dimension: int) -> "Sameness":
        """Reads what training measured; for an artifact without it, ``UNMEASURED_LIMIT`` for every variant.

        Args:
            folder: of the artifact.
            spec: of it.
            dimension: D, of the recogniser's features.

        Raises:
            PredictorError: it does not hold together.
        """
        path, shape = Path(folder) / SAMENESS_FILE, (len(spec.variants), dimension)
        if not path.exists():
            return cls(_original(spec), np.zeros(shape), np.full(shape[0], UNMEASURED_LIMIT), False)
        try:
            given = orjson.loads(read_bytes(path))["limits"]
            limits = np.array([float(given[name]) for name in spec.variant_names])
            with np.load(Path(folder) / MEANS_FILE, allow_pickle=False) as arrays:
                means = arrays["means"].astype(np.float64)
            if means.shape != shape or not np.isfinite(means).all() or not np.isfinite(limits).all():
                raise ValueError(f"means {means.shape} for {shape[0]} variants with {shape[1]} features")
        except (OSError, ValueError, KeyError, TypeError) as e:
            raise PredictorError(
                f"{path} does not hold together ({e!r}); open the version again, or train again"
            ) from e
        return cls(_original(spec), means, limits, True)


def _original(spec: CreativeSpec) -> int:
    return [variant.of for variant in spec.variants].index("original")


def _distance(first: Floats, second: Floats) -> Floats:
    """Returns 1 - cos of vectors along the last axis; a vector of nothing is like nothing."""
    lengths = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
    product = (first * second).sum(axis=-1)
    return np.asarray(1.0 - product / np.where(lengths > 0, lengths, 1.0), np.float64)
