"""The catalogue of an artifact: products with their looks and a thumbnail, to recommend others from."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from models.artifact import PredictorError
from models.creative.recognizer import Vectors

CATALOGUE_FILE = "catalogue.parquet"
CATALOGUE_COLUMNS = pa.schema(
    [
        *(pa.field(name, pa.string(), nullable=False) for name in ("product", "kind", "brand", "gender", "name")),
        pa.field("image_id", pa.string(), nullable=False),
        pa.field("embedding", pa.list_(pa.float32()), nullable=False),
        pa.field("logits", pa.list_(pa.float32()), nullable=False),
        pa.field("thumbnail", pa.binary(), nullable=False),
    ]
)
"""A product: ``embedding`` is the recogniser's features of its photo as it is, ``thumbnail`` that photo as a JPEG."""

Floats32 = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Products to recommend from; P rows.

    Attributes:
        table: in ``CATALOGUE_COLUMNS``, sorted by product.
        vectors: of each product's photo as it is: what the trees need, so that no photo is looked at again.
    """

    table: pa.Table
    vectors: Vectors

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @classmethod
    def load(cls, folder: str | Path) -> "Catalogue":
        """Reads the catalogue of a local artifact.

        Raises:
            PredictorError: it is missing or damaged.
        """
        path = Path(folder) / CATALOGUE_FILE
        try:
            table = pq.read_table(path)
            if not table.schema.equals(CATALOGUE_COLUMNS):
                raise ValueError(f"its columns are {', '.join(table.column_names)}")
            vectors = Vectors(*(_matrix(table.column(name)) for name in ("logits", "embedding")))
        except (OSError, ValueError, pa.ArrowInvalid) as e:
            reason = " ".join(str(e).split())[:200]
            raise PredictorError(f"cannot read {path} ({reason}); open the version again, or train again") from e
        return cls(table, vectors)

    def take(self, places: npt.NDArray[np.integer]) -> "Catalogue":
        """Returns some of the products, in the order given."""
        return Catalogue(self.table.take(pa.array(places)), Vectors(*(part[places] for part in self.vectors)))

    def nearest(
        self, features: Floats32, most: int, kind: str | None = None, leave_out: tuple[str, ...] = ()
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Returns the places of the products that look most like a photo, and how alike they are, most alike first.

        Alike is the cosine of the two embeddings, each less the mean of the catalogue's: what all photos have in common
        tells nothing of one.

        Args:
            features: float32 (D,), the recogniser's of the photo.
            most: products to return.
            kind: of product; any if not given.
            leave_out: image ids or names of products that are not to be among them.

        Returns:
            int64 (K,) and float64 (K,), K being ``most`` or fewer.
        """
        if not len(self):
            return np.empty(0, np.int64), np.empty(0)
        mean, looks = self._looks
        alike = (looks @ _unit(features - mean)).astype(np.float64)
        allowed = np.ones(len(alike), np.bool_)
        if kind is not None:
            allowed &= self._names["kind"] == kind
        if leave_out:
            for name in ("product", "image_id"):
                allowed &= ~np.isin(self._names[name], list(leave_out))
        places = np.flatnonzero(allowed)
        order = places[np.argsort(-alike[places], kind="stable")][:most]
        return order.astype(np.int64), alike[order]

    @cached_property
    def _looks(self) -> tuple[Floats32, Floats32]:
        """The mean of all features, (D,), and each product's less the mean, of length 1, (P, D)."""
        own = self.vectors.features
        mean = own.mean(axis=0, dtype=np.float64).astype(np.float32)
        return mean, _unit(own - mean)

    @cached_property
    def _names(self) -> dict[str, npt.NDArray[np.object_]]:
        names = ("kind", "product", "image_id")
        return {name: np.array(self.table.column(name).to_pylist(), np.object_) for name in names}

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of product that there are, sorted."""
        return tuple(sorted(set(self._names["kind"].tolist()) - {""}))


def write_catalogue(folder: Path, rows: list[dict[str, Any]]) -> None:
    """Writes ``catalogue.parquet``, sorted by product."""
    table = pa.Table.from_pylist(sorted(rows, key=lambda row: str(row["product"])), CATALOGUE_COLUMNS)
    pq.write_table(table, folder / CATALOGUE_FILE, compression="zstd")


def _matrix(column: pa.ChunkedArray) -> Floats32:
    rows = len(column)
    values = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in column.chunks]
    flat = np.concatenate(values).astype(np.float32) if values else np.empty(0, np.float32)
    return flat.reshape(rows, -1) if rows else np.empty((0, 0), np.float32)


def _unit(vectors: Floats32) -> Floats32:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1.0), np.float32)
