"""Staging: a data set is written where nobody looks for it and put in place when it is whole."""

import os
import shutil
from dataclasses import dataclass

from features.errors import AuguryError
from features.storage import (
    atomic_write,
    check_replaceable,
    exists,
    explained,
    is_local,
    list_files,
    open_filesystem,
    swap_folder,
    sync_tree,
    temporary_name,
)


class OutputExistsError(AuguryError, FileExistsError):
    """The output is there already and may not be replaced."""


@dataclass(frozen=True)
class Staging:
    """Where a folder is written and where it ends.

    A local folder is written beside its final place and renamed. An object store cannot rename a folder: there the
    files go to their final names, each whole, and the one that makes them a data set is written last.

    Attributes:
        work: the folder to write to.
        final: the folder that it becomes.
        overwrite: replace a final folder that is there.
    """

    work: str
    final: str
    overwrite: bool = False

    @classmethod
    def begin(cls, final: str, *, overwrite: bool) -> "Staging":
        """Plans the staging of ``final``.

        Raises:
            OutputExistsError: it holds files and ``overwrite`` is false.
        """
        local = is_local(final)
        final = os.path.abspath(open_filesystem(final)[1]) if local else final.rstrip("/")
        if not overwrite and exists(final) and list_files(final):
            raise OutputExistsError(f"{final} holds files already; choose another output or pass --overwrite")
        return cls(temporary_name(final) if local else final, final, overwrite)

    @property
    def staged(self) -> bool:
        """Whether files wait in another folder, so that they need not be flushed to the disk one by one."""
        return self.work != self.final

    def publish(self, marker: str, content: bytes) -> None:
        """Writes the file that makes the folder complete and puts the folder in its final place.

        Raises:
            StorageError: it cannot be put there; another job may have done so in the meantime.
        """
        atomic_write(f"{self.work}/{marker}", content, flush=not self.staged)
        if self.staged:
            with explained(self.final, "write"):
                sync_tree(self.work)
                swap_folder(self.work, self.final, self.overwrite)

    def clear(self, marker: str) -> None:
        """Makes ready for writing: on an object store, removes what ``overwrite`` allows to go, the marker first.

        Raises:
            StorageError: what is there locally holds no marker, so it is nothing that may be replaced.
        """
        if not self.overwrite:
            return
        if self.staged:
            check_replaceable(self.final, marker)
        elif exists(self.final):
            files, target = open_filesystem(self.final)
            if files.exists(f"{target}/{marker}"):
                files.rm_file(f"{target}/{marker}")
            files.rm(target, recursive=True)

    def discard(self) -> None:
        """Removes what a job that failed had staged; an object store keeps its unmarked files for the next attempt."""
        if self.staged:
            shutil.rmtree(self.work, ignore_errors=True)
