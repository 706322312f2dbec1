"""Conversions joined with the vectors of the photos that they are about."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.conversions import CONVERSION_SCHEMA, TRUTH
from features.creative_spec import Target
from features.storage import explained, list_files, open_filesystem
from models.creative.conversion.trees import Counts, Floats, Ints, Matrix
from models.creative.dataset import ExamplesFolder
from models.examples_folder import DatasetError

PHOTO_KEYS = ("product", "variant")
VECTOR_COLUMNS = ("logits", "features")


@dataclass(frozen=True, eq=False)
class Photos:
    """The vectors of every photo of a split.

    Attributes:
        table: product, variant, image_id: text (P,), sorted by product, then variant.
        vectors: name, one of ``VECTOR_COLUMNS``, to float32 (P, D).
    """

    table: pa.Table
    vectors: Mapping[str, Matrix]

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @cached_property
    def _places(self) -> dict[tuple[str, str], int]:
        columns = (self.table.column(name).to_pylist() for name in PHOTO_KEYS)
        return {(product, variant): place for place, (product, variant) in enumerate(zip(*columns, strict=True))}

    def place(self, product: str, variant: str) -> int:
        """Returns where a photo is; there must be one."""
        return self._places[product, variant]

    def find(self, products: pa.Array, variants: pa.Array) -> Ints:
        """Returns the photo, int64 (N,), of each product and variant; -1 where there is none."""
        places = pc.index_in(_key(products, variants), _key(*(_flat(self.table.column(name)) for name in PHOTO_KEYS)))
        found: Ints = pc.fill_null(places, -1).to_numpy(zero_copy_only=False).astype(np.int64)
        return found


@dataclass(frozen=True, eq=False)
class Rows:
    """Conversions of a split.

    Attributes:
        table: in ``CONVERSION_SCHEMA``, some with columns of truth; N rows.
        photo: int64 (N,), the place in ``photos`` of each row.
        photos: of the split.
    """

    table: pa.Table
    photo: Ints
    photos: Photos

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def take(self, places: npt.NDArray[Any]) -> "Rows":
        """Returns some of the rows."""
        return Rows(self.table.take(pa.array(places)), self.photo[places], self.photos)

    def column(self, name: str) -> pa.Array:
        """Returns a column in one piece."""
        return _flat(self.table.column(name))

    def recorded(self, target: Target) -> Ints:
        """Returns the places of the rows of which a target was recorded and has something to be a share of."""
        good = pc.and_(pc.is_valid(self.column(target.count)), pc.greater(self.column(target.among), 0))
        return np.flatnonzero(pc.fill_null(good, False).to_numpy(zero_copy_only=False))

    def truth(self, target: Target) -> Floats | None:
        """Returns the true probabilities of a target, float64 (N,); None where they are not known of every row."""
        name = f"{TRUTH}{target.name}"
        if name not in self.table.column_names or not len(self) or self.column(name).null_count:
            return None
        return np.asarray(self.column(name).to_numpy(zero_copy_only=False), np.float64)

    def campaigns(self, names: Iterable[str]) -> dict[str, pa.Array]:
        """Returns columns by name."""
        return {name: self.column(name) for name in names}

    def codes(self, name: str) -> Ints:
        """Returns a column of text as numbers, int64 (N,), from 0 up without a gap."""
        coded: Ints = self.column(name).dictionary_encode().indices.to_numpy(zero_copy_only=False).astype(np.int64)
        return coded

    def counts(self, target: Target, matrix: Matrix, kinds: Sequence[str]) -> Counts:
        """Returns what trees learn a target from."""
        count, among = (
            self.column(name).to_numpy(zero_copy_only=False).astype(np.int64) for name in (target.count, target.among)
        )
        return Counts(matrix, kinds, count, among, self.codes("product"))


def read_photos(embeddings: str, split: str) -> Photos:
    """Reads the vectors of a split.

    Raises:
        DatasetError: there is none, a column is missing, vectors differ in length or are not finite, or a photo is
            there twice.
        StorageError: the folder cannot be read.
    """
    table = _read(f"{embeddings}/{split}", "embeddings-", (*PHOTO_KEYS, "image_id", *VECTOR_COLUMNS), embeddings)
    if not table.num_rows:
        raise DatasetError(f"{embeddings}/{split} holds no embeddings; run `augury creative-embeddings` to its end")
    table = table.sort_by([(name, "ascending") for name in PHOTO_KEYS])
    keys = _key(*(_flat(table.column(name)) for name in PHOTO_KEYS))
    if pc.count_distinct(keys).as_py() != len(keys):
        raise DatasetError(f"{embeddings}/{split}: a photo is there twice; write the embeddings again")
    vectors = {name: _vectors(table.column(name), f"{embeddings}/{split}: {name}") for name in VECTOR_COLUMNS}
    return Photos(table.select([*PHOTO_KEYS, "image_id"]), vectors)


def read_rows(folder: ExamplesFolder, photos: Photos, split: str) -> Rows:
    """Reads the conversions of a split.

    Raises:
        DatasetError: a column is missing, or a row is about a photo that has no vector.
        StorageError: the folder cannot be read.
    """
    name = f"{folder.path}/{split}"
    table = _read(name, "conversions-", tuple(CONVERSION_SCHEMA.names), folder.path)
    if not table.num_rows:
        raise DatasetError(f"{name} holds no conversions; give `{folder.command}` conversions of more products")
    table = table.sort_by([(name, "ascending") for name in CONVERSION_SCHEMA.names[:8]])
    photo = photos.find(*(_flat(table.column(name)) for name in PHOTO_KEYS))
    if (photo < 0).any():
        row = table.slice(int(np.argmax(photo < 0)), 1).to_pylist()[0]
        raise DatasetError(
            f"{name}: {int((photo < 0).sum())} conversions are about photos without an embedding, such as product "
            f"{row['product']!r}, variant {row['variant']!r}; make the embeddings of these very examples"
        )
    return Rows(table, photo, photos)


def _read(folder: str, prefix: str, columns: Sequence[str], whole: str) -> pa.Table:
    names = [name for name in list_files(folder) if name.rsplit("/", 1)[-1].startswith(prefix)]
    tables = []
    for name in names:
        fs, path = open_filesystem(name)
        try:
            with explained(name, "read"), fs.open(path, "rb") as file:
                found = pq.read_table(file)
        except (pa.ArrowInvalid, ValueError) as e:
            reason = " ".join(str(e).split())[:200]
            raise DatasetError(f"cannot read {name} ({reason}); write {whole} again") from e
        missing = [column for column in columns if column not in found.column_names]
        if missing:
            raise DatasetError(f"{name} has no column {missing[0]!r}; write {whole} again")
        tables.append(found)
    if not tables:
        return pa.table({name: [] for name in columns})
    return pa.concat_tables(tables, promote_options="default")


def _vectors(column: pa.ChunkedArray, where: str) -> Matrix:
    lists = _flat(column)
    lengths = pc.list_value_length(lists)
    if lists.null_count or pc.count_distinct(lengths).as_py() != 1 or not lengths[0].as_py():
        raise DatasetError(f"{where} have different lengths or none; write the embeddings again")
    found = np.asarray(lists.flatten().to_numpy(zero_copy_only=False), np.float32).reshape(len(lists), -1)
    if not np.isfinite(found).all():
        raise DatasetError(f"{where} hold a number that is not finite; train the recogniser again")
    return found


def _key(products: pa.Array, variants: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(products.cast(pa.string()), variants.cast(pa.string()), "\x1f")


def _flat(column: pa.ChunkedArray) -> pa.Array:
    found = column.combine_chunks()
    return pa.concat_arrays(found.chunks) if isinstance(found, pa.ChunkedArray) else found
