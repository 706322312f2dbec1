"""Drawing attention over an image: a perceptual colour map, contours, a legend. Equal input gives equal bytes.

Images are uint8 (H, W, 3) RGB; maps (h, w), not negative, of the image's shape or coarser: they are resized to it.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from features.attention_scores import AttentionScoreError, as_density

Pixels = npt.NDArray[np.uint8]
Shades = npt.NDArray[np.float32]

COLOUR_MAPS = {
    "viridis": cv2.COLORMAP_VIRIDIS,
    "cividis": cv2.COLORMAP_CIVIDIS,
    "inferno": cv2.COLORMAP_INFERNO,
    "magma": cv2.COLORMAP_MAGMA,
    "plasma": cv2.COLORMAP_PLASMA,
}
"""Perceptually uniform colour maps: Smith and van der Walt 2015; cividis for colour-blind readers: Nuñez et al., PLoS
ONE 2018. Rainbow maps are left out: they draw edges where there are none."""

_TOP_SHARE = 0.999
# Half the time of OpenCV's defaults for about a tenth more bytes: one filter for all lines, runs instead of matches.
_PNG = (
    *(cv2.IMWRITE_PNG_COMPRESSION, 1),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP),
)
_LEGEND_MIN = 120
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
# Blue to red through white, from ColorBrewer's RdBu (Harrower and Brewer 2003), read in the order of rising values.
_DIVERGING = ((33, 102, 172), (146, 197, 222), (247, 247, 247), (244, 165, 130), (178, 24, 43))


class HeatmapError(AttentionScoreError):
    """A picture that cannot be drawn: an unknown colour map, an opacity out of range, an image that is none."""


@dataclass(frozen=True)
class HeatmapStyle:
    """How attention is drawn.

    Attributes:
        colours: viridis, cividis, inferno, magma or plasma; see ``COLOUR_MAPS``.
        opacity: of the hottest place, 0 to 1; cooler places let more of the image through.
        contours: shares of all attention that the drawn lines enclose, each above 0 and below 1; none for no lines.
        legend: whether a bar in the corner says which end means more; left out where the image is too small for it.
    """

    colours: str = "inferno"
    opacity: float = 0.75
    contours: tuple[float, ...] = ()
    legend: bool = True

    def __post_init__(self) -> None:
        if self.colours not in COLOUR_MAPS:
            raise HeatmapError(f"colours {self.colours!r}; expected one of {', '.join(COLOUR_MAPS)}")
        if not 0 <= self.opacity <= 1:
            raise HeatmapError(f"opacity {self.opacity}; expected 0 to 1")
        if not all(0 < share < 1 for share in self.contours):
            raise HeatmapError(f"contours {self.contours}; expected shares of attention above 0 and below 1")


def draw_heatmap(image: Pixels, attention: npt.ArrayLike, style: HeatmapStyle | None = None) -> Pixels:
    """Returns the image with its attention over it, uint8 (H, W, 3) RGB."""
    style = style or HeatmapStyle()
    check_image(image)
    density = as_density(attention).astype(np.float32)
    table = _table(style.colours)
    # Shades before resizing: the map is usually far smaller than the image.
    drawn = _blend(image, _fitted(_shades(density), image), table, np.linspace(0, style.opacity, 256))
    if style.contours:
        _draw_contours(drawn, _fitted(density, image), style.contours)
    if style.legend:
        _draw_legend(drawn, table, ("less", "more attention"))
    return drawn


def draw_difference(image: Pixels, change: npt.ArrayLike, *, opacity: float = 0.85, legend: bool = True) -> Pixels:
    """Returns the image with what it gained drawn in red and what it lost in blue, uint8 (H, W, 3) RGB.

    Args:
        image: the newer of two images.
        change: newer density less older density, (h, w).
        opacity: of the greatest change, 0 to 1.
        legend: as in ``HeatmapStyle``.
    """
    check_image(image)
    values = np.asarray(change, np.float32)
    if values.ndim != 2 or not values.size or not np.isfinite(values).all():
        raise HeatmapError(f"a difference of shape {values.shape}; expected (H, W), finite")
    if not 0 <= opacity <= 1:
        raise HeatmapError(f"opacity {opacity}; expected 0 to 1")
    most = float(np.abs(values).max())
    signed = values / np.float32(most) if most else values
    stops = np.linspace(0, 255, len(_DIVERGING))
    channels = np.array(_DIVERGING, np.float64).T
    table = np.stack([np.interp(np.arange(256), stops, channel) for channel in channels], axis=1).round()
    table = table.astype(np.uint8)
    strength = np.minimum(np.abs(np.arange(256) - 128) / 127, 1)  # level 128 stands for no change
    drawn = _blend(
        image, _fitted((signed * np.float32(127) + np.float32(128)) / np.float32(255), image), table, strength * opacity
    )
    if legend:
        _draw_legend(drawn, table, ("lost", "gained"))
    return drawn


def encode_png(image: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> bytes:
    """Returns a PNG without any metadata of uint8 (H, W, 3) RGB, or of a grey uint8 or uint16 (H, W)."""
    stored = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
    done, data = cv2.imencode(".png", stored, _PNG)
    if not done:
        raise HeatmapError(f"an image of shape {image.shape} cannot be written as PNG")
    return bytes(data)


def check_image(image: Pixels) -> None:
    """Refuses what is not uint8 (H, W, 3).

    Raises:
        HeatmapError: another shape or type.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise HeatmapError(f"an image of shape {image.shape} and type {image.dtype}; expected uint8 (H, W, 3) RGB")


