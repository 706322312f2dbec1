"""A PNG as small as its picture needs it: no texts, no profile, no animation, no more pixels than it announces.

libpng inflates compressed texts and surplus pixels of any number; deflate packs a thousand bytes into one (RFC 1951),
so a file within all limits could otherwise keep it busy for minutes.
"""

import struct
import zlib

from features.images_headers import BROKEN, MOST_BLOCKS, TOO_COMPLEX, ImageError

_KEPT = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_MOST_RATIO = 1032
_UNCHECKED_BYTES = 512 * 2**20
"""Surplus that is not worth looking for: about a second's work."""
_PIECE = 64 * 2**10


def plain_png(data: bytes) -> bytes:
    """Returns a PNG that ``read_header`` has read, reduced to its header, palette, transparency and pixels.

    Of an animated one this leaves the image that every viewer shows: nearly always the first frame.

    Raises:
        ImageError: the pixels inflate to more than the header announces, or the header announces no known layout.
    """
    parts, pixels, at = [data[:8]], [], 8
    for _ in range(MOST_BLOCKS + 1):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if kind in _KEPT:
            parts.append(data[at:end])
        if kind == b"IDAT":
            pixels.append((at + 8, end - 4))
        if kind == b"IEND":
            break
        at = end
    _check_pixels(data, pixels)
    return b"".join(parts)


def _check_pixels(data: bytes, spans: list[tuple[int, int]]) -> None:
    width, height, depth, kind = struct.unpack_from(">IIBB", data, 16)
    if kind not in _CHANNELS or depth not in {1, 2, 4, 8, 16}:
        raise ImageError(BROKEN, f"a PNG of colour type {kind} and {depth} bits; expected 0, 2, 3, 4 or 6 and 1 to 16")
    # Twice, since the passes of an interlaced image have more rows and so more filter bytes.
    announced = 2 * height * (2 + width * _CHANNELS[kind] * depth // 8)
    if sum(end - start for start, end in spans) * _MOST_RATIO <= announced + _UNCHECKED_BYTES:
        return
    unpack, inflated = zlib.decompressobj(), 0
    for start, end in spans:
        for at in range(start, end, _PIECE):
            rest = data[at : min(end, at + _PIECE)]
            while rest:
                try:
                    inflated += len(unpack.decompress(rest, 16 * _PIECE))
                except zlib.error as e:
                    raise ImageError(BROKEN, f"the pixels of a PNG cannot be inflated: {e}") from e
                if inflated > announced:
                    raise ImageError(TOO_COMPLEX, f"a PNG of {width}x{height} with more pixels than that; save it anew")
                rest = unpack.unconsumed_tail
