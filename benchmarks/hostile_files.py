"""Malformed and hostile image files, made from real photographs or by hand; every one follows from its seed."""

import io
import random
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

_SIZES = ((800, 600), (160, 120), (33, 17))
_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 20_000, 65_000)


def good_files(photographs: Sequence[bytes]) -> list[bytes]:
    """Returns the photographs as they are and in the other formats, depths and layouts, in three sizes."""
    files = list(photographs)
    for photograph in photographs:
        with Image.open(io.BytesIO(photograph)) as whole:
            for size in _SIZES:
                files.extend(_encodings(whole.convert("RGB").resize(size)))
    return files


def _encodings(image: Image.Image) -> Iterator[bytes]:
    frames = [image, image.rotate(90), image.rotate(180)]
    clear = image.convert("RGBA")
    clear.putalpha(image.convert("L"))
    exif = Image.Exif()
    exif[0x0112] = 6
    deep = np.asarray(image.convert("L")).astype(np.uint16) * 257
    palette = image.quantize(64)
    yield _save(image, "JPEG", quality=90, exif=exif)
    yield _save(image, "JPEG", quality=75, progressive=True)
    yield _save(image.convert("CMYK"), "JPEG")
    yield _save(image.convert("L"), "JPEG")
    yield _save(image, "PNG", exif=exif)
    yield _save(clear, "PNG", compress_level=1)
    yield _save(palette, "PNG", transparency=3)
    yield _save(image.convert("1"), "PNG")
    yield _save(Image.fromarray(deep), "PNG")
    yield _save(image, "PNG", save_all=True, append_images=frames[1:])
    yield _save(image, "WEBP", exif=exif)
    yield _save(clear, "WEBP", lossless=True)
    yield _save(image, "WEBP", save_all=True, append_images=frames[1:])
    yield _save(image, "GIF")
    yield _save(image, "GIF", save_all=True, append_images=frames[1:], interlace=1)
    yield _save(image, "BMP")
    yield _save(palette, "BMP")
    yield _save(image, "TIFF", compression="tiff_lzw")


def _save(image: Image.Image, kind: str, **options: object) -> bytes:
    to = io.BytesIO()
    image.save(to, kind, **options)
    return to.getvalue()


