import io
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from features.images import ImageLimits, decode_image
from features.images_headers import REASONS, ImageError
from features.strict import FeatureSpecError

LIMITS = ImageLimits()
ROWS, COLUMNS = 20, 31
SHADES = np.add.outer(np.arange(ROWS) * 9, np.arange(COLUMNS) * 2).astype(np.uint8)
COLORS = np.dstack([SHADES, 255 - SHADES, np.full_like(SHADES, 40)])


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    to = io.BytesIO()
    image.save(to, kind, **options)
    return to.getvalue()


def picture() -> Image.Image:
    return Image.fromarray(COLORS)


def refused(data: bytes, limits: ImageLimits = LIMITS) -> ImageError:
    with pytest.raises(ImageError) as caught:
        decode_image(data, limits)
    return caught.value


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("BMP", {}), ("WEBP", {"lossless": True})])
def test_lossless_files_give_their_pixels_back_as_rgb(kind: str, options: dict[str, object]) -> None:
    found = decode_image(saved(picture(), kind, **options))
    assert (found.dtype, found.flags.c_contiguous) == (np.uint8, True)
    np.testing.assert_array_equal(found, COLORS)


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_jpeg_is_close_to_what_another_decoder_says(options: dict[str, object]) -> None:
    data = saved(picture(), "JPEG", quality=95, subsampling=0, **options)
    with Image.open(io.BytesIO(data)) as other:
        difference = decode_image(data).astype(int) - np.asarray(other.convert("RGB"))
    assert abs(difference).max() <= 2


def test_cmyk_becomes_rgb() -> None:
    found = decode_image(saved(picture().convert("CMYK"), "JPEG", quality=95))
    assert abs(found.astype(int) - COLORS).mean() < 4


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_grey_is_the_same_in_three_channels(kind: str) -> None:
    found = decode_image(saved(Image.fromarray(SHADES), kind, quality=100))
    assert abs(found.astype(int) - SHADES[:, :, None]).max() <= 1


def test_one_bit_and_palettes() -> None:
    checks = np.indices((8, 8)).sum(0) % 2 * 255
    found = decode_image(saved(Image.fromarray(checks.astype(np.uint8)).convert("1"), "PNG"))
    np.testing.assert_array_equal(found, np.repeat(checks[:, :, None], 3, axis=2))
    palette = picture().quantize(16)
    for kind in ("PNG", "GIF", "BMP"):
        np.testing.assert_array_equal(decode_image(saved(palette, kind)), np.asarray(palette.convert("RGB")))


def test_sixteen_bits_are_rounded_to_eight() -> None:
    deep = np.array([[0, 128, 129, 256, 257, 385, 386, 65406, 65407, 65535]], np.uint16)
    # Halves of 257 are 128.5: 128 is still black, 129 is 1.
    expected = [0, 0, 1, 1, 1, 1, 2, 254, 255, 255]
    np.testing.assert_array_equal(decode_image(saved(Image.fromarray(deep), "PNG"))[0, :, 0], expected)


def test_transparency_lies_over_white() -> None:
    pixels = np.zeros((1, 4, 4), np.uint8)
    pixels[0, :, :3] = (200, 100, 0)
    pixels[0, :, 3] = (255, 128, 1, 0)
    # 200 * 128/255 + 255 * 127/255 = 227.39; 100: 177.2; 0: 127. With alpha 1 white less 55/255, 155/255 and 1.
    expected = [(200, 100, 0), (227, 177, 127), (255, 254, 254), (255, 255, 255)]
    np.testing.assert_array_equal(decode_image(saved(Image.fromarray(pixels), "PNG"))[0], expected)


def test_transparency_of_grey_palettes_and_gif() -> None:
    half = Image.merge("LA", [Image.new("L", (3, 2), 0), Image.new("L", (3, 2), 102)])
    assert (decode_image(saved(half, "PNG")) == 153).all()
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putpixel((1, 0), 1)
    for kind in ("PNG", "GIF"):
        found = decode_image(saved(palette, kind, transparency=0))
        np.testing.assert_array_equal(found[0], [(255, 255, 255), (40, 50, 60)])


def test_transparency_over_many_bands_of_rows() -> None:
    tall = Image.new("RGBA", (1, 600), (0, 0, 0, 255))
    tall.putpixel((0, 599), (0, 0, 0, 0))
    found = decode_image(saved(tall, "PNG"))
    assert (found[:599] == 0).all()
    assert (found[599] == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
def test_orientation_is_applied(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(picture(), kind, exif=exif, **({"quality": 100} if kind == "JPEG" else {"lossless": True}))
    with Image.open(io.BytesIO(data)) as other:
        expected = np.asarray(ImageOps.exif_transpose(other).convert("RGB"))
    found = decode_image(data)
    assert found.shape == ((COLUMNS, ROWS, 3) if orientation >= 5 else (ROWS, COLUMNS, 3))
    assert abs(found.astype(int) - expected).max() <= (12 if kind == "JPEG" else 0)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_an_animation_gives_its_first_frame_or_is_refused(kind: str) -> None:
    frames = [Image.new("RGB", (12, 7), color) for color in ("red", "lime", "blue")]
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:], lossless=True)
    assert (decode_image(data) == (255, 0, 0)).all()
    error = refused(data, ImageLimits(animated=False))
    assert (error.reason, error.detail) == ("animated", "3 frames; expected a still image")
    assert decode_image(saved(frames[1], kind), ImageLimits(animated=False)).shape == (7, 12, 3)


