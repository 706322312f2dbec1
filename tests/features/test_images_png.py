import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from features.images import decode_image
from features.images_headers import ImageError
from features.images_png import plain_png


def saved(image: Image.Image, **options: object) -> bytes:
    to = io.BytesIO()
    image.save(to, "PNG", **options)
    return to.getvalue()


def with_pixels(packed: bytes, width: int = 8, height: int = 8, kind: int = 2, depth: int = 8) -> bytes:
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)), (b"IDAT", packed), (b"IEND", b"")]
    made = (struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(made)


def zeros(megabytes: int) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(2**20)) for _ in range(megabytes)) + packer.flush()


def test_only_what_the_picture_needs_stays() -> None:
    image = Image.new("RGB", (9, 5), "teal")
    said = PngInfo()
    said.add_text("comment", "x" * 5000, zip=True)
    said.add_itxt("other", "y" * 50)
    adorned = saved(image, pnginfo=said, dpi=(72, 72), icc_profile=b"p" * 200, exif=b"Exif\0\0" + bytes(8))
    assert plain_png(adorned) == saved(image)


def test_palette_and_transparency_stay() -> None:
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    data = saved(palette, transparency=0)
    assert plain_png(data) == data


def test_an_animation_becomes_its_default_image() -> None:
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "lime")]
    data = saved(frames[0], save_all=True, append_images=frames[1:])
    assert len(plain_png(data)) < len(data)
    assert (decode_image(data) == (255, 0, 0)).all()


def test_more_pixels_than_announced_are_refused_when_they_cost_time() -> None:
    with pytest.raises(ImageError, match="too_complex: a PNG of 8x8 with more pixels than that; save it anew"):
        plain_png(with_pixels(zeros(600)))
    harmless = with_pixels(zlib.compress(bytes(8 * 25 + 5000)))
    assert plain_png(harmless) == harmless


def test_large_honest_pixels_pass_the_check() -> None:
    rng = np.random.default_rng(4)
    pixels = rng.integers(0, 256, (500, 700, 3), np.uint8)  # 1 MB that does not shrink: the check inflates it
    data = saved(Image.fromarray(pixels))
    assert len(data) * 1032 > 512 * 2**20
    np.testing.assert_array_equal(decode_image(data), pixels)


def test_broken_pixels_and_unknown_layouts() -> None:
    noise = np.random.default_rng(5).integers(0, 256, 2**20, np.uint8).tobytes()
    with pytest.raises(ImageError, match="broken: the pixels of a PNG cannot be inflated: Error -3"):
        plain_png(with_pixels(noise))
    with pytest.raises(
        ImageError, match="broken: a PNG of colour type 5 and 8 bits; expected 0, 2, 3, 4 or 6 and 1 to"
    ):
        plain_png(with_pixels(b"", kind=5))
    with pytest.raises(ImageError, match="broken: a PNG of colour type 2 and 7 bits"):
        plain_png(with_pixels(b"", depth=7))
