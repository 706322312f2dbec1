"""A catalogue of products with a photo each: the manifest of a scrape, a folder of images, or a folder and a CSV.

Nothing is read but names: whether a file is an image shows when it is decoded. docs/scraping.md is the manual.
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from features.checks import WRONG_COLUMNS, dead_letters
from features.errors import AuguryError
from features.storage import StoragePath, is_local, list_files, open_filesystem, read_bytes

CATALOGUE_SCHEMA = pa.schema(
    [
        pa.field(name, pa.string(), nullable=False)
        for name in ("product", "image", "brand", "gender", "name", "kind", "price", "url", "sha256")
    ]
)
"""A product's photo: ``image`` is a path that ``features.storage`` opens; what is unknown is an empty string."""

NO_IMAGE_NAME = "no_image_name"
BAD_PATH = "bad_path"
OUTSIDE_FOLDER = "outside_folder"
MISSING_FILE = "missing_file"
DUPLICATE_IMAGE = "duplicate_image"
DUPLICATE_CONTENT = "duplicate_content"
BAD_SHA256 = "bad_sha256"
TOO_LONG = "too_long"
NOT_IN_TABLE = "not_in_table"
NOT_AN_IMAGE_NAME = "not_an_image_name"

REASONS = (
    WRONG_COLUMNS,
    NO_IMAGE_NAME,
    BAD_PATH,
    OUTSIDE_FOLDER,
    MISSING_FILE,
    DUPLICATE_IMAGE,
    DUPLICATE_CONTENT,
    BAD_SHA256,
    TOO_LONG,
    NOT_IN_TABLE,
    NOT_AN_IMAGE_NAME,
)
"""Every reason a row of a table, or a file of a folder, is left out for."""

MANIFEST_COLUMNS = {
    "image": "relative_im_path",
    "brand": "shoe_brand",
    "gender": "shoe_gender",
    "name": "shoe_name",
    "kind": "shoe_kind",
    "url": "source_url",
}
"""How ``augury scrape`` names what is called otherwise here; either name is found without being mapped."""

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")
MOST_TABLE_BYTES = 256 * 2**20
MOST_CHARACTERS = 4096

_SHA256 = re.compile(r"[0-9a-f]{64}")


class CatalogueError(AuguryError, ValueError):
    """A catalogue that cannot be read at all."""


@dataclass(frozen=True)
class Catalogue:
    """What was read.

    Attributes:
        products: in ``CATALOGUE_SCHEMA``, in the order of the table, or of the names of a folder.
        rejected: rows and files left out, in ``features.events.DEAD_LETTER_SCHEMA``, with a reason out of ``REASONS``.
    """

    products: pa.Table
    rejected: pa.Table

    def counts(self) -> dict[str, int]:
        """Returns how many were left out for each reason that occurred."""
        found = self.rejected.column("reason").value_counts().to_pylist()
        return {entry["values"]: entry["counts"] for entry in sorted(found, key=lambda entry: entry["values"])}


def column_names(flags: Sequence[str]) -> dict[str, str]:
    """Reads mappings such as ``kind=type`` (ours, theirs), as a command line gives them.

    Raises:
        CatalogueError: one is not of that form, or names no column of ``CATALOGUE_SCHEMA``, or one twice.
    """
    found: dict[str, str] = {}
    for flag in flags:
        ours, equals, theirs = flag.partition("=")
        if not equals or not theirs or ours not in CATALOGUE_SCHEMA.names or ours in found:
            expected = ", ".join(CATALOGUE_SCHEMA.names)
            raise CatalogueError(f"column {flag!r} is not understood; expected one of {expected}, once, as kind=type")
        found[ours] = theirs
    return found


