"""What an image file says of itself, read before a decoder touches it: format, size, frames, scans, orientation.

Nothing here allocates by what a file claims. The walkers follow the containers as the specifications lay them out
(JPEG: ITU-T T.81 annex B; PNG: W3C PNG third edition; GIF89a; WebP: RFC 9649; BMP: the Windows headers) and are
stricter than decoders are, so that both find the same size.
"""

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

from features.errors import AuguryError

NOT_AN_IMAGE = "not_an_image"
UNSUPPORTED_FORMAT = "unsupported_format"
TOO_LARGE_BYTES = "too_large_bytes"
BAD_DIMENSIONS = "bad_dimensions"
TOO_MANY_PIXELS = "too_many_pixels"
TOO_COMPLEX = "too_complex"
ANIMATED = "animated"
TRUNCATED = "truncated"
BROKEN = "broken"

REASONS = (
    NOT_AN_IMAGE,
    UNSUPPORTED_FORMAT,
    TOO_LARGE_BYTES,
    BAD_DIMENSIONS,
    TOO_MANY_PIXELS,
    TOO_COMPLEX,
    ANIMATED,
    TRUNCATED,
    BROKEN,
)
"""Every reason an image is refused for; docs/images.md says what each means."""

FORMATS = ("jpeg", "png", "webp", "gif", "bmp")
"""The formats that are decoded."""

MOST_BLOCKS = 100_000
"""Segments, chunks or blocks of one file; a photograph has some tens, a long animation some thousands."""

_OTHERS = (
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"II+\0", "TIFF"),
    (0, b"MM\0+", "TIFF"),
    (4, b"ftypavi", "AVIF"),
    (4, b"ftyphei", "HEIC"),
    (4, b"ftypmif1", "HEIC"),
    (0, b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"\0\0\0\x0cJXL ", "JPEG XL"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\0\0\1\0", "ICO"),
    (0, b"8BPS", "PSD"),
    (0, b"%PDF", "PDF"),
    (0, b"<svg", "SVG"),
    (0, b"<?xml", "SVG or other XML"),
)
_SOF = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_SOF_DECODED = {0xC0, 0xC1, 0xC2}
_ALONE = {0x01, *range(0xD0, 0xD8)}


