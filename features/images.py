"""Image files from anywhere become pixels, or are refused with a reason: nothing a file claims is believed unchecked.

What a file says of its size is checked before a decoder sees it, so the work that decoding may take is known
beforehand: proportional to the pixels and to the passes over them, both limited.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from features.images_headers import (
    ANIMATED,
    BAD_DIMENSIONS,
    BROKEN,
    TOO_COMPLEX,
    TOO_LARGE_BYTES,
    TOO_MANY_PIXELS,
    ImageError,
    ImageHeader,
    read_header,
)
from features.images_png import plain_png
from features.strict import whole

Pixels = npt.NDArray[np.uint8]
"""An image: uint8 (H, W, 3), RGB."""

_BAND_ROWS = 256
_MOST_SCANS = 500

# Its lines on standard error name no file and say no more than the ImageError does.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


@dataclass(frozen=True)
class ImageLimits:
    """What is still decoded.

    Attributes:
        max_bytes: size of a file.
        max_pixels: width times height; 40 million hold a page of 2880x13800.
        max_side: pixels of the longer side.
        max_scans: passes over the pixels that a progressive JPEG may take for an image of ``max_pixels``; a smaller
            one may take as many more as it is smaller, up to 500. Encoders make about 10.
        animated: whether the first frame of an animation is taken; else animations are refused.
    """

    max_bytes: int = 32 * 2**20
    max_pixels: int = 40_000_000
    max_side: int = 20_000
    max_scans: int = 20
    animated: bool = True

    def __post_init__(self) -> None:
        for name in ("max_bytes", "max_pixels", "max_side", "max_scans"):
            whole(f"limits.{name}", getattr(self, name), 1)

    def check(self, header: ImageHeader) -> None:
        """Refuses an image by what its file says of it.

        Raises:
            ImageError: a side is out of range, there are too many pixels or passes, or it is animated and may not be.
        """
        size = f"{header.width}x{header.height}"
        if not (0 < header.width <= self.max_side and 0 < header.height <= self.max_side):
            raise ImageError(BAD_DIMENSIONS, f"{size}; expected sides from 1 to {self.max_side} pixels")
        pixels = header.width * header.height
        if pixels > self.max_pixels:
            raise ImageError(TOO_MANY_PIXELS, f"{size} are {pixels} pixels; expected at most {self.max_pixels}")
        if header.scans * pixels > self.max_scans * self.max_pixels or header.scans > _MOST_SCANS:
            raise ImageError(TOO_COMPLEX, f"{size} in {header.scans} passes; save it as a baseline JPEG")
        if header.frames > 1 and not self.animated:
            raise ImageError(ANIMATED, f"{header.frames} frames; expected a still image")


def decode_image(data: bytes, limits: ImageLimits = ImageLimits()) -> Pixels:
    """Decodes a JPEG, PNG, WebP, GIF or BMP file.

    EXIF orientation is applied; transparent pixels are laid over white; 16 bits are rounded to 8; CMYK, palettes and
    grey become RGB. Of an animation the first frame is taken. Colour profiles are not applied: numbers are taken as
    sRGB.

    Args:
        data: the whole file.
        limits: what is still decoded.

    Returns:
        uint8 (H, W, 3), RGB, contiguous and owned by the caller.

    Raises:
        ImageError: with a reason out of ``features.images_headers.REASONS``; nothing else, whatever the bytes.
    """
    if len(data) > limits.max_bytes:
        raise ImageError(TOO_LARGE_BYTES, f"{len(data)} bytes; expected at most {limits.max_bytes}")
    header = read_header(data)
    limits.check(header)
    if header.format == "png":
        data = plain_png(data)
    try:
        stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as e:
        raise ImageError(BROKEN, f"a {header.format} of {len(data)} bytes that its decoder refuses") from e
    if stored is None:
        raise ImageError(BROKEN, f"a {header.format} of {len(data)} bytes that its decoder refuses")
    if stored.shape[:2] != (header.height, header.width):
        found = f"{stored.shape[1]}x{stored.shape[0]}"
        raise ImageError(BROKEN, f"decodes to {found}, its header says {header.width}x{header.height}")
    return _upright(_rgb(_eight_bits(stored)), header.orientation)


def _eight_bits(stored: npt.NDArray[Any]) -> Pixels:
    if stored.dtype == np.uint8:
        return stored
    if stored.dtype == np.uint16:
        # 65535 / 257 = 255, and no quotient lies half-way between two integers.
        return cv2.convertScaleAbs(stored, alpha=1 / 257)  # type: ignore[return-value]
    raise ImageError(BROKEN, f"decodes to {stored.dtype}; expected 8 or 16 bits")


def _rgb(stored: Pixels) -> Pixels:
    """Returns RGB (H, W, 3) of grey (H, W), BGR or BGRA, what is transparent over white."""
    if stored.ndim == 2:
        return cv2.cvtColor(stored, cv2.COLOR_GRAY2RGB)  # type: ignore[return-value]
    if stored.shape[2] == 3:
        return cv2.cvtColor(stored, cv2.COLOR_BGR2RGB, dst=stored)  # type: ignore[return-value]
    rgb = np.empty((*stored.shape[:2], 3), np.uint8)
    for top in range(0, len(stored), _BAND_ROWS):
        band = stored[top : top + _BAND_ROWS].astype(np.uint16)
        alpha = band[..., 3:]
        # At most 255 * 255 + 127, which 16 bits hold.
        rgb[top : top + _BAND_ROWS] = (band[..., 2::-1] * alpha + 255 * (255 - alpha) + 127) // 255
    return rgb


def _upright(image: Pixels, orientation: int) -> Pixels:
    """Undoes an EXIF orientation (Exif 2.32, section 4.6.4: where row 0 and column 0 of the stored image belong)."""
    if orientation >= 5:
        image = image.transpose(1, 0, 2)
    if orientation in {2, 3, 6, 7}:
        image = image[:, ::-1]
    if orientation in {3, 4, 7, 8}:
        image = image[::-1]
    return np.ascontiguousarray(image)
