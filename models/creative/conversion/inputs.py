"""What the trees see of a photo in a campaign: a vector, perhaps reduced, and categories fixed at training."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.storage import read_bytes
from models.artifact import PredictorError, write_json
from models.creative.conversion.trees import Floats, Matrix

INPUTS_FILE = "inputs.json"
REDUCTION_FILE = "reduction.npz"
MOST_CATEGORIES = 1000
"""Distinct values of a category that are kept, the most frequent among products; the others count as unseen."""

Values = Any
"""Text in every row, None where it is unknown: a sequence, or a pyarrow Array."""


@dataclass(frozen=True, eq=False)
class Reduction:
    """Principal components: a vector v becomes (v - mean) @ components.

    Attributes:
        mean: float64 (D,).
        components: float64 (D, R), orthonormal columns, the widest spread first.
    """

    mean: Floats
    components: Floats

    def apply(self, vectors: Matrix) -> Matrix:
        """Returns float32 (N, R) of float32 (N, D); each row by itself, so its bits do not depend on the others."""
        if not len(vectors):
            return np.zeros((0, self.components.shape[1]), np.float32)
        return np.stack([(row - self.mean) @ self.components for row in vectors]).astype(np.float32)

    @classmethod
    def of(cls, vectors: Matrix, components: int) -> "Reduction":
        """Finds the components of vectors, float32 (P, D).

        Each component's largest entry is positive, so that its sign does not depend on the linear algebra library.
        """
        wide = vectors.astype(np.float64)
        mean = wide.mean(axis=0)
        values, found = np.linalg.eigh(np.cov(wide - mean, rowvar=False).reshape(wide.shape[1], -1))
        found = found[:, np.argsort(-values, kind="stable")[:components]]
        largest = found[np.abs(found).argmax(axis=0), np.arange(found.shape[1])]
        return cls(mean, np.ascontiguousarray(found * np.where(largest < 0, -1.0, 1.0)))


@dataclass(frozen=True, eq=False)
class Inputs:
    """The columns that trees see, in this order: the vector, then the categories.

    Attributes:
        vector: which of the recogniser's vectors.
        width: its length, D.
        categories: name to the values it may have, sorted; the code of a value is its place.
        reduction: of the vector, if it is reduced.
    """

    vector: str
    width: int
    categories: Mapping[str, tuple[str, ...]]
    reduction: Reduction | None = None

    @property
    def seen(self) -> int:
        """How many numbers of the vector the trees see."""
        return self.width if self.reduction is None else int(self.reduction.components.shape[1])

    @property
    def kinds(self) -> list[str]:
        """XGBoost's type of every column."""
        return ["q"] * self.seen + ["c"] * len(self.categories)

    @property
    def columns(self) -> list[str]:
        """The group of every column: "photo", or the name of a category."""
        return ["photo"] * self.seen + list(self.categories)

    def matrix(self, vectors: Matrix, campaigns: Mapping[str, Values]) -> tuple[Matrix, dict[str, int]]:
        """Returns what the trees see, and how many values of each category were never seen in training.

        Args:
            vectors: float32 (N, D).
            campaigns: name of a category to its value in every row; a category left out, None and "" are unknown.

        Returns:
            float32 (N, F), what is unknown or unseen being NaN, which trees take for missing; and name to count.

        Raises:
            PredictorError: shapes that do not fit, a vector that is not finite, or an unknown category.
        """
        return self.join(self.see(vectors), campaigns)

    def see(self, vectors: Matrix) -> Matrix:
        """Returns what the trees see of vectors, float32 (N, seen), of float32 (N, D).

        Raises:
            PredictorError: another shape, or a number that is not finite.
        """
        if vectors.ndim != 2 or vectors.shape[1] != self.width or not np.isfinite(vectors).all():
            raise PredictorError(
                f"vectors {self.vector!r} have shape {vectors.shape}; expected finite numbers (N, {self.width})"
            )
        return vectors.astype(np.float32) if self.reduction is None else self.reduction.apply(vectors)

    def join(self, seen: Matrix, campaigns: Mapping[str, Values]) -> tuple[Matrix, dict[str, int]]:
        """Returns what ``matrix`` does, of what ``see`` returned."""
        for name in campaigns:
            if name not in self.categories:
                raise PredictorError(f"unknown category {name!r}; expected one of {', '.join(self.categories)}")
        found, unseen = np.full((len(seen), len(self.kinds)), np.nan, np.float32), dict.fromkeys(self.categories, 0)
        found[:, : self.seen] = seen
        for place, name in enumerate(self.categories, self.seen):
            if name in campaigns:
                found[:, place], unseen[name] = self._codes(name, campaigns[name], len(seen))
        return found, unseen

    def _codes(self, name: str, values: Values, rows: int) -> tuple[Matrix, int]:
        given: pa.Array = values if isinstance(values, pa.Array) else pa.array(list(values), pa.string())
        if len(given) != rows:
            raise PredictorError(f"category {name!r} has {len(given)} values for {rows} vectors; give one for each")
        codes = pc.index_in(given.cast(pa.string()), pa.array(self.categories[name], pa.string()))
        known = pc.and_(pc.is_valid(given), pc.not_equal(pc.fill_null(given, ""), ""))
        unseen = pc.sum(pc.and_(known, pc.is_null(codes))).as_py() or 0
        return codes.cast(pa.float32()).to_numpy(zero_copy_only=False), int(unseen)

    def save(self, folder: Path) -> None:
        """Writes ``inputs.json``, and ``reduction.npz`` where the vector is reduced."""
        plain = {"vector": self.vector, "width": self.width, "seen": self.seen, "categories": dict(self.categories)}
        write_json(folder / INPUTS_FILE, {**plain, "reduced": self.reduction is not None})
        if self.reduction is not None:
            np.savez(folder / REDUCTION_FILE, mean=self.reduction.mean, components=self.reduction.components)

    @classmethod
    def load(cls, folder: Path) -> "Inputs":
        """Reads what ``save`` wrote.

        Raises:
            PredictorError: it does not hold together.
            StorageError: a file is missing.
        """
        try:
            given: dict[str, Any] = json.loads(read_bytes(folder / INPUTS_FILE))
            reduction = _load_reduction(folder) if given["reduced"] else None
            categories = {name: tuple(map(str, values)) for name, values in given["categories"].items()}
            inputs = cls(str(given["vector"]), int(given["width"]), categories, reduction)
            shape = None if reduction is None else reduction.components.shape
            if shape not in (None, (inputs.width, given["seen"])) or inputs.seen != given["seen"]:
                raise ValueError(f"components {shape} for {given['seen']} of {inputs.width} numbers")
        except (ValueError, KeyError, TypeError, AttributeError, FileNotFoundError) as e:
            raise PredictorError(
                f"{folder}/{INPUTS_FILE} does not hold together ({e!r}); open the version again, or train again"
            ) from e
        return inputs


