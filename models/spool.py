"""Bytes kept out of memory: a data set of encoded images may be larger than what a machine has."""

import os
import tempfile
import weakref
from typing import NamedTuple

from features.errors import AuguryError


class SpoolError(AuguryError, OSError):
    """A place for temporary files that is full or cannot be written."""


class Spool:
    """A file without a name, in the folder of temporary files; it is gone when nothing refers to it any more.

    The system keeps in memory as much of it as memory allows. One thread may write, any number may read.

    Raises:
        SpoolError: no file can be made.
    """

    def __init__(self) -> None:
        try:
            self._descriptor, name = tempfile.mkstemp(prefix="augury-")
            os.unlink(name)
        except OSError as e:
            raise _refused(e) from e
        weakref.finalize(self, os.close, self._descriptor)
        self._size = 0

    def keep(self, data: bytes) -> "Kept":
        """Writes some bytes and returns where they are.

        Raises:
            SpoolError: there is no room for them.
        """
        view, start = memoryview(data), self._size
        try:
            while view:
                written = os.pwrite(self._descriptor, view, self._size)
                view, self._size = view[written:], self._size + written
        except OSError as e:
            raise _refused(e) from e
        return Kept(self, start, len(data))

    def read(self, start: int, size: int) -> bytes:
        """Returns so many bytes from there on."""
        return os.pread(self._descriptor, size, start)


class Kept(NamedTuple):
    """Some bytes in a spool.

    Attributes:
        spool: that holds them.
        start: of the first.
        size: how many.
    """

    spool: Spool
    start: int
    size: int

    def read(self) -> bytes:
        """Returns the bytes."""
        return self.spool.read(self.start, self.size)


def _refused(error: OSError) -> SpoolError:
    return SpoolError(
        f"cannot keep images in {tempfile.gettempdir()} ({error}); make room there, or name another folder in TMPDIR"
    )
