"""The manifest of a version: a sha256 and a size for every file, and the check that a folder is exactly that."""

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from features.errors import AuguryError
from features.storage import StoragePath, explained

MANIFEST_NAME = "MANIFEST.json"
DIGEST_LETTERS = 16
"""How much of the digest stands in a version's name."""

_FORMAT = 1
_REMEDY = "restore it from a copy, or remove the version and publish it again"
_MOST_BYTES = 16 * 2**20
# Formats whose readers run code that the file brings along (pickle, or a wrapping of it).
_RUNNABLE = frozenset({".ckpt", ".cloudpickle", ".dill", ".joblib", ".pickle", ".pkl", ".pt", ".pth"})


class IntegrityError(AuguryError, ValueError):
    """Files that no manifest vouches for, or that are not what it says."""


@dataclass(frozen=True)
class FileRecord:
    """One file of a version: its content's sha256 in hex, and its size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """What a version consists of.

    Attributes:
        family: e.g. ``behavior``.
        name: of the model, e.g. ``purchase``.
        version: sortable by the time it was published, ending in the first letters of ``digest``.
        created_at_us: when it was published.
        files: relative POSIX path -> record, the manifest itself left out.
    """

    family: str
    name: str
    version: str
    created_at_us: int
    files: Mapping[str, FileRecord]

    @property
    def digest(self) -> str:
        """The sha256 of all paths, sizes and hashes: two versions with one digest have the same content."""
        return digest_of(self.files)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(record.size for record in self.files.values())

    def to_json(self) -> str:
        """Returns the text of ``MANIFEST.json``."""
        files = {path: {"sha256": record.sha256, "size": record.size} for path, record in sorted(self.files.items())}
        head = {
            "format": _FORMAT,
            "family": self.family,
            "name": self.name,
            "version": self.version,
            "created_at_us": self.created_at_us,
            "digest": self.digest,
        }
        return json.dumps({**head, "files": files}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: bytes, where: str) -> "Manifest":
        """Reads ``MANIFEST.json`` without trusting it.

        Args:
            text: the file's content.
            where: its path, for messages.

        Raises:
            IntegrityError: not a manifest, of another format, with an unsafe path, or at odds with its own digest.
        """
        if len(text) > _MOST_BYTES:
            raise IntegrityError(f"{where} has {len(text)} bytes; expected at most {_MOST_BYTES}; {_REMEDY}")
        try:
            told: dict[str, Any] = json.loads(text)
            if told["format"] != _FORMAT:
                raise IntegrityError(f"{where} has format {told['format']!r}; this release reads format {_FORMAT}")
            files = {str(path): FileRecord(str(r["sha256"]), int(r["size"])) for path, r in told["files"].items()}
            found = cls(str(told["family"]), str(told["name"]), str(told["version"]), int(told["created_at_us"]), files)
            digest = told["digest"]
        except (ValueError, KeyError, TypeError, AttributeError) as e:
            if isinstance(e, IntegrityError):
                raise
            raise IntegrityError(f"{where} is not a manifest ({e!r}); {_REMEDY}") from e
        for path in files:
            check_path(path, where)
        if digest != found.digest or not found.version.endswith(digest[:DIGEST_LETTERS]):
            raise IntegrityError(f"{where} does not match its own digest: it was changed; {_REMEDY}")
        return found


def digest_of(files: Mapping[str, FileRecord]) -> str:
    """Returns the sha256, in hex, of the sorted paths with their hashes and sizes."""
    lines = (f"{record.sha256} {record.size} {path}\n" for path, record in sorted(files.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def check_path(path: str, where: str) -> None:
    """Refuses a path that leaves its folder, hides, or is of a kind whose reader runs code.

    Raises:
        IntegrityError: naming ``path`` and ``where`` it was found.
    """
    parts = path.split("/")
    if not path or "\\" in path or "\0" in path or any(part in ("", ".", "..") for part in parts):
        raise IntegrityError(f"{where}: {path!r} is no relative path inside the version; publish without it")
    if any(part.startswith(".") for part in parts):
        raise IntegrityError(f"{where}: {path!r} is hidden; remove it, a version holds only what is meant to be there")
    suffix = next((s for s in reversed(PurePosixPath(path).suffixes) if s.lower() in _RUNNABLE), None)
    if suffix is not None:
        raise IntegrityError(f"{where}: {path!r} could run code when it is read; export the model without {suffix}")


def walk_files(folder: Path) -> Iterator[str]:
    """Yields the relative POSIX paths of all files below ``folder``, sorted within each folder.

    Raises:
        IntegrityError: a symbolic link or anything else that is neither a file nor a folder.
        StorageError: the folder cannot be read.
    """
    with explained(folder, "read"):
        for entry in sorted(os.listdir(folder)):
            path = folder / entry
            mode = path.lstat().st_mode
            if stat.S_ISDIR(mode):
                yield from (f"{entry}/{below}" for below in walk_files(path))
            elif stat.S_ISREG(mode):
                yield entry
            else:
                kind = "a symbolic link" if stat.S_ISLNK(mode) else "neither a file nor a folder"
                raise IntegrityError(f"{path} is {kind}; replace it by the file itself")


def copy_hashed(source: BinaryIO, target: BinaryIO) -> FileRecord:
    """Copies a file and returns the record of exactly the bytes that were copied."""
    digest, size = hashlib.sha256(), 0
    while chunk := source.read(2**20):
        digest.update(chunk)
        target.write(chunk)
        size += len(chunk)
    return FileRecord(digest.hexdigest(), size)


def verify(folder: Path, manifest: Manifest) -> None:
    """Checks that ``folder`` holds exactly the files of ``manifest``, byte for byte.

    Raises:
        IntegrityError: a file is missing, too many, changed, or a link; it names the first such file.
        StorageError: a file cannot be read.
    """
    if folder.is_symlink():
        raise IntegrityError(f"{folder} is a symbolic link; replace it by the folder itself")
    found = set(walk_files(folder)) - {MANIFEST_NAME}
    for path in sorted(manifest.files.keys() - found):
        raise IntegrityError(f"{folder}/{path} is missing; {_REMEDY}")
    for path in sorted(found - manifest.files.keys()):
        raise IntegrityError(f"{folder}/{path} is not in {MANIFEST_NAME}; remove it")
    for path, record in sorted(manifest.files.items()):
        if record != _record(folder / path):
            raise IntegrityError(f"{folder}/{path} is not the file that was published; {_REMEDY}")


def _record(path: StoragePath) -> FileRecord:
    with explained(path, "read"), open(path, "rb") as file:
        return FileRecord(hashlib.file_digest(file, "sha256").hexdigest(), os.fstat(file.fileno()).st_size)
