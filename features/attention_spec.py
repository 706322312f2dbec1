"""AttentionSpec: what a stored image and its attention map are; one contract for those who write, read and serve."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from features.fields import Tensor
from features.fingerprinted import FingerprintedSpec
from features.splits import SPLITS
from features.strict import FeatureSpecError, number, one_of, texts, whole

VERSION = 1
"""Raised when the same spec would give other pixels or other maps than before, so that old artifacts are refused."""

SPEC = "attention_spec.json"
"""The file of a data set, and of an artifact, that holds the spec."""

METHODS = ("eye", "mouse_samples", "clicks", "mask")
"""How attention was recorded: an eye tracker's fixations, the samples of a cursor that uncovers a blurred image,
clicks that uncover it (BubbleView), or ready-made maps."""

DEFAULT_MERGE = {"eye": 1.0, "mouse_samples": 0.25, "clicks": 0.25, "mask": 1.0}
"""Weight of each method where an image has several; docs/gaze.md says where the numbers come from."""

RESAMPLE_BY = ("time", "distance", "none")
"""How the samples of a cursor are thinned: one every so many ms, one every so many pixels, or all of them kept."""

MAP_LEVELS = 65535
"""A stored map is a 16-bit PNG: density = pixel / ``MAP_LEVELS`` * ``map/max``."""


@dataclass(frozen=True)
class AttentionSpec(FingerprintedSpec):
    """Everything that decides a stored image and its map.

    Attributes:
        width: of stored images and maps, pixels; images are letterboxed into it.
        height: of stored images and maps, pixels.
        sigma_px: standard deviation of the Gaussian that makes points a density, in pixels of the original image.
        set_sigma_px: sets that have another one, as set -> pixels of the original image.
        merge: weight of each method where an image has several: map = weighted mean of the methods' densities.
        merge_splits: splits whose maps are merged; in the others the eye's fixations alone are the truth, where an
            image has some, so that a model is not judged by what it was helped with.
        resample_by: how cursor samples are thinned, one of ``RESAMPLE_BY``.
        resample_step: milliseconds or pixels of the original image between two of them.
        sets: names of the sets, in the order of their numbers.
        image_format: "jpeg" or "png", of stored images.
        jpeg_quality: 1 to 100, where they are JPEG.
        version: of the way images and maps are computed.
    """

    width: int = 320
    height: int = 240
    sigma_px: float = 24.0
    set_sigma_px: Mapping[str, float] = field(default_factory=dict)
    merge: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_MERGE))
    merge_splits: tuple[str, ...] = ("train",)
    resample_by: str = "time"
    resample_step: float = 20.0
    sets: tuple[str, ...] = ()
    image_format: str = "jpeg"
    jpeg_quality: int = 95
    version: int = VERSION

    what = "attention spec"
    file = SPEC
    code_version = VERSION

    def __post_init__(self) -> None:
        self.check_version(self.version)
        for name in ("width", "height"):
            whole(name, getattr(self, name), 8, 8192)
        whole("jpeg_quality", self.jpeg_quality, 1, 100)
        one_of("image_format", self.image_format, ("jpeg", "png"))
        one_of("resample_by", self.resample_by, RESAMPLE_BY)
        for name in ("sigma_px", "resample_step"):
            object.__setattr__(self, name, number(name, getattr(self, name), above=0))
        object.__setattr__(self, "sets", texts("sets", self.sets))
        object.__setattr__(self, "merge_splits", texts("merge_splits", self.merge_splits))
        for split in self.merge_splits:
            one_of("merge_splits", split, SPLITS)
        object.__setattr__(self, "merge", _numbers("merge", self.merge, METHODS))
        object.__setattr__(self, "set_sigma_px", _numbers("set_sigma_px", self.set_sigma_px, self.sets))

    __hash__ = FingerprintedSpec.__hash__

    def sigma_of(self, name: str) -> float:
        """Returns the sigma of a set, pixels of its original images."""
        return self.set_sigma_px.get(name, self.sigma_px)

    def set_number(self, name: str) -> int:
        """Returns the number of a set, 0 to ``len(sets)`` - 1.

        Raises:
            FeatureSpecError: there is no such set.
        """
        one_of("set", name, self.sets)
        return self.sets.index(name)

    def tensors(self) -> dict[str, Tensor]:
        """Returns the features of an example by name; docs/gaze.md says what each is."""
        text, one = Tensor("fixed", "bytes", ()), Tensor("fixed", "int64", ())
        points = Tensor("varlen", "float32", (None,))
        return {
            "image/encoded": text,
            "image/height": one,
            "image/width": one,
            "image/id": text,
            "set": text,
            "kind": text,
            "method": text,
            "split": text,
            "map/encoded": text,
            "map/max": Tensor("fixed", "float32", ()),
            "fixations/x": points,
            "fixations/y": points,
            "fixations/subject": Tensor("varlen", "int64", (None,)),
        }


def _numbers(where: str, given: object, allowed: tuple[str, ...]) -> dict[str, float]:
    """Returns a mapping of known names to positive numbers, sorted by name."""
    if not isinstance(given, Mapping):
        raise FeatureSpecError(f"{where}: {given!r} is not possible; expected an object of numbers by name")
    for name in given:
        one_of(where, name, allowed)
    return {name: number(f"{where}.{name}", value, above=0) for name, value in sorted(given.items())}
