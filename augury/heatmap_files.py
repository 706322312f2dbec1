"""Which images ``augury heatmap`` reads and which files it writes: settled before any work, no input an output."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from features.errors import AuguryError
from features.images import ImageLimits
from features.images_headers import TOO_LARGE_BYTES, ImageError
from features.storage import explained, is_local, list_files, open_filesystem, read_bytes

DRAWN = ".heat.png"
"""What the names of drawn pictures end with; in folders they are not taken for images to draw."""

_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp")


class HeatmapFilesError(AuguryError, ValueError):
    """Images that are not there, or an output that cannot be."""


@dataclass(frozen=True)
class Drawing:
    """An image and where its heatmap goes; None where none is drawn."""

    image: str
    output: str | None


@dataclass(frozen=True)
class Plan:
    """What is to be done, and how many files of folders are left out since their names are not those of images."""

    drawings: tuple[Drawing, ...]
    passed_over: int


def plan(images: Sequence[str], output: str | None) -> Plan:
    """Settles what is read and written.

    Args:
        images: files, folders or patterns.
        output: a PNG where there is one image that is named itself, else a folder; None to draw nothing.

    Raises:
        HeatmapFilesError: a name stands for nothing, two images would be drawn as one file, an output is an input, or
            its name does not end in .png.
        StorageError: something cannot be listed.
    """
    found: dict[str, str] = {}
    passed_over = 0
    for given in images:
        files = [given] if _is(given, "file") else list_files(given)
        chosen = [file for file in files if file == given or _is_image(file)]
        passed_over += len(files) - len(chosen)
        if not chosen:
            why = "it holds no images" if files or _is(given, "dir") else "there is no such file or folder"
            raise HeatmapFilesError(f"{given}: {why}; name images ({', '.join(_ENDINGS)}) or a folder of them")
        for file in chosen:
            found.setdefault(file, _inside(file, given))
    if output is None:
        return Plan(tuple(Drawing(file, None) for file in found), passed_over)
    if len(images) == 1 and _is(images[0], "file") and not output.endswith("/") and not _is(output, "dir"):
        if not output.lower().endswith(".png"):
            raise HeatmapFilesError(f"{output} is to hold a PNG; give it a name that ends in .png, or name a folder")
        targets = dict.fromkeys(found, output)
    else:
        if output.lower().endswith(_ENDINGS):
            raise HeatmapFilesError(f"{output} cannot hold several images; name a folder")
        targets = {file: f"{output.rstrip('/')}/{_drawn(inside)}" for file, inside in found.items()}
    _check(targets)
    return Plan(tuple(Drawing(*pair) for pair in targets.items()), passed_over)


def read_image(path: str, limits: ImageLimits) -> bytes:
    """Returns the bytes of an image file, none of them if they are too many.

    Raises:
        ImageError: the file is too large.
        StorageError: it cannot be read.
    """
    fs, target = open_filesystem(path)
    with explained(path, "read", remote=not is_local(path)):
        size = fs.size(target)
    if size is not None and size > limits.max_bytes:
        raise ImageError(TOO_LARGE_BYTES, f"{size} bytes; expected at most {limits.max_bytes}")
    return read_bytes(path)


def _check(targets: dict[str, str]) -> None:
    twice = [target for target, count in Counter(targets.values()).items() if count > 1]
    if twice:
        both = [file for file, target in targets.items() if target == twice[0]]
        raise HeatmapFilesError(f"{both[0]} and {both[1]} would both be drawn as {twice[0]}; draw them one by one")
    inputs = {identity(file): file for file in targets}
    for target in targets.values():
        overwritten = inputs.get(identity(target))
        if overwritten is not None:
            raise HeatmapFilesError(f"{target} would overwrite the image {overwritten}; choose another output")


def identity(path: str) -> object:
    """Returns what two names of one file have in common, links and spellings aside."""
    if not is_local(path):
        return path
    _, target = open_filesystem(path)
    try:
        status = os.stat(target)
    except OSError:
        return os.path.realpath(target)
    return status.st_dev, status.st_ino


def _is_image(file: str) -> bool:
    return file.lower().endswith(_ENDINGS) and not file.lower().endswith(DRAWN)


def _is(path: str, kind: str) -> bool:
    """Says whether a path is a file or a folder ("dir")."""
    fs, target = open_filesystem(path)
    with explained(path, "read", remote=not is_local(path)):
        return bool(fs.isfile(target) if kind == "file" else fs.isdir(target))


def _inside(file: str, given: str) -> str:
    """Returns the path of a file below the folder that was given, or its bare name."""
    fs, target = open_filesystem(given)
    root = (target if is_local(given) else str(fs.unstrip_protocol(target))).rstrip("/") + "/"
    return file.removeprefix(root) if file.startswith(root) else PurePosixPath(file).name


def _drawn(inside: str) -> str:
    path = PurePosixPath(inside)
    return str(path.with_name(path.stem + DRAWN))