def spoiled(files: Sequence[bytes], count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yields so many files with what was done to each: one to four mutations of a good file."""
    draw = random.Random(seed)
    for _ in range(count):
        data, names = bytearray(draw.choice(files)), []
        for _ in range(draw.choice((1, 1, 2, 4))):
            mutation = draw.choice(_MUTATIONS)
            names.append(mutation.__name__.strip("_"))
            data = mutation(data, draw, files) or bytearray(b"\0")
        if data[:8] == b"\x89PNG\r\n\x1a\n" and draw.random() < 0.7:
            data = _true_checksums(data)
        yield "+".join(names), bytes(data)


def _cut(data: bytearray, draw: random.Random, _: Sequence[bytes]) -> bytearray:
    return data[: draw.randrange(len(data))]


def _flip_bits(data: bytearray, draw: random.Random, _: Sequence[bytes]) -> bytearray:
    for _ in range(draw.choice((1, 4, 64))):
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return data


def _flip_early(data: bytearray, draw: random.Random, _: Sequence[bytes]) -> bytearray:
    for _ in range(draw.choice((1, 2, 8))):
        data[draw.randrange(min(len(data), 700))] = draw.randrange(256)
    return data


def _extreme_number(data: bytearray, draw: random.Random, _: Sequence[bytes]) -> bytearray:
    at, form = draw.randrange(min(len(data), 64)), draw.choice(("<H", ">H", "<I", ">I"))
    packed = struct.pack(form, draw.choice(_EXTREMES) & (0xFFFF if form[1] == "H" else 0xFFFFFFFF))
    data[at : at + len(packed)] = packed
    return data


def _zero_block(data: bytearray, draw: random.Random, _: Sequence[bytes]) -> bytearray:
    at = draw.randrange(len(data))
    size = draw.randrange(1, 2000)
    data[at : at + size] = bytes(len(data[at : at + size]))
    return data


def _insert_noise(data: bytearray, draw: random.Random, _: Sequence[bytes]) -> bytearray:
    at = draw.randrange(len(data))
    data[at:at] = draw.randbytes(draw.choice((1, 7, 3000)))
    return data


def _repeat_part(data: bytearray, draw: random.Random, _: Sequence[bytes]) -> bytearray:
    at, times = draw.randrange(len(data)), draw.choice((2, 10, 200))
    part = data[at : at + draw.randrange(1, 3000)]
    data[at:at] = part * times
    return data


def _drop_part(data: bytearray, draw: random.Random, _: Sequence[bytes]) -> bytearray:
    at = draw.randrange(len(data))
    del data[at : at + draw.randrange(1, 5000)]
    return data


def _splice(data: bytearray, draw: random.Random, files: Sequence[bytes]) -> bytearray:
    other = draw.choice(files)
    return data[: draw.randrange(len(data))] + other[draw.randrange(len(other)) :]


def _other_signature(data: bytearray, draw: random.Random, files: Sequence[bytes]) -> bytearray:
    other = draw.choice(files)
    size = draw.choice((3, 8, 16, 40))
    data[:size] = other[:size]
    return data


_MUTATIONS: tuple[Callable[[bytearray, random.Random, Sequence[bytes]], bytearray], ...] = (
    *(_cut, _flip_bits, _flip_early, _extreme_number, _zero_block),
    *(_insert_noise, _repeat_part, _drop_part, _splice, _other_signature),
)


def _true_checksums(data: bytearray) -> bytearray:
    """Writes the checksum of every PNG chunk anew, so that the decoder reads what was spoiled."""
    at = 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 8 + length
        if end + 4 > len(data):
            break
        struct.pack_into(">I", data, end, zlib.crc32(data[at + 4 : end]))
        at = end + 4
    return data


def bombs() -> Iterator[tuple[str, bytes]]:
    """Yields files made by hand to exhaust time or memory, with what each does."""
    for width, height in ((20_000, 20_000), (65_500, 65_500), (2**31 - 1, 2**31 - 1), (2**32 - 1, 1), (0, 5), (1, 1)):
        yield f"PNG of {width}x{height} in 60 bytes", png(width, height, b"\0")
    yield "PNG of 6000x6600 of one colour", png(6000, 6600, bytes(3 * 6000 * 6600 + 6600))
    yield "PNG with a text of 200 MB", png(8, 8, bytes(200), [(b"zTXt", b"a\0\0" + _zeros(200))])
    yield "PNG with a profile of 200 MB", png(8, 8, bytes(200), [(b"iCCP", b"a\0\0" + _zeros(200))])
    yield "PNG of a million empty chunks", png(8, 8, bytes(200), [(b"tEXt", b"")] * 1_000_000)
    yield "PNG of 90,000 texts", png(8, 8, bytes(200), [(b"tEXt", b"k\0v")] * 90_000)
    yield "PNG of 90,000 empty pixel chunks", png(8, 8, bytes(200), [(b"IDAT", b"")] * 90_000)
    for megabytes in (300, 3000):
        yield f"PNG with {megabytes} MB of pixels too many", png(8, 8, b"", [(b"IDAT", _zeros(megabytes))])
    yield "PNG with 2000 texts of 7 MB", png(8, 8, bytes(200), [(b"zTXt", b"a\0\0" + _zeros(7))] * 2000)
    yield "PNG that animates 2**31 frames", png(8, 8, bytes(200), [(b"acTL", struct.pack(">II", 2**31 - 1, 0))])
    for scans in (2, 5, 20, 120, 5000):
        yield f"progressive JPEG of 6000x6000 with {5 * scans} empty passes", _scan_bomb(6000, 6000, scans)
    yield "progressive JPEG of 100x100 with 200,000 empty passes", _scan_bomb(100, 100, 40_000)
    yield "progressive JPEG of 900x900 with 495 empty passes", _scan_bomb(900, 900, 99)
    yield "JPEG of 65500x65500", _scan_bomb(65_500, 65_500, 1)
    yield "JPEG of height 0", _scan_bomb(100, 0, 1)
    yield "JPEG of a million fill bytes", b"\xff\xd8" + b"\xff" * 1_000_000 + b"\xd9"
    yield "JPEG of 200,000 comments", b"\xff\xd8" + b"\xff\xfe\0\2" * 200_000 + b"\xff\xd9"
    looped = b"II*\0" + struct.pack("<IH", 8, 65_535) + bytes(200)
    comment = b"\xff\xe1" + struct.pack(">H", len(looped) + 8) + b"Exif\0\0" + looped
    yield "JPEG whose EXIF claims 65,535 entries", b"\xff\xd8" + comment + _scan_bomb(64, 64, 1)[2:]
    for width, height in ((6000, 6600), (20_000, 20_000), (65_535, 65_535)):
        yield f"GIF of {width}x{height} in 30 bytes", _gif(width, height, 1, 1)
    yield "GIF whose frame is larger than its screen", _gif(10, 10, 60_000, 60_000)
    yield "GIF of 90,000 frames", _gif(10, 10, 10, 10, 90_000)
    yield "WebP of a canvas of 16777216x16777216", _webp(2**24, 2**24)
    yield "WebP of a canvas of 6000x6600 and a frame of 1x1", _webp(6000, 6600)
    for width, height in ((6000, 6600), (2**31 - 1, 2**31 - 1), (-5, 5), (5, -(2**31))):
        yield f"BMP of {width}x{height} in 60 bytes", _bmp(width, height, 0)
        yield f"run-length BMP of {width}x{height} in 60 bytes", _bmp(width, height, 1)
    yield "nothing", b""
    yield "32 MB of noise that begins as a JPEG", b"\xff\xd8\xff\xc4" + random.Random(1).randbytes(32 * 2**20 - 4)


def png(width: int, height: int, rows: bytes, chunks: Sequence[tuple[bytes, bytes]] = ()) -> bytes:
    """Returns a PNG of 8-bit RGB with these filtered rows, chunks put before them."""
    header = struct.pack(">IIBBBBB", width & 0xFFFFFFFF, height & 0xFFFFFFFF, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b"")]
    made = (struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(made)


def _zeros(megabytes: int) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(2**20)) for _ in range(megabytes)) + packer.flush()


def _scan_bomb(width: int, height: int, scans: int) -> bytes:
    """Returns a progressive JPEG whose passes say nothing: each makes the decoder visit every block."""
    small = io.BytesIO()
    Image.new("L", (8, 8)).save(small, "JPEG", progressive=True)
    data = bytearray(small.getvalue())
    at = data.index(b"\xff\xc2")
    struct.pack_into(">HH", data, at + 5, height & 0xFFFF, width & 0xFFFF)
    first = data.index(b"\xff\xda")
    second = data.index(b"\xff\xda", first + 2)
    return bytes(data[:second]) + bytes(data[second:-2]) * scans + b"\xff\xd9"


def _gif(width: int, height: int, frame_width: int, frame_height: int, frames: int = 1) -> bytes:
    frame = b"," + struct.pack("<HHHHB", 0, 0, frame_width, frame_height, 0) + b"\2\2\x4c\1\0"
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6) + frame * frames + b";"


def _webp(width: int, height: int) -> bytes:
    small = io.BytesIO()
    Image.new("RGB", (1, 1)).save(small, "WEBP", lossless=True)
    canvas = bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + canvas + small.getvalue()[12:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _bmp(width: int, height: int, compression: int) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, compression, 0, 0, 0, 2, 0) + bytes(8)
    return b"BM" + struct.pack("<IHHI", 14 + len(header), 0, 0, 14 + len(header)) + header


Photograph = npt.NDArray[np.uint8]


def largest(limit_pixels: int, limit_side: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yields valid files at the limits: the most that a decoder can be made to do."""
    noise: Photograph = np.random.default_rng(seed).integers(0, 256, (512, 512, 3), np.uint8)
    for width, height in ((limit_side, limit_pixels // limit_side), (6324, limit_pixels // 6324)):
        tiled = np.tile(noise, (-(-height // 512), -(-width // 512), 1))[:height, :width]
        image = Image.fromarray(tiled // 128 * 128)
        yield f"JPEG {width}x{height}", _save(image, "JPEG", quality=20)
        yield f"progressive JPEG {width}x{height}", _save(image, "JPEG", quality=20, progressive=True)
        yield (
            f"progressive CMYK JPEG {width}x{height}",
            _save(image.convert("CMYK"), "JPEG", quality=5, progressive=True),
        )
        yield f"PNG {width}x{height}", _save(image, "PNG", compress_level=1)
        if max(width, height) < 16_384:
            yield f"WebP {width}x{height}", _save(image, "WEBP", quality=20, method=0)
            frames = [Image.new("RGBA", image.size, (shade, 0, 0, 99)) for shade in (1, 2)]
            moving = _save(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True, method=0)
            yield f"animated WebP {width}x{height}", moving
        yield f"GIF {width}x{height}", _save(image.convert("L"), "GIF")
        # One colour, since noise of this depth would be more bytes than are allowed.
        yield f"16-bit PNG {width}x{height}", _deep_png(np.full_like(tiled, 128))


def _deep_png(image: Photograph) -> bytes:
    rows = np.zeros((image.shape[0], 1 + image.shape[1] * 8), np.uint8)
    rows[:, 1:] = np.repeat(np.dstack([image, image[..., :1]]).reshape(image.shape[0], -1) // 128 * 128, 2, axis=1)
    made = bytearray(png(image.shape[1], image.shape[0], rows.tobytes()))
    made[24:26] = b"\x10\x06"
    return bytes(_true_checksums(made))