def read_manifest(manifest: StoragePath, columns: Mapping[str, str] | None = None) -> Catalogue:
    """Reads the manifest of a scrape, or any CSV whose image paths are relative to its own folder.

    Args:
        manifest: a CSV with a header, UTF-8.
        columns: of ``CATALOGUE_SCHEMA``, those that the file names otherwise: ours -> theirs.

    Raises:
        CatalogueError: no CSV, too large, or without a column that is needed or mapped.
        StorageError: it cannot be read.
    """
    text = os.fspath(manifest)
    given, broken = _read_table(text, columns or {})
    products, rejected, _ = _matched(given, _files(os.path.dirname(text) or "."), text)
    return Catalogue(products, pa.Table.from_batches([broken, rejected]))


def read_folder(
    folder: StoragePath, table: StoragePath | None = None, columns: Mapping[str, str] | None = None
) -> Catalogue:
    """Reads a folder of images, all that lie below it, and a CSV about them if there is one.

    Args:
        folder: where the images are. Without a table each image is a product of its own, called as its path is.
        table: a CSV with a header, UTF-8; its image paths are relative to ``folder``.
        columns: as for ``read_manifest``.

    Raises:
        CatalogueError: as for ``read_manifest``, or there is no file in the folder.
        StorageError: it cannot be read.
    """
    text = os.fspath(folder)
    files = _files(text)
    if table is not None:
        source = os.fspath(table)
        given, broken = _read_table(source, columns or {})
        products, rejected, named = _matched(given, files, source)
        own = open_filesystem(source)[0].unstrip_protocol(source)
        others = [name for name, path in files.items() if name not in named and _url(path) != own]
        unnamed = dead_letters([NOT_IN_TABLE] * len(others), others, text)
        return Catalogue(products, pa.Table.from_batches([broken, rejected, unnamed]))
    if columns:
        raise CatalogueError(f"columns are mapped ({', '.join(columns)}), but there is no table; name one")
    names = [name for name in files if name.lower().endswith(IMAGE_SUFFIXES)]
    others = [name for name in files if not name.lower().endswith(IMAGE_SUFFIXES)]
    products, rejected, _ = _matched({"image": pa.array(names, pa.string())}, files, text)
    letters = dead_letters([NOT_AN_IMAGE_NAME] * len(others), others, text)
    return Catalogue(products, pa.Table.from_batches([rejected, letters]))


def _read_table(path: str, columns: Mapping[str, str]) -> tuple[dict[str, pa.Array], pa.RecordBatch]:
    """Returns columns of ``CATALOGUE_SCHEMA`` as far as they are there, and the rows that are not whole."""
    data = read_bytes(path)
    if len(data) > MOST_TABLE_BYTES:
        raise CatalogueError(f"{path} has {len(data)} bytes; expected at most {MOST_TABLE_BYTES}; split it")
    broken: list[str] = []

    def keep(row: Any) -> str:
        broken.append(row.text)
        return "skip"

    parsing = pa_csv.ParseOptions(invalid_row_handler=keep, newlines_in_values=True)
    try:
        header = pa_csv.open_csv(pa.BufferReader(data), parse_options=parsing).schema.names
        kept = pa_csv.ConvertOptions(column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False)
        broken.clear()
        found = pa_csv.read_csv(pa.BufferReader(data), pa_csv.ReadOptions(use_threads=False), parsing, kept)
    except (pa.ArrowInvalid, pa.ArrowKeyError) as e:
        raise CatalogueError(f"{path} is no CSV table ({' '.join(str(e).split())}); expected a header and rows") from e
    names = _names(header, path, columns)
    given = {ours: found.column(theirs).combine_chunks() for ours, theirs in names.items()}
    return given, dead_letters([WRONG_COLUMNS] * len(broken), broken, path)


def _names(header: list[str], path: str, columns: Mapping[str, str]) -> dict[str, str]:
    names = {}
    for ours in CATALOGUE_SCHEMA.names:
        candidates = [columns[ours]] if ours in columns else [MANIFEST_COLUMNS.get(ours, ours), ours]
        theirs = next((name for name in candidates if name in header), None)
        if theirs is not None:
            if header.count(theirs) > 1:
                raise CatalogueError(f"{path} has two columns {theirs!r}; rename one")
            names[ours] = theirs
        elif ours == "image" or ours in columns:
            wanted = " or ".join(map(repr, reversed(candidates)))
            raise CatalogueError(f"{path} has no column {wanted} (it has {', '.join(header)}); map it as {ours}=COLUMN")
    return names