class ImageError(AuguryError, ValueError):
    """An image that is not decoded.

    Attributes:
        reason: one of ``REASONS``.
        detail: what was found and what was expected, in one line.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type["ImageError"], tuple[str, str]]:
        return ImageError, (self.reason, self.detail)


@dataclass(frozen=True)
class ImageHeader:
    """What a file says of its image.

    Attributes:
        format: one of ``FORMATS``.
        width: pixels, as stored: before orientation is applied.
        height: pixels, as stored.
        frames: images in the file; 1 for a still one.
        scans: passes over the pixels that decoding takes; more than 1 for a progressive JPEG.
        orientation: 1 to 8 as in EXIF, tag 0x0112; 1 where nothing is said.
    """

    format: str
    width: int
    height: int
    frames: int = 1
    scans: int = 1
    orientation: int = 1


def read_header(data: bytes) -> ImageHeader:
    """Returns what a file of JPEG, PNG, WebP, GIF or BMP says of its image, without decoding any pixel.

    Raises:
        ImageError: it is none of these, ends too early or contradicts its format.
    """
    for signature, read in _READERS:
        if re.match(signature, data, re.DOTALL):
            try:
                return read(data)
            except (struct.error, IndexError) as e:
                raise ImageError(TRUNCATED, f"{len(data)} bytes end inside a header; send the whole file") from e
    for offset, signature, name in _OTHERS:
        if data[offset : offset + len(signature)].lower() == signature.lower():
            raise ImageError(UNSUPPORTED_FORMAT, f"{name} is not read; convert it to PNG, JPEG or WebP")
    raise ImageError(NOT_AN_IMAGE, f"begins with {data[:8]!r}; expected JPEG, PNG, WebP, GIF or BMP")


def _jpeg(data: bytes) -> ImageHeader:
    at, size, orientation = 2, None, 1
    for _ in range(MOST_BLOCKS):
        if data[at] != 0xFF:
            raise ImageError(BROKEN, f"byte {at} of a JPEG is {data[at]:#04x}; expected a marker")
        while data[at] == 0xFF:
            at += 1
        marker, at = data[at], at + 1
        if marker in _ALONE:
            continue
        if marker in {0xD8, 0xD9}:
            raise ImageError(BROKEN, "a JPEG ends or begins again before its pixels")
        (length,) = struct.unpack_from(">H", data, at)
        if length < 2:
            raise ImageError(BROKEN, f"a JPEG segment at byte {at} has length {length}; expected at least 2")
        if marker == 0xDA:
            return _jpeg_pixels(data, at, size, orientation)
        if marker in _SOF:
            if size is not None:
                raise ImageError(BROKEN, "a JPEG has two frame headers; expected one")
            bits, height, width, components = struct.unpack_from(">BHHB", data, at + 2)
            if marker not in _SOF_DECODED or bits != 8 or components not in {1, 3, 4}:
                raise ImageError(
                    UNSUPPORTED_FORMAT,
                    f"a JPEG of kind {marker:#x} with {components} components of {bits} bits is not read; expected "
                    "baseline or progressive, 1, 3 or 4 components of 8 bits",
                )
            size = (width, height)
        elif marker == 0xE1 and data[at + 2 : at + 8] == b"Exif\0\0":
            orientation = _orientation(data[at + 8 : at + length])
        at += length
    raise _too_many_blocks("JPEG")


def _jpeg_pixels(data: bytes, at: int, size: tuple[int, int] | None, orientation: int) -> ImageHeader:
    if size is None:
        raise ImageError(BROKEN, "a JPEG has pixels before any size; expected a frame header")
    if data.rfind(b"\xff\xd9", at) < 0:
        raise ImageError(TRUNCATED, f"a JPEG of {len(data)} bytes has no end marker; send the whole file")
    return ImageHeader("jpeg", *size, scans=1 + data.count(b"\xff\xda", at), orientation=orientation)


def _png(data: bytes) -> ImageHeader:
    length, kind, width, height = struct.unpack_from(">I4sII", data, 8)
    if kind != b"IHDR" or length != 13:
        raise ImageError(BROKEN, f"a PNG begins with {kind!r} of {length} bytes; expected IHDR of 13")
    at, frames, orientation, pixels = 33, 1, 1, False
    for _ in range(MOST_BLOCKS):
        length, kind = struct.unpack_from(">I4s", data, at)
        if at + 12 + length > len(data):
            break
        if kind == b"IHDR":
            raise ImageError(BROKEN, "a PNG has two headers; expected one")
        if kind == b"IEND":
            if not pixels:
                raise ImageError(BROKEN, "a PNG has no IDAT chunk; expected pixels")
            return ImageHeader("png", width, height, frames=frames, orientation=orientation)
        if kind == b"IDAT":
            pixels = True
        elif kind == b"acTL" and length >= 4:
            frames = max(1, *struct.unpack_from(">I", data, at + 8))
        elif kind == b"eXIf":
            orientation = _orientation(data[at + 8 : at + 8 + length])
        at += 12 + length
    else:
        raise _too_many_blocks("PNG")
    raise ImageError(TRUNCATED, f"a PNG of {len(data)} bytes ends inside {kind!r}; send the whole file")


def _webp(data: bytes) -> ImageHeader:
    end = 8 + struct.unpack_from("<I", data, 4)[0]
    if end > len(data):
        raise ImageError(TRUNCATED, f"a WebP has {len(data)} bytes of {end}; send the whole file")
    at, frames, orientation, width, height = 12, 0, 1, 0, 0
    for _ in range(MOST_BLOCKS):
        if at + 8 > end:
            break
        kind, length = struct.unpack_from("<4sI", data, at)
        body = at + 8
        if body + length > end:
            raise ImageError(TRUNCATED, f"a WebP chunk {kind!r} ends at byte {body + length} of {end}")
        found = (0, 0)
        if kind == b"VP8X":
            packed = int.from_bytes(data[body + 4 : body + 10], "little")
            found = (1 + (packed & 0xFFFFFF), 1 + (packed >> 24))
        elif kind == b"VP8 ":
            frames += 1
            packed = struct.unpack_from("<I", data, body + 6)[0]
            found = (packed & 0x3FFF, packed >> 16 & 0x3FFF)
        elif kind == b"VP8L":
            frames += 1
            packed = struct.unpack_from("<I", data, body + 1)[0]
            found = (1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF))
        elif kind == b"ANMF":
            frames += 1
        elif kind == b"EXIF":
            orientation = _orientation(data[body : body + length].removeprefix(b"Exif\0\0"))
        width, height = max(width, found[0]), max(height, found[1])
        at = body + length + length % 2
    else:
        raise _too_many_blocks("WebP")
    if not frames:
        raise ImageError(BROKEN, "a WebP has no image chunk; expected VP8, VP8L or ANMF")
    return ImageHeader("webp", width, height, frames=frames, orientation=orientation)


def _gif(data: bytes) -> ImageHeader:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at, frames = 13 + _color_bytes(flags), 0
    for _ in range(MOST_BLOCKS):
        kind = data[at]
        if kind == 0x3B:
            break
        if kind == 0x2C:
            frames += 1
            at += 11 + _color_bytes(data[at + 9])
        elif kind == 0x21:
            at += 2
        else:
            raise ImageError(BROKEN, f"byte {at} of a GIF is {kind:#04x}; expected an image, an extension or the end")
        while data[at]:
            at += 1 + data[at]
        at += 1
    else:
        raise _too_many_blocks("GIF")
    if not frames:
        raise ImageError(BROKEN, "a GIF has no image; expected at least one")
    return ImageHeader("gif", width, height, frames=frames)


def _color_bytes(flags: int) -> int:
    return 3 << (1 + (flags & 7)) if flags & 0x80 else 0


def _bmp(data: bytes) -> ImageHeader:
    offset, header = struct.unpack_from("<II", data, 10)
    if header == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        compression = 0
    elif header >= 40:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    else:
        raise ImageError(BROKEN, f"a BMP header of {header} bytes; expected 12 or at least 40")
    height = abs(height)
    if width > 0 and compression in {0, 3} and offset + (width * bits + 31) // 32 * 4 * height > len(data):
        raise ImageError(TRUNCATED, f"a BMP of {width}x{height} has {len(data)} bytes; send the whole file")
    return ImageHeader("bmp", width, height)


def _orientation(exif: bytes) -> int:
    """Returns tag 0x0112 of the first directory of a TIFF block, or 1 where there is none or the block is broken."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return 1
    try:
        (at,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, at)
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            tag, kind, _, value = struct.unpack_from(order + "HHIH", exif, entry)
            if tag == 0x0112:
                return value if kind == 3 and 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1


def _too_many_blocks(name: str) -> ImageError:
    return ImageError(TOO_COMPLEX, f"a {name} of more than {MOST_BLOCKS} blocks; save it anew")


_READERS: tuple[tuple[bytes, Callable[[bytes], ImageHeader]], ...] = (
    (rb"\xff\xd8\xff", _jpeg),
    (rb"\x89PNG\r\n\x1a\n", _png),
    (rb"RIFF....WEBP", _webp),
    (rb"GIF8[79]a", _gif),
    (rb"BM.{12}[\x0c-\x7c]\0\0\0", _bmp),
)
