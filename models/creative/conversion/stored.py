"""The photos of some products out of the examples, one record at a time: a catalogue may be larger than memory."""

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from features.creative_spec import CreativeSpec
from models.creative.dataset import ExamplesFolder
from models.examples_folder import DatasetError
from models.records import Value, read_examples


@dataclass(frozen=True)
class StoredPhoto:
    """A product's photo as it is, at the spec's size.

    Attributes:
        product: its name for programs.
        image_id: SHA-256, in hex, of the photo that it was made of.
        kind: of product.
        brand: of the product.
        gender: that it is for.
        name: for people.
        encoded: PNG or JPEG.
    """

    product: str
    image_id: str
    kind: str
    brand: str
    gender: str
    name: str
    encoded: bytes


def read_originals(folder: ExamplesFolder, split: str, products: Collection[str]) -> Iterator[StoredPhoto]:
    """Yields the unchanged photos of some products of a split, in the order of the files.

    Raises:
        DatasetError: a record lacks a feature.
        RecordError: a file is damaged.
        StorageError: a file cannot be read.
    """
    wanted, original = set(products), original_of(folder.spec)
    for file, found in read_examples(folder.files(split)):
        try:
            texts = [_text(found[name]) for name in ("product", "variant", "image/id")]
            if texts[1] != original or texts[0] not in wanted:
                continue
            about = {name: _text(found.get(name, [b""])) for name in ("kind", "brand", "gender", "name")}
            yield StoredPhoto(texts[0], texts[2], encoded=bytes(found["image/encoded"][0]), **about)
        except (KeyError, IndexError, TypeError, AttributeError, UnicodeDecodeError) as e:
            raise DatasetError(
                f"{file} holds a record without what a photo needs ({e!r}); write the examples again"
            ) from e


def original_of(spec: CreativeSpec) -> str:
    """Returns the name of the variant that is the photo as it is."""
    return next(variant.name for variant in spec.variants if variant.of == "original")


def lowest(products: Collection[str], most: int) -> list[str]:
    """Returns up to ``most`` products: those whose names have the lowest SHA-256, in that order."""
    return sorted(products, key=lambda name: hashlib.sha256(name.encode()).digest())[:most]


def _text(values: Value) -> str:
    (value,) = values
    return bytes(value).decode()
