"""Versions of one product photo: the six that are made by default, a seventh, and those that other packages register.

Every variant is a frozen dataclass whose fields are its parameters, found by name through the entry-point group
``augury.variants``::

    [project.entry-points."augury.variants"]
    sepia = "my_shop.variants:Sepia"

Lengths are shares of the image, never pixels, so that a variant looks the same at every size; what it does is fixed by
its parameters alone, so the same pixels give the same pixels.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from features.errors import AuguryError
from features.images import Pixels
from features.plugins import PluginGroup, plugin_params

ENTRY_POINT_GROUP = "augury.variants"

Table = npt.NDArray[np.uint8]


class VariantError(AuguryError, ValueError):
    """A variant that is unknown, cannot be loaded, or was given impossible parameters."""


@dataclass(frozen=True)
class Variant:
    """One way to change a photo; derive from it as a frozen dataclass whose fields are JSON-able parameters."""

    def apply(self, image: Pixels) -> Pixels:
        """Returns the changed photo, another array than the one given.

        Args:
            image: uint8 (H, W, 3), RGB; not to be written to.

        Returns:
            uint8 (H, W, 3), RGB; the sides may be swapped, nothing else.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define apply")


@dataclass(frozen=True)
class Original(Variant):
    """The photo as it is."""

    def apply(self, image: Pixels) -> Pixels:
        return image.copy()


@dataclass(frozen=True)
class Exposure(Variant):
    """Another exposure, and the deepest black and the lightest white that a print of it would have.

    A photographer brightens by stops, each of which doubles the light, so the numbers are made linear first (the
    transfer function of IEC 61966-2-1, sRGB) and what passes white is clipped, as on a sensor. Then 0 to 1 becomes
    ``black`` to ``white``.

    Attributes:
        stops: exposure, from -8 to 8.
        black: what black becomes, as a share of the range.
        white: what white becomes.
    """

    stops: float = 0.0
    black: float = 0.0
    white: float = 1.0

    def __post_init__(self) -> None:
        _within("stops", self.stops, -8, 8)
        _within("black", self.black, 0, 1)
        _within("white", self.white, 0, 1)
        if self.black >= self.white:
            raise VariantError(f"black {self.black:g} is not below white {self.white:g}; expected a range between them")

    def apply(self, image: Pixels) -> Pixels:
        return cv2.LUT(image, _tones(self.stops, self.black, self.white))  # type: ignore[return-value]


@dataclass(frozen=True)
class Brighter(Exposure):
    """A high-key photo: one stop more light, and shadows lifted as a reflector would lift them.

    The stop alone is not to be told from a photo that was bright from the start (docs/creative-examples.md has the
    figures); shadows that are never dark are what makes a high-key photo one, and can be seen in any.
    """

    stops: float = 1.0
    black: float = 0.2


@dataclass(frozen=True)
class Darker(Exposure):
    """A low-key photo: one stop less light, and lights held down."""

    stops: float = -1.0
    white: float = 0.8


@dataclass(frozen=True)
class Rotated(Variant):
    """The photo turned by right angles, clockwise; no pixel is computed anew.

    Attributes:
        quarter_turns: how many, 0 to 3.
    """

    quarter_turns: int = 1

    def __post_init__(self) -> None:
        _within("quarter_turns", self.quarter_turns, 0, 3)

    def apply(self, image: Pixels) -> Pixels:
        return np.ascontiguousarray(np.rot90(image, -self.quarter_turns)).copy()


