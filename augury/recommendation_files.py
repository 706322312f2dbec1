"""The files that ``augury recommend`` writes: settled before any work, none of them the photo itself."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import orjson

from augury.heatmap_files import identity
from features.errors import AuguryError
from features.images import Pixels
from features.images_encode import encode_image
from features.storage import atomic_write, exists, explained, list_files, open_filesystem
from models.creative.recommendation import Recommendation
from models.creative.shown import as_json

ANSWER = "recommendation.json"
_ALTERNATE = re.compile(r"alternate-\d{3}-.*\.jpg")


class RecommendationFilesError(AuguryError, ValueError):
    """A folder that would overwrite the photo."""


def check_folder(photo: str, folder: str, variants: tuple[str, ...], alternates: int) -> None:
    """Refuses a folder in which a file that may be written is the photo.

    Raises:
        RecommendationFilesError: it is.
    """
    own, root = identity(photo), folder.rstrip("/")
    names = [ANSWER, *(f"{name}.png" for name in variants)]
    for name in names:
        if identity(f"{root}/{name}") == own:
            raise RecommendationFilesError(f"{root}/{name} would overwrite the photo {photo}; choose another --output")
    name = PurePosixPath(photo).name
    in_it = identity(str(PurePosixPath(photo).parent)) == identity(root)
    if in_it and _ALTERNATE.fullmatch(name):
        raise RecommendationFilesError(f"{photo} is called as alternates are; choose another --output")


def write(folder: str, found: Recommendation, pictures: Mapping[str, Pixels], about: Mapping[str, Any]) -> list[str]:
    """Writes the variants as PNGs, the alternates as JPEGs and, last, what was found; returns the names.

    Alternates that an earlier answer left in the folder, and this one does not have, are removed.

    Raises:
        StorageError: a file cannot be written or removed.
    """
    earlier = _alternates(folder) if exists(f"{folder.rstrip('/')}/{ANSWER}") else []
    files = {f"{name}.png": encode_image(picture, "png") for name, picture in pictures.items()}
    for number, other in enumerate(found.alternates, 1):
        files[f"alternate-{number:03d}-{_plain(other.product)}.jpg"] = other.thumbnail
    files[ANSWER] = orjson.dumps({**about, **as_json(found)}, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    for name, data in files.items():
        atomic_write(f"{folder.rstrip('/')}/{name}", data)
    for path in earlier:
        if PurePosixPath(path).name not in files:
            fs, target = open_filesystem(path)
            with explained(path, "write"):
                fs.rm_file(target)
    return list(files)


def _alternates(folder: str) -> list[str]:
    """Returns the files that are called as alternates are."""
    found = list_files(f"{folder.rstrip('/')}/alternate-*.jpg")
    return [path for path in found if _ALTERNATE.fullmatch(PurePosixPath(path).name)]


def _plain(product: str) -> str:
    """Returns a product's name as part of a file's."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", product)[-60:].strip("._") or "product"