def contour_levels(density: npt.NDArray[np.floating], shares: tuple[float, ...]) -> list[float]:
    """Returns for each share the density above which the hottest pixels that hold this share lie.

    The smallest area that holds a share of a density: its highest-density region (Hyndman, "Computing and graphing
    highest density regions", The American Statistician 1996).
    """
    falling = np.sort(density, axis=None)[::-1].astype(np.float64)
    held = np.cumsum(falling) / falling.sum()
    places = np.searchsorted(held, shares)
    return [float(falling[min(int(place), len(falling) - 1)]) for place in places]


def _fitted(values: Shades, image: Pixels) -> Shades:
    height, width = image.shape[:2]
    if values.shape == (height, width):
        return values
    return np.asarray(cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR))


def _shades(density: Shades) -> Shades:
    """Returns 0 to 1: the square root, which spreads the lower half, of the share of all but the very highest value."""
    flat = density.ravel()
    place = min(int(_TOP_SHARE * flat.size), flat.size - 1)
    top = float(np.partition(flat, place)[place]) or float(flat.max())
    return np.asarray(np.sqrt(np.clip(density / np.float32(top), 0, 1)), np.float32)


def _table(colours: str) -> Pixels:
    """Returns the 256 colours of a map, uint8 (256, 3) RGB."""
    steps = np.arange(256, dtype=np.uint8)[:, None]
    return np.ascontiguousarray(cv2.applyColorMap(steps, COLOUR_MAPS[colours])[:, 0, ::-1])


def _blend(image: Pixels, shades: Shades, table: Pixels, opacity: npt.NDArray[np.float64]) -> Pixels:
    """Returns the image under the colours of its shades, 0 to 1, as opaque as the shade is.

    Colour times opacity, and what is left for the image, are functions of 256 levels: two look-ups and a product
    of bytes, a tenth of the time of floating-point numbers.
    """
    levels = cv2.convertScaleAbs(shades, alpha=255)
    over = np.rint(table * opacity[:, None]).astype(np.uint8)
    left = np.repeat(np.rint(255 * (1 - opacity)).astype(np.uint8)[:, None], 3, axis=1)
    colour, share = (cv2.applyColorMap(levels, np.ascontiguousarray(each[:, None])) for each in (over, left))
    return np.asarray(cv2.add(cv2.multiply(np.ascontiguousarray(image), share, scale=1 / 255), colour), np.uint8)


def _draw_contours(drawn: Pixels, density: Shades, shares: tuple[float, ...]) -> None:
    """Draws a white line on a wider black one, so that it shows on any image."""
    width = max(1, round(min(drawn.shape[:2]) / 400))
    for level in contour_levels(density, shares):
        lines, _ = cv2.findContours((density >= level).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        for colour, thickness in ((_BLACK, width + 2), (_WHITE, width)):
            cv2.drawContours(drawn, lines, -1, colour, thickness, cv2.LINE_8)


def _draw_legend(drawn: Pixels, table: Pixels, words: tuple[str, str]) -> None:
    """Draws the bar of colours with a word at either end, in the lower right corner on a dark ground."""
    height, width = drawn.shape[:2]
    scale = float(np.clip(min(height, width) / 1000, 0.4, 1.2))
    bar_width, bar_height, gap = round(160 * scale), round(14 * scale), round(10 * scale)
    thickness = max(1, round(1.4 * scale))
    sizes = [cv2.getTextSize(word, _FONT, 0.55 * scale, thickness)[0] for word in words]
    wide = sizes[0][0] + bar_width + sizes[1][0] + 4 * gap
    high = max(bar_height, sizes[0][1], sizes[1][1]) + 2 * gap
    if min(height, width) < _LEGEND_MIN or wide > width or high > height:
        return
    left, top = width - wide, height - high
    ground = drawn[top:, left:]
    ground[:] = ground // 4
    middle = top + high // 2
    at = left + gap
    for index, (word, (text_width, text_height)) in enumerate(zip(words, sizes, strict=True)):
        place = (at, middle + text_height // 2)
        cv2.putText(drawn, word, place, _FONT, 0.55 * scale, _WHITE, thickness, cv2.LINE_AA)
        at += text_width + gap
        if index == 0:
            steps = np.rint(np.linspace(0, 255, bar_width)).astype(np.intp)
            start = middle - bar_height // 2
            drawn[start : start + bar_height, at : at + bar_width] = table[steps]
            at += bar_width + gap