def test_one_pixel_and_long_images() -> None:
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP"):
        assert decode_image(saved(Image.new("RGB", (1, 1), "white"), kind)).tolist() == [[[255, 255, 255]]]
    assert decode_image(saved(Image.new("L", (1, 20_000), 7), "PNG")).shape == (20_000, 1, 3)
    error = refused(saved(Image.new("L", (20_001, 1), 7), "PNG"))
    assert (error.reason, error.detail) == ("bad_dimensions", "20001x1; expected sides from 1 to 20000 pixels")


def test_limits_are_told_apart() -> None:
    data = saved(picture(), "PNG")
    error = refused(data, ImageLimits(max_bytes=len(data) - 1))
    assert str(error) == f"too_large_bytes: {len(data)} bytes; expected at most {len(data) - 1}"
    assert decode_image(data, ImageLimits(max_bytes=len(data), max_pixels=620, max_side=31)).shape == (20, 31, 3)
    assert str(refused(data, ImageLimits(max_pixels=619))) == (
        "too_many_pixels: 31x20 are 620 pixels; expected at most 619"
    )
    assert refused(data, ImageLimits(max_side=30)).reason == "bad_dimensions"


def test_size_is_checked_before_anything_is_decoded() -> None:
    bomb = bytearray(saved(Image.new("L", (4, 4)), "PNG"))
    bomb[16:24] = struct.pack(">II", 19_000, 19_000)
    # The checksum of the header is wrong now, which only a decoder would notice.
    assert refused(bytes(bomb)).detail == "19000x19000 are 361000000 pixels; expected at most 40000000"


def test_passes_are_limited_for_large_images_and_for_all() -> None:
    data = saved(picture(), "JPEG", progressive=True)
    scans = data.count(b"\xff\xda")
    assert scans > 3
    limits = ImageLimits(max_pixels=ROWS * COLUMNS, max_scans=scans)
    assert decode_image(data, limits).shape == (ROWS, COLUMNS, 3)
    error = refused(data, ImageLimits(max_pixels=ROWS * COLUMNS, max_scans=scans - 1))
    assert str(error) == f"too_complex: 31x20 in {scans} passes; save it as a baseline JPEG"
    last = data.rindex(b"\xff\xda")
    assert refused(data[:last] + data[last:-2] * 501 + b"\xff\xd9").reason == "too_complex"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_a_file_cut_anywhere_is_refused(kind: str) -> None:
    data = saved(picture(), kind)
    for end in range(len(data) - 1):
        assert refused(data[:end]).reason in {"truncated", "not_an_image", "broken"}, end
    assert refused(data[: len(data) // 2]).reason == "truncated"


def test_what_a_decoder_refuses_is_broken() -> None:
    data = bytearray(saved(picture(), "PNG"))
    data[data.index(b"IDAT") + 6] ^= 0xFF
    error = refused(bytes(data))
    assert str(error) == f"broken: a png of {len(data)} bytes that its decoder refuses"


def test_a_canvas_that_is_not_the_frames_is_refused() -> None:
    small = saved(Image.new("RGB", (3, 3)), "WEBP", lossless=True)
    canvas = bytes(4) + (9).to_bytes(3, "little") + (9).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + canvas + small[12:]
    assert refused(b"RIFF" + struct.pack("<I", len(body)) + body).reason == "broken"


def test_errors_survive_the_way_between_processes() -> None:
    error = pickle.loads(pickle.dumps(refused(b"")))
    assert (error.reason, str(error)) == (
        "not_an_image",
        "not_an_image: begins with b''; expected JPEG, PNG, WebP, GIF or BMP",
    )


def test_impossible_limits_are_refused() -> None:
    with pytest.raises(FeatureSpecError, match="limits.max_pixels: 0 is not possible; expected an integer at least 1"):
        ImageLimits(max_pixels=0)


def _decodes_or_says_why(data: bytes) -> None:
    reason, found = "", np.zeros((1, 1, 3), np.uint8)
    try:
        found = decode_image(data, ImageLimits(max_pixels=100_000))
    except ImageError as e:
        reason = e.reason
    assert reason in {"", *REASONS}
    assert found.ndim == 3 and found.shape[2] == 3 and found.dtype == np.uint8


@given(st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "BMP"]), st.data())
def test_any_bytes_decode_or_are_refused_with_a_reason(kind: str, draw: st.DataObject) -> None:
    data = bytearray(saved(picture(), kind))
    for _ in range(draw.draw(st.integers(1, 4))):
        at = draw.draw(st.integers(0, len(data) - 1))
        data[at : at + draw.draw(st.integers(0, 3))] = draw.draw(st.binary(max_size=4))
    _decodes_or_says_why(bytes(data))


@given(st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x10\0\0\0WEBP", b"GIF89a", b"BM"]), st.binary())
def test_noise_after_a_signature_is_refused_with_a_reason(signature: bytes, noise: bytes) -> None:
    _decodes_or_says_why(signature + noise)


def test_real_photographs() -> None:
    folder = Path(os.environ.get("AUGURY_DATA", "../shared/data")) / "osie" / "images"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent; set AUGURY_DATA to the folder of data sets")
    for path in sorted(folder.glob("*.jpg"))[:5]:
        with Image.open(path) as other:
            difference = decode_image(path.read_bytes()).astype(int) - np.asarray(other.convert("RGB"))
        assert difference.shape == (600, 800, 3)
        assert abs(difference).mean() < 1
