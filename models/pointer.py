"""A small file that several processes change without ever losing a change: read, then replace only what was read.

On a local disk a lock file orders the writers (``flock`` goes with its process, so a killed one blocks nobody) and the
file itself is replaced by a rename; readers need no lock. On Google Cloud Storage the precondition of the write is the
generation number of the object (https://cloud.google.com/storage/docs/request-preconditions).
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple, Protocol, cast

from features.errors import AuguryError
from features.storage import StorageError, atomic_write, explained, is_local, open_filesystem, read_bytes


class Held(NamedTuple):
    """What a pointer held when it was read: ``content`` (None: there was no file) and the storage's mark of it."""

    content: bytes | None
    generation: int


class Pointer(Protocol):
    """A file that is replaced by compare-and-swap."""

    def read(self) -> Held:
        """Returns what the file holds now."""
        ...

    def swap(self, held: Held, content: bytes) -> bool:
        """Replaces the file if it still is what ``held`` says; returns False, and changes nothing, if it is not.

        Args:
            held: what ``read`` returned.
            content: the new content; it must differ from every earlier one (hold a counter, say).
        """
        ...


class UnsupportedStorageError(AuguryError, ValueError):
    """A storage that has no compare-and-swap."""


def open_pointer(path: str) -> Pointer:
    """Returns the pointer at ``path``, local or ``gs://``.

    Raises:
        UnsupportedStorageError: another kind of storage.
    """
    fs, target = open_filesystem(path)
    if is_local(path):
        return _LocalPointer(target)
    if "gs" in fs.protocol:
        return _CloudPointer(path, target)
    raise UnsupportedStorageError(f"cannot hold a registry at {path}: expected a local path or a gs:// URL")


@contextmanager
def locked(path: str) -> Iterator[None]:
    """Holds the lock file ``path`` (local; made if missing) for this process alone, waiting for it if need be."""
    with explained(path, "write"):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        with explained(path, "write"):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class _LocalPointer:
    def __init__(self, path: str) -> None:
        self._path = path
        folder, name = os.path.split(path)
        self._lock = os.path.join(folder, f".{name}.lock")

    def read(self) -> Held:
        try:
            return Held(read_bytes(self._path), 0)
        except StorageError as e:
            if not isinstance(e.__cause__, FileNotFoundError):
                raise
            return Held(None, 0)

    def swap(self, held: Held, content: bytes) -> bool:
        with locked(self._lock):
            if self.read().content != held.content:
                return False
            atomic_write(self._path, content)
            return True


class _CloudPointer:
    def __init__(self, url: str, target: str) -> None:
        bucket, _, key = target.partition("/")
        self._url = url
        self._bucket = _cloud_client().bucket(bucket)
        self._key = key

    def read(self) -> Held:
        from google.api_core.exceptions import NotFound

        blob = self._bucket.blob(self._key)
        with explained(self._url, "read", remote=True):
            try:
                content = cast(bytes, blob.download_as_bytes())
            except NotFound:
                return Held(None, 0)
        return Held(content, int(blob.generation))

    def swap(self, held: Held, content: bytes) -> bool:
        from google.api_core.exceptions import PreconditionFailed

        blob = self._bucket.blob(self._key)
        with explained(self._url, "write", remote=True):
            try:
                # Generation 0: there must be no such object.
                blob.upload_from_string(content, content_type="application/json", if_generation_match=held.generation)
                return True
            except PreconditionFailed:
                pass
        # A write that the client sent twice, because the first answer was lost, fails against itself.
        return self.read().content == content


@cache
def _cloud_client() -> Any:
    # Google's client rather than gcsfs: only it can name the generation that a write must replace. Making one reads the
    # credentials and opens a session, so one serves the process; it is safe to use from several threads.
    from google.cloud import storage

    return storage.Client()
