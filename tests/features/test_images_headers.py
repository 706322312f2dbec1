import io
import struct
import zlib

import pytest
from PIL import Image

from features.images_headers import MOST_BLOCKS, ImageError, ImageHeader, read_header


def saved(kind: str, size: tuple[int, int] = (31, 20), mode: str = "RGB", **options: object) -> bytes:
    to = io.BytesIO()
    Image.new(mode, size).save(to, kind, **options)
    return to.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def refused(data: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        read_header(data)
    return str(caught.value)


def frame(height: int, width: int, bits: int = 8, components: int = 3) -> bytes:
    return struct.pack(">BHHB", bits, height, width, components) + bytes(3 * components)


PIXELS = segment(0xDA, bytes(10)) + b"\x01\x02\xff\xd9"
SIGNATURE = b"\x89PNG\r\n\x1a\n"
IHDR = chunk(b"IHDR", struct.pack(">IIBBBBB", 31, 20, 8, 2, 0, 0, 0))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_sizes_are_those_of_the_file(kind: str) -> None:
    assert read_header(saved(kind)) == ImageHeader(kind.lower(), 31, 20)


def test_other_forms_of_the_formats() -> None:
    assert read_header(saved("WEBP", lossless=True)) == ImageHeader("webp", 31, 20)
    assert read_header(saved("WEBP", mode="RGBA")) == ImageHeader("webp", 31, 20)
    assert read_header(saved("BMP", mode="1")) == ImageHeader("bmp", 31, 20)
    upside_down = bytearray(saved("BMP"))
    upside_down[22:26] = struct.pack("<i", -20)
    assert read_header(bytes(upside_down)) == ImageHeader("bmp", 31, 20)
    old = b"BM" + bytes(8) + struct.pack("<IIHHHH", 26, 12, 2, 3, 1, 24) + bytes(24)
    assert read_header(old) == ImageHeader("bmp", 2, 3)


def test_a_jpeg_by_hand() -> None:
    comment = segment(0xFE, b"\xff\xd9\xff\xda")  # what looks like markers inside a segment is none
    data = b"\xff\xd8" + comment + b"\xff\xff\xff" + segment(0xC0, frame(20, 31))[1:] + PIXELS
    assert read_header(data) == ImageHeader("jpeg", 31, 20)
    progressive = b"\xff\xd8" + segment(0xC2, frame(20, 31, components=1)) + PIXELS[:-2] * 2 + PIXELS
    assert read_header(progressive) == ImageHeader("jpeg", 31, 20, scans=3)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "not_an_image: begins with b''; expected JPEG, PNG, WebP, GIF or BMP"),
        (b"<!DOCTYPE html>", "not_an_image: begins with b'<!DOCTYP'; expected JPEG, PNG, WebP, GIF or BMP"),
        (b"II*\0\x08\0\0\0", "unsupported_format: TIFF is not read; convert it to PNG, JPEG or WebP"),
        (b"\0\0\0\x20ftypavif", "unsupported_format: AVIF is not read; convert it to PNG, JPEG or WebP"),
        (b"\0\0\0\x20ftypheic", "unsupported_format: HEIC is not read; convert it to PNG, JPEG or WebP"),
        (b"<SVG xmlns=''>", "unsupported_format: SVG is not read; convert it to PNG, JPEG or WebP"),
        (
            b"\xff\xd8" + segment(0xC3, frame(2, 2)) + PIXELS,
            "unsupported_format: a JPEG of kind 0xc3 with 3 components of 8 bits is not read; expected baseline or "
            "progressive, 1, 3 or 4 components of 8 bits",
        ),
        (
            b"\xff\xd8" + segment(0xC0, frame(2, 2)) + segment(0xC0, frame(9, 9)) + PIXELS,
            "broken: a JPEG has two frame headers; expected one",
        ),
        (b"\xff\xd8" + PIXELS, "broken: a JPEG has pixels before any size; expected a frame header"),
        (b"\xff\xd8\xff\xfe\0\2x" + PIXELS, "broken: byte 6 of a JPEG is 0x78; expected a marker"),
        (b"\xff\xd8\xff\xfe\0\1" + PIXELS, "broken: a JPEG segment at byte 4 has length 1; expected at least 2"),
        (b"\xff\xd8\xff\xd9" + PIXELS, "broken: a JPEG ends or begins again before its pixels"),
        (
            b"\xff\xd8" + segment(0xC0, frame(2, 2)) + PIXELS[:-2],
            "truncated: a JPEG of 37 bytes has no end marker; send the whole file",
        ),
        (b"\xff\xd8\xff\xe0\0", "truncated: 5 bytes end inside a header; send the whole file"),
        (SIGNATURE + chunk(b"IDAT", bytes(13)), "broken: a PNG begins with b'IDAT' of 13 bytes; expected IHDR of 13"),
        (SIGNATURE + IHDR + IHDR, "broken: a PNG has two headers; expected one"),
        (SIGNATURE + IHDR + chunk(b"IEND", b""), "broken: a PNG has no IDAT chunk; expected pixels"),
        (
            SIGNATURE + IHDR + chunk(b"IDAT", bytes(50))[:40],
            "truncated: a PNG of 73 bytes ends inside b'IDAT'; send the whole file",
        ),
        (b"GIF89a" + bytes(7) + b";", "broken: a GIF has no image; expected at least one"),
        (
            b"GIF89a" + bytes(7) + b"!\xfe\1x\0?",
            "broken: byte 18 of a GIF is 0x3f; expected an image, an extension or the end",
        ),
        (b"GIF87a" + bytes(7) + b",", "truncated: 14 bytes end inside a header; send the whole file"),
        (b"RIFF\xff\0\0\0WEBPVP8 ", "truncated: a WebP has 16 bytes of 263; send the whole file"),
        (b"RIFF\4\0\0\0WEBP", "broken: a WebP has no image chunk; expected VP8, VP8L or ANMF"),
        (b"BM" + bytes(12) + struct.pack("<IHHI", 20, 1, 1, 1), "broken: a BMP header of 20 bytes; expected 12 or at"),
        (
            b"BM" + bytes(12) + struct.pack("<IiiHHI", 40, 9, -9, 1, 24, 0),
            "truncated: a BMP of 9x9 has 34 bytes; send the whole file",
        ),
    ],
)
def test_what_is_refused_and_why(data: bytes, expected: str) -> None:
    assert refused(data).startswith(expected)