@dataclass(frozen=True)
class Sketch(Variant):
    """A pencil drawing: grey divided by its own blur, so that only what differs from its surroundings leaves a stroke.

    It is the "colour dodge" of image editors, which draws grey / (255 - blur(255 - grey)).

    Attributes:
        stroke: standard deviation of the blur, as a share of the longer side: how broad strokes are.
    """

    stroke: float = 0.02

    def __post_init__(self) -> None:
        _within("stroke", self.stroke, 0.0005, 0.2)

    def apply(self, image: Pixels) -> Pixels:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        sigma = self.stroke * max(image.shape[:2])
        blurred = cv2.GaussianBlur(grey, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        drawn = cv2.divide(grey, np.maximum(blurred, 1), scale=255)
        return cv2.cvtColor(drawn, cv2.COLOR_GRAY2RGB)  # type: ignore[return-value]


@dataclass(frozen=True)
class Swivel(Variant):
    """The photo as a board turned about its vertical axis, seen in perspective; the rest has the colour of its border.

    Attributes:
        degrees: of the turn, -75 to 75; positive turns the left side towards the eye.
        distance: of the eye from the board's middle, in longer sides of the photo.
    """

    degrees: float = 30.0
    distance: float = 1.5

    def __post_init__(self) -> None:
        _within("degrees", self.degrees, -75, 75)
        _within("distance", self.distance, 0.75, 1000)

    def apply(self, image: Pixels) -> Pixels:
        height, width = image.shape[:2]
        return cv2.warpPerspective(  # type: ignore[return-value]
            image,
            swivel_homography(width, height, self.degrees, self.distance),
            (width, height),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=border_colour(image),
        )


@dataclass(frozen=True)
class Recoloured(Variant):
    """The photo before a background of another colour: what is like the border, and reached from it, is painted.

    Shading is kept: a background pixel keeps its difference in lightness from the border's colour. Made for a product
    before a plain background; of a cluttered one only a part is found.

    Attributes:
        red: of the new background, 0 to 255.
        green: of it.
        blue: of it.
        tolerance: how far a background pixel may be from the border's colour, as the Euclidean distance in CIELAB
            (CIE 15:2004; 2.3 is just noticeable).
    """

    red: int = 214
    green: int = 226
    blue: int = 240
    tolerance: float = 20.0

    def __post_init__(self) -> None:
        for name in ("red", "green", "blue"):
            _within(name, getattr(self, name), 0, 255)
        _within("tolerance", self.tolerance, 0, 200)

    def apply(self, image: Pixels) -> Pixels:
        lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
        border = _lab(border_colour(image))
        near = (np.linalg.norm(lab - border, axis=2) <= self.tolerance).astype(np.uint8)
        _, parts = cv2.connectedComponents(near, connectivity=4)
        reached = np.unique(_ring(parts))
        background = np.isin(parts, reached[reached > 0])
        lab[background] = _lab((self.red, self.green, self.blue)) + (lab[background] - border) * (1, 0, 0)
        painted = cv2.cvtColor(lab, cv2.COLOR_Lab2RGB)
        changed = image.copy()
        changed[background] = np.clip(np.rint(painted[background] * 255), 0, 255).astype(np.uint8)
        return changed


_SHIPPED = {
    "original": "features.variants:Original",
    "brighter": "features.variants:Brighter",
    "darker": "features.variants:Darker",
    "rotated": "features.variants:Rotated",
    "sketch": "features.variants:Sketch",
    "swivel": "features.variants:Swivel",
    "recoloured": "features.variants:Recoloured",
}
_VARIANTS = PluginGroup(ENTRY_POINT_GROUP, _SHIPPED, Variant, "variant", "variant", VariantError)


def variant_names() -> dict[str, str]:
    """Returns name -> ``module:class`` of every variant that can be loaded, sorted by name.

    Raises:
        VariantError: two packages register different variants under one name.
    """
    return _VARIANTS.names()


def load_variant(name: str, params: Mapping[str, Any] | None = None) -> Variant:
    """Returns the variant ``name``, made with ``params``; those not named keep their defaults.

    Raises:
        VariantError: the name is not known, the plug-in does not load, or a parameter is unknown or impossible.
    """
    return _VARIANTS.load(name, params)


def variant_params(variant: Variant) -> dict[str, Any]:
    """Returns all parameters of a variant as JSON-able values; ``load_variant`` takes them back."""
    return plugin_params(variant)


def swivel_homography(width: int, height: int, degrees: float, distance: float) -> npt.NDArray[np.float64]:
    """Returns the homography, float64 (3, 3), from pixels of an upright board to those of the same board turned.

    A pinhole camera K [R | t] sees the points (X, Y, 0) of a plane through the homography K [r1 r2 t], r1 and r2 the
    first columns of R (Hartley and Zisserman, "Multiple View Geometry in Computer Vision", 2nd edition, section 8.1.1).
    Here R turns by the angle a about the vertical axis through the board's middle, r1 = (cos a, 0, sin a) and r2 =
    (0, 1, 0); t = (0, 0, d), d being the distance in pixels; and K has focal length d and the middle as its principal
    point, so that a board not turned is seen as it is. The picture is then shrunk about the middle by
    1 - (width / 2) |sin a| / d, so that the nearer edge, which looms, is as high as the frame.

    Args:
        width: of the board, pixels.
        height: of it, pixels.
        degrees: the angle a; positive turns the left side towards the eye.
        distance: of the eye, in longer sides of the board.
    """
    angle, away = np.deg2rad(degrees), distance * max(width, height)
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    shrunk = 1 - width / 2 * abs(np.sin(angle)) / away
    centred = np.array([[1, 0, -middle_x], [0, 1, -middle_y], [0, 0, 1]])
    turned = np.array([[np.cos(angle), 0, 0], [0, 1, 0], [np.sin(angle), 0, away]])  # r1, r2, t as columns
    camera = np.array([[shrunk * away, 0, middle_x], [0, shrunk * away, middle_y], [0, 0, 1]])
    homography = camera @ turned @ centred
    return np.asarray(homography / homography[2, 2], np.float64)


def border_colour(image: Pixels) -> tuple[int, int, int]:
    """Returns the median colour of the outermost pixels of an image, each channel by itself (the lower of two)."""
    ring = np.sort(_ring(image), axis=0)
    red, green, blue = ring[(len(ring) - 1) // 2].tolist()
    return red, green, blue


def _ring(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Returns the outermost values of (H, W, ...), the corners more than once."""
    return np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])


def _lab(colour: tuple[int, int, int]) -> npt.NDArray[np.float32]:
    one = np.array([[colour]], np.float32) / 255
    return np.asarray(cv2.cvtColor(one, cv2.COLOR_RGB2Lab)[0, 0], np.float32)


@lru_cache(maxsize=64)
def _tones(stops: float, black: float, white: float) -> Table:
    """Returns what each of the 256 values becomes, uint8 (256,)."""
    coded = np.arange(256) / 255
    light = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    light = np.minimum(light * 2.0**stops, 1)
    coded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    table: Table = np.rint(255 * (black + (white - black) * coded)).astype(np.uint8)
    table.flags.writeable = False
    return table


def _within(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise VariantError(f"{name} is {value!r}; expected {least:g} to {most:g}")
