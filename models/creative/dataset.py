"""The examples folder as photos and the variants they are: read once and kept encoded on disk, decoded by the batch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from features.creative_spec import SPEC, CreativeSpec
from features.splits import SPLITS
from models.examples_folder import DatasetError, SpecFolder
from models.records import Value, read_examples
from models.spool import Kept, Spool


@dataclass(frozen=True)
class Stored:
    """One variant of one photo as it is stored, still encoded.

    Attributes:
        image_id: SHA-256, in hex, of the photo that it was made of.
        variant: its name.
        product: whose photo it is.
        kind: of product, such as the shoe type; empty where that is not known.
        kept: JPEG or PNG at the spec's size.
    """

    image_id: str
    variant: str
    product: str
    kind: str
    kept: Kept

    @property
    def encoded(self) -> bytes:
        """The file of the image."""
        return self.kept.read()

    def image(self) -> npt.NDArray[np.uint8]:
        """Returns the image, uint8 (H, W, 3) RGB.

        Raises:
            DatasetError: it cannot be decoded.
        """
        found = cv2.imdecode(np.frombuffer(self.encoded, np.uint8), cv2.IMREAD_COLOR_RGB)
        if found is None:
            raise DatasetError(f"{self.variant} of {self.product} cannot be decoded; write the examples again")
        return found  # type: ignore[return-value]


class Batch(NamedTuple):
    """B images with what they are.

    Attributes:
        images: uint8 (B, H, W, 3) RGB.
        labels: int64 (B,), numbers of their variants in the spec.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """The images of a split, in the order of the files.

    Attributes:
        name: train, validation or test.
        spec: what the images are.
        stored: the images.
    """

    name: str
    spec: CreativeSpec
    stored: tuple[Stored, ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.stored)

    def batch(self, rows: Sequence[int]) -> Batch:
        """Decodes the images with the given indices.

        Raises:
            DatasetError: one cannot be decoded or is not of the spec's size.
        """
        images = np.empty((len(rows), self.spec.height, self.spec.width, 3), np.uint8)
        for index, row in enumerate(rows):
            image = self.stored[row].image()
            if image.shape != images.shape[1:]:
                raise DatasetError(
                    f"{self.stored[row].variant} of {self.stored[row].product} is {image.shape[1]}x{image.shape[0]}, "
                    f"the spec says {self.spec.width}x{self.spec.height}; write the examples again"
                )
            images[index] = image
        return Batch(images, self.labels[np.asarray(rows, np.int64)])

    @cached_property
    def labels(self) -> npt.NDArray[np.int64]:
        """int64 (N,): the number, in the spec, of the variant that each image is."""
        numbers = {name: number for number, name in enumerate(self.spec.variant_names)}
        return np.array([numbers[item.variant] for item in self.stored], np.int64)

    @cached_property
    def products(self) -> dict[str, list[int]]:
        """The rows of each product, in the order of the files."""
        found: dict[str, list[int]] = {}
        for row, item in enumerate(self.stored):
            found.setdefault(item.product, []).append(row)
        return found


class ExamplesFolder(SpecFolder[CreativeSpec]):
    """A complete examples folder of the creative models."""

    spec_class = CreativeSpec
    command = "augury creative-examples"
    noun = source = "images"

    def read(self, split: str) -> Split:
        """Reads the records of a split; pixels are decoded later.

        Raises:
            DatasetError: a record lacks a feature, the split is empty, or its number is not the card's.
            RecordError: a file is damaged.
        """
        stored = tuple(self._stored(split))
        self.check_count(split, len(stored))
        return Split(split, self.spec, stored)

    def read_all(self) -> dict[str, Split]:
        """Reads every split.

        Raises:
            DatasetError: as for ``read``, or a product is in two splits, so that the test would be of what was learnt.
        """
        splits = {name: self.read(name) for name in SPLITS}
        seen: dict[str, str] = {}
        for name, split in splits.items():
            for product in split.products:
                if seen.setdefault(product, name) != name:
                    raise DatasetError(
                        f"{self.path}: the product {product!r} is in {seen[product]} and in {name}; a product belongs "
                        "to one split: write the examples again"
                    )
        return splits

    def _stored(self, split: str) -> Iterator[Stored]:
        spool = Spool()
        for name, features in read_examples(self.files(split)):
            yield _stored(features, name, self.spec, spool)


def _stored(features: dict[str, Value], name: str, spec: CreativeSpec, spool: Spool) -> Stored:
    try:
        texts = {key: _one(features, key).decode() for key in ("image/id", "variant", "product")}
        kind = _one(features, "kind").decode() if "kind" in features else ""
        encoded = _one(features, "image/encoded")
    except (KeyError, ValueError, TypeError, AttributeError) as e:
        raise DatasetError(f"{name}: a record does not fit {SPEC} ({e}); write the examples again") from e
    if texts["variant"] not in spec.variant_names:
        raise DatasetError(
            f"{name}: {texts['product']} has the variant {texts['variant']!r}, the spec knows "
            f"{', '.join(spec.variant_names)}; write the examples again"
        )
    return Stored(texts["image/id"], texts["variant"], texts["product"], kind, spool.keep(encoded))


def _one(features: dict[str, Value], name: str) -> bytes:
    values = features[name]
    if not isinstance(values, list) or len(values) != 1:
        raise ValueError(f"{name} is not one text")
    return values[0]