def _files(folder: str) -> dict[str, str]:
    """Returns the files below a folder: path relative to it, with ``/`` -> path."""
    listed = list_files(folder)
    if not listed:
        raise CatalogueError(f"there are no files in {folder}; check the path")
    fs, target = open_filesystem(folder)
    start = len((target if is_local(folder) else fs.unstrip_protocol(target)).rstrip("/")) + 1
    return {path[start:].replace(os.sep, "/"): path for path in listed}


def _url(path: str) -> str:
    fs, target = open_filesystem(path)
    return str(fs.unstrip_protocol(target))


def _matched(
    given: Mapping[str, pa.Array], files: Mapping[str, str], source: str
) -> tuple[pa.Table, pa.RecordBatch, set[str]]:
    """Finds the file of every row; returns products, dead letters and the relative paths that are named."""
    given = {name: pc.utf8_trim_whitespace(column) for name, column in given.items()}
    rows = len(given["image"])
    inside = _inside(files)
    reasons, cleaned, named, contents = np.full(rows, "", object), list[str](), set[str](), set[str]()
    for column in given.values():
        reasons[pc.greater(pc.utf8_length(column), MOST_CHARACTERS).to_numpy(False)] = TOO_LONG
    sums = given["sha256"].to_pylist() if "sha256" in given else [""] * rows
    for row, (path, digest) in enumerate(zip(given["image"].to_pylist(), sums, strict=True)):
        clean = str(PurePosixPath(path)) if path else ""
        cleaned.append(clean)
        if not reasons[row]:
            reasons[row] = _wrong_path(path, clean, files, named, inside) or _wrong_sum(digest, contents)
        named.add(clean)
    keep = reasons == ""
    there = [name for name, wanted in zip(cleaned, keep, strict=True) if wanted]
    columns = {name: column.filter(pa.array(keep)) for name, column in given.items()}
    columns["image"] = pa.array([files[name] for name in there], pa.string())
    columns.setdefault("product", pa.array([str(PurePosixPath(name).with_suffix("")) for name in there], pa.string()))
    empty = pa.array([""] * len(there), pa.string())
    products = pa.table({name: columns.get(name, empty) for name in CATALOGUE_SCHEMA.names}, CATALOGUE_SCHEMA)
    bad = np.flatnonzero(~keep)
    texts = [",".join(row.values()) for row in pa.table(dict(given)).take(pa.array(bad)).to_pylist()]
    return products, dead_letters(reasons[bad].tolist(), texts, source), named


def _inside(files: Mapping[str, str]) -> Callable[[str], bool]:
    """Returns what says of a file whether it lies in the folder, links followed; object stores have no links."""
    relative, path = next(iter(files.items()))
    if not is_local(path):
        return lambda path: True
    root = os.path.join(os.path.realpath(path[: -len(relative)]), "")
    resolved = cache(os.path.realpath)  # of folders, which have many files

    def inside(path: str) -> bool:
        target = os.path.realpath(path) if os.path.islink(path) else os.path.join(resolved(os.path.dirname(path)), "")
        return target.startswith(root)

    return inside


def _wrong_path(path: str, clean: str, files: Mapping[str, str], named: set[str], inside: Callable[[str], bool]) -> str:
    if not path:
        return NO_IMAGE_NAME
    if path.startswith("/") or "\\" in path or ":" in path or not path.isprintable() or ".." in clean.split("/"):
        return BAD_PATH
    if clean in named:
        return DUPLICATE_IMAGE
    if clean not in files:
        return MISSING_FILE
    if not inside(files[clean]):
        return OUTSIDE_FOLDER
    return ""


def _wrong_sum(digest: str, contents: set[str]) -> str:
    if not digest:
        return ""
    if _SHA256.fullmatch(digest) is None:
        return BAD_SHA256
    if digest in contents:
        return DUPLICATE_CONTENT
    contents.add(digest)
    return ""