def _load_reduction(folder: Path) -> Reduction:
    with np.load(folder / REDUCTION_FILE, allow_pickle=False) as arrays:
        return Reduction(arrays["mean"].astype(np.float64), arrays["components"].astype(np.float64))


def categories_of(
    names: Sequence[str], columns: Mapping[str, pa.Array], product: npt.NDArray[Any], most: int = MOST_CATEGORIES
) -> tuple[dict[str, tuple[str, ...]], dict[str, int]]:
    """Returns the values of every category, and how many rare ones were left out.

    Args:
        names: of the categories.
        columns: name to text (N,); "" is unknown and no value.
        product: (N,), whose row it is: a value is as frequent as the products that have it.
        most: values to keep of each.
    """
    kept, left_out = {}, {}
    for name in names:
        pairs = pa.table({"value": columns[name], "product": pa.array(product)}).group_by(["value", "product"])
        counted = pairs.aggregate([]).group_by("value").aggregate([([], "count_all")])
        counted = counted.filter(pc.not_equal(counted.column("value"), ""))
        ranked = counted.sort_by([("count_all", "descending"), ("value", "ascending")]).column("value").to_pylist()
        kept[name], left_out[name] = tuple(sorted(ranked[:most])), max(0, len(ranked) - most)
    return kept, left_out
