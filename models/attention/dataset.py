"""The examples folder as images, maps and fixations: read once and kept encoded on disk, decoded a batch at a time."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from features.attention_spec import MAP_LEVELS, SPEC, AttentionSpec
from features.images_fit import Placement, place_image
from models.examples_folder import DatasetError, SpecFolder
from models.records import Value, read_examples
from models.spool import Kept, Spool


@dataclass(frozen=True)
class Stored:
    """One image of a split as it is stored, still encoded.

    Attributes:
        image_id: unique within its set.
        set_name: the set it is from.
        method: how attention was recorded, as the pipeline names it.
        kept_image: JPEG or PNG at the spec's size, letterboxed.
        kept_map: 16-bit PNG of that size.
        map_max: density of the brightest value that the PNG can hold.
        original: (height, width) of the image before it was letterboxed.
        x: float32 (N,) columns of fixations, pixels of the stored image.
        y: float32 (N,) rows.
        subject: int64 (N,) who looked; -1 each where that is not known.
        kind: of content; "" where that is not known.
    """

    image_id: str
    set_name: str
    method: str
    kept_image: Kept
    kept_map: Kept
    map_max: float
    original: tuple[int, int]
    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.float32]
    subject: npt.NDArray[np.int64]
    kind: str = ""

    def image(self) -> npt.NDArray[np.uint8]:
        """Returns the image, uint8 (H, W, 3) RGB.

        Raises:
            DatasetError: it cannot be decoded.
        """
        found = cv2.imdecode(np.frombuffer(self.kept_image.read(), np.uint8), cv2.IMREAD_COLOR_RGB)
        if found is None:
            raise DatasetError(f"image {self.image_id} of {self.set_name} cannot be decoded; write the examples again")
        return found  # type: ignore[return-value]

    def map(self) -> npt.NDArray[np.float32]:
        """Returns the attention map, float32 (H, W), of sum 1 but for rounding.

        Raises:
            DatasetError: it cannot be decoded.
        """
        found = cv2.imdecode(np.frombuffer(self.kept_map.read(), np.uint8), cv2.IMREAD_UNCHANGED)
        if found is None or found.dtype != np.uint16 or found.ndim != 2:
            raise DatasetError(
                f"the map of {self.image_id} of {self.set_name} is no 16-bit PNG; write the examples again"
            )
        density: npt.NDArray[np.float32] = found.astype(np.float32) * np.float32(self.map_max / MAP_LEVELS)
        return density

    def placement(self, spec: AttentionSpec) -> Placement:
        """Returns where in the stored image the original lies."""
        return place_image(*self.original, spec.width, spec.height)

    def valid(self, spec: AttentionSpec) -> npt.NDArray[np.bool_]:
        """Returns bool (H, W): the pixels that are image, not letterbox."""
        place = self.placement(spec)
        found = np.zeros((spec.height, spec.width), np.bool_)
        found[place.top : place.top + place.height, place.left : place.left + place.width] = True
        return found


class Batch(NamedTuple):
    """B images with what should come out.

    Attributes:
        images: uint8 (B, H, W, 3) RGB.
        maps: float32 (B, H, W), each of sum 1; 0 in the letterbox.
        fixations: float32 (B, H, W) number of fixations in each pixel.
        valid: bool (B, H, W): the pixels that are image, not letterbox.
        sets: int64 (B,) numbers, in the spec, of the sets that the images are from.
    """

    images: npt.NDArray[np.uint8]
    maps: npt.NDArray[np.float32]
    fixations: npt.NDArray[np.float32]
    valid: npt.NDArray[np.bool_]
    sets: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """The images of a split, in the order of the files.

    Attributes:
        name: train, validation or test.
        spec: what the images and maps are.
        stored: the images.
    """

    name: str
    spec: AttentionSpec
    stored: tuple[Stored, ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.stored)

    def batch(self, rows: Sequence[int]) -> Batch:
        """Decodes the images with the given indices.

        Raises:
            DatasetError: one cannot be decoded or is not of the spec's size.
        """
        size = (len(rows), self.spec.height, self.spec.width)
        images, maps = np.empty((*size, 3), np.uint8), np.empty(size, np.float32)
        fixations, valid = np.zeros(size, np.float32), np.empty(size, np.bool_)
        for index, row in enumerate(rows):
            item = self.stored[row]
            image, density = item.image(), item.map()
            if image.shape[:2] != size[1:] or density.shape != size[1:]:
                raise DatasetError(
                    f"image {item.image_id} of {item.set_name} is {image.shape[1]}x{image.shape[0]}, its map "
                    f"{density.shape[1]}x{density.shape[0]}, the spec says {size[2]}x{size[1]}; write them again"
                )
            images[index], valid[index] = image, item.valid(self.spec)
            density *= valid[index]
            maps[index] = density / max(float(density.sum(dtype=np.float64)), 1e-20)
            fixations[index] = count_fixations(item.x, item.y, *size[1:])
        return Batch(images, maps, fixations, valid, self.sets[np.asarray(rows, np.int64)])

    @cached_property
    def sets(self) -> npt.NDArray[np.int64]:
        """int64 (N,): the number, in the spec, of the set that each image is from."""
        return np.array([self.spec.set_number(item.set_name) for item in self.stored], np.int64)

    def mean_map(self) -> npt.NDArray[np.float32]:
        """Returns the mean of the maps, float32 (H, W) of sum 1."""
        total = np.zeros((self.spec.height, self.spec.width))
        for row in range(len(self)):
            total += self.batch([row]).maps[0]
        mean: npt.NDArray[np.float32] = (total / max(total.sum(), 1e-20)).astype(np.float32)
        return mean

    def of_methods(self, methods: str) -> "Split":
        """Returns the images recorded by the given methods: "all", or names parted by commas.

        Raises:
            DatasetError: there are none.
        """
        if methods == "all":
            return self
        wanted = set(methods.split(","))
        kept = tuple(item for item in self.stored if item.method in wanted)
        if not kept:
            there = Counter(item.method for item in self.stored)
            raise DatasetError(
                f"{self.name} has no image of the methods {methods}; it has "
                f"{', '.join(f'{n} of {name}' for name, n in sorted(there.items()))}"
            )
        return Split(self.name, self.spec, kept)


class ExamplesFolder(SpecFolder[AttentionSpec]):
    """A complete examples folder of the attention model."""

    spec_class = AttentionSpec
    command = "augury attention-examples"
    noun = source = "images"

    def read(self, split: str) -> Split:
        """Reads the records of a split; pixels are decoded later.

        Raises:
            DatasetError: a record lacks a feature, the split is empty, or its number is not the card's.
            RecordError: a file is damaged.
        """
        stored = tuple(self._stored(split))
        self.check_count(split, len(stored))
        for item in stored:
            if item.set_name not in self.spec.sets:
                raise DatasetError(
                    f"{self.path}/{split}: image {item.image_id} is from the set {item.set_name!r}, the spec knows "
                    f"{', '.join(self.spec.sets)}; write the examples again"
                )
        return Split(split, self.spec, stored)

    def _stored(self, split: str) -> Iterator[Stored]:
        spool = Spool()
        for name, features in read_examples(self.files(split)):
            yield _stored(features, name, spool)


def count_fixations(x: npt.NDArray[np.floating], y: npt.NDArray[np.floating], height: int, width: int) -> Any:
    """Returns how many points lie in each pixel, float32 (H, W); a point (x, y) lies in pixel [floor(y), floor(x)].

    Points outside, which the pipeline has counted, are left out.
    """
    columns, rows = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    counts = np.bincount(rows[inside] * width + columns[inside], minlength=height * width)
    return counts.reshape(height, width).astype(np.float32)


def _stored(features: dict[str, Value], name: str, spool: Spool) -> Stored:
    try:
        none = np.zeros(0, np.float32)
        x, y = np.asarray(features.get("fixations/x", none)), np.asarray(features.get("fixations/y", none))
        subject = np.asarray(features.get("fixations/subject", np.full(len(x), -1)), np.int64)
        if not len(x) == len(y) == len(subject):
            raise ValueError(f"{len(x)} x, {len(y)} y and {len(subject)} subjects of fixations")
        return Stored(
            image_id=_one(features, "image/id").decode(),
            set_name=_one(features, "set").decode(),
            method=_one(features, "method").decode(),
            kept_image=spool.keep(_one(features, "image/encoded")),
            kept_map=spool.keep(_one(features, "map/encoded")),
            map_max=float(_one(features, "map/max")),
            original=(int(_one(features, "image/height")), int(_one(features, "image/width"))),
            x=x.astype(np.float32),
            y=y.astype(np.float32),
            subject=subject,
            kind=_one(features, "kind").decode() if "kind" in features else "",
        )
    except (KeyError, ValueError, TypeError, AttributeError) as e:
        raise DatasetError(f"{name}: a record does not fit {SPEC} ({e}); write the examples again") from e


def _one(features: dict[str, Value], name: str) -> Any:
    values = features[name]
    if len(values) != 1:
        raise ValueError(f"{name} has {len(values)} values")
    return values[0]
