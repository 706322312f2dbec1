"""What a creative-examples job works on, and what its stages hand over; plain and picklable."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transforms.image_sets import ImageLayout

SPOOL_SCHEMA = pa.schema(
    [
        pa.field("number", pa.int32()),
        pa.field("product", pa.string()),
        pa.field("kind", pa.string()),
        pa.field("brand", pa.string()),
        pa.field("gender", pa.string()),
        pa.field("name", pa.string()),
        pa.field("image_id", pa.string()),
        pa.field("variant", pa.string()),
        pa.field("encoded", pa.large_binary()),
    ]
)
"""Variants on their way to their split, one a row."""


@dataclass(frozen=True)
class Product:
    """One product of the catalogue and its photo.

    Attributes:
        number: its place in the catalogue.
        product: its id.
        path: where the photo is.
        kind: what it is, such as the type of shoe; "" where nobody says, like all that follow.
        brand: who makes it.
        gender: whom it is for.
        name: what it is called.
    """

    number: int
    product: str
    path: str
    kind: str = ""
    brand: str = ""
    gender: str = ""
    name: str = ""


@dataclass(frozen=True)
class PhotoTask:
    """Some products of one shard, done at once.

    Attributes:
        number: of the task.
        shard: whose examples they become.
        products: in the catalogue's order.
    """

    number: int
    shard: int
    products: tuple[Product, ...]


@dataclass(frozen=True)
class ConversionTask:
    """One table of conversions.

    Attributes:
        number: of the task.
        path: the table.
        columns: names that differ, ours -> theirs.
    """

    number: int
    path: str
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CatalogueTask:
    """What the catalogue itself left out.

    Attributes:
        letters: in ``DEAD_LETTER_SCHEMA``, as IPC.
    """

    letters: bytes


@dataclass(frozen=True)
class CreativeLayout(ImageLayout):
    """Where the files of a creative data set go."""

    def conversions_path(self, split: str, shard: int) -> str:
        """Returns the Parquet file with the conversions of one shard of a split."""
        return f"{self.folder}/{split}/conversions-{shard:05d}-of-{self.shards:05d}.parquet"


@dataclass
class CreativeReport:
    """Counts of one written shard, or of several.

    Attributes:
        examples: (split, variant) -> examples.
        products: split -> products.
        kinds: (split, kind) -> products.
        conversions: (split, count) -> its sum over the rows of conversions; ``rows`` counts those.
        ceiling: (split, target) -> what is best possible on simulated conversions.
        rejected: reason -> rows of conversions refused when they were added up.
    """

    examples: Counter[tuple[str, str]] = field(default_factory=Counter)
    products: Counter[str] = field(default_factory=Counter)
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)
    conversions: Counter[tuple[str, str]] = field(default_factory=Counter)
    ceiling: dict[tuple[str, str], npt.NDArray[np.float64]] = field(default_factory=dict)
    rejected: Counter[str] = field(default_factory=Counter)


def merge_reports(reports: Iterable[CreativeReport]) -> CreativeReport:
    """Adds reports up; theirs are left as they are."""
    total = CreativeReport()
    for report in reports:
        for name in ("examples", "products", "kinds", "conversions", "rejected"):
            getattr(total, name).update(getattr(report, name))
        for key, sums in report.ceiling.items():
            total.ceiling[key] = total.ceiling[key] + sums if key in total.ceiling else sums
    return total


def shard_of(number: int, per_shard: int) -> int:
    """Returns the shard of a product: neighbours in the catalogue share one."""
    return number // per_shard