def test_a_webp_chunk_beyond_the_end() -> None:
    body = b"WEBPVP8 " + struct.pack("<I", 99) + bytes(10)
    assert refused(b"RIFF" + struct.pack("<I", len(body)) + body) == (
        "truncated: a WebP chunk b'VP8 ' ends at byte 119 of 30"
    )


def test_too_many_blocks_are_not_walked() -> None:
    many = MOST_BLOCKS + 1
    assert refused(b"\xff\xd8" + b"\xff\xfe\0\2" * many) == (
        "too_complex: a JPEG of more than 100000 blocks; save it anew"
    )
    assert refused(SIGNATURE + IHDR + chunk(b"tEXt", b"") * many).startswith("too_complex: a PNG of more than")
    assert refused(b"GIF89a" + bytes(7) + b"!\xfe\0" * many).startswith("too_complex: a GIF of more than")
    chunks = b"WEBP" + b"XXXX\0\0\0\0" * many
    assert refused(b"RIFF" + struct.pack("<I", len(chunks)) + chunks).startswith("too_complex: a WebP of more than")


def tiff(order: str, kind: int, value: int) -> bytes:
    start = b"II*\0" if order == "<" else b"MM\0*"
    entries = struct.pack(order + "HHIHH", 0x010F, 3, 1, 0, 0) + struct.pack(order + "HHIHH", 0x0112, kind, 1, value, 0)
    return start + struct.pack(order + "IH", 8, 2) + entries


@pytest.mark.parametrize(
    ("exif", "expected"),
    [
        (tiff("<", 3, 6), 6),
        (tiff(">", 3, 8), 8),
        (tiff("<", 3, 9), 1),  # there is no ninth
        (tiff("<", 4, 6), 1),  # not a SHORT
        (tiff("<", 3, 6)[:-4], 1),  # the directory claims more than is there
        (b"II*\0\xff\xff\xff\xff", 1),
        (b"not a TIFF block", 1),
        (b"", 1),
    ],
)
def test_orientation_of_every_container(exif: bytes, expected: int) -> None:
    jpeg = b"\xff\xd8" + segment(0xE1, b"Exif\0\0" + exif) + segment(0xC0, frame(2, 2)) + PIXELS
    assert read_header(jpeg).orientation == expected
    png = SIGNATURE + IHDR + chunk(b"eXIf", exif) + chunk(b"IDAT", b"x") + chunk(b"IEND", b"")
    assert read_header(png).orientation == expected
    still = saved("WEBP", lossless=True)[12:]
    body = b"WEBP" + still + b"EXIF" + struct.pack("<I", len(exif)) + exif + bytes(len(exif) % 2)
    assert read_header(b"RIFF" + struct.pack("<I", len(body)) + body).orientation == expected


def test_frames_are_counted() -> None:
    frames = [Image.new("RGB", (5, 4), color) for color in ("red", "lime", "blue")]
    for kind in ("GIF", "WEBP", "PNG"):
        to = io.BytesIO()
        frames[0].save(to, kind, save_all=True, append_images=frames[1:])
        assert read_header(to.getvalue()) == ImageHeader(kind.lower(), 5, 4, frames=3)
