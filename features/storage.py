"""Files on any fsspec path (local, ``gs://``): read, list, and write so that a file appears whole or not at all.

Every failure of the storage itself is a ``StorageError`` of one line that names the path and the remedy.
"""

import atexit
import errno
import logging
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, cast

import fsspec
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from features.errors import AuguryError
from features.reaching import UnreachableError, on_google, reach

StoragePath = str | os.PathLike[str]
"""A local path, or a URL with a protocol that fsspec knows (``gs://bucket/key``)."""

# It logs every retry, and at the last one a traceback of what is then told in one line; GCSFS_DEBUG=1 shows all of it.
logging.getLogger("gcsfs").setLevel(logging.CRITICAL)

_REMEDIES = {
    errno.ENOSPC: "the disk is full; free some space or choose another folder",
    errno.EDQUOT: "the disk quota is used up; free some space or choose another folder",
    errno.EFBIG: "the file would pass the size limit of this system or user; raise `ulimit -f` or write less",
    errno.EACCES: "permission denied; choose another path or change its permissions",
    errno.EPERM: "permission denied; choose another path or change its permissions",
    errno.EROFS: "the file system is read-only; choose another path",
    errno.ENOENT: "no such file, folder or bucket; check the path",
    errno.ENOTDIR: "a parent of it is a file, not a folder; choose another path",
    errno.EISDIR: "it is a folder, not a file; name a file inside it",
    errno.EEXIST: "it exists already; choose another path or remove it first",
    errno.ENOTEMPTY: "it exists already; choose another path or remove it first",
    errno.EMFILE: "too many open files; raise `ulimit -n`",
}
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_KINDS = {FileNotFoundError: errno.ENOENT, PermissionError: errno.EACCES, FileExistsError: errno.EEXIST}


class StorageError(AuguryError, OSError):
    """A path that cannot be read, listed or written; ``errno`` is kept where the system gave one."""


def is_local(path: StoragePath) -> bool:
    """Says whether ``path`` is on this machine's file system."""
    return not on_google(os.fspath(path)) and isinstance(open_filesystem(path)[0], LocalFileSystem)


def open_filesystem(path: StoragePath) -> tuple[fsspec.AbstractFileSystem, str]:
    """Returns the fsspec file system of ``path`` and the path within it.

    Raises:
        StorageError: no file system is known for the protocol, or its package is not installed.
    """
    text = os.fspath(path)
    if not text:
        raise StorageError("cannot use an empty path; expected a local path or a gs:// URL")
    try:
        fs, target = url_to_fs(text)
    except ImportError as e:
        raise StorageError(
            f"cannot use {text}: the package for this storage is not installed ({e}); for gs:// install gcsfs, "
            "which the extras of this project bring"
        ) from e
    except ValueError as e:
        raise StorageError(f"cannot use {text}: unknown protocol; expected a local path or a gs:// URL") from e
    return fs, target


def _contact(path: StoragePath, verb: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """Returns what ``open_filesystem`` does, having found that a remote storage can be reached."""
    with explained(path, verb):
        reach(os.fspath(path))
    return open_filesystem(path)


@contextmanager
def open_atomic(path: StoragePath, mode: str = "wb", flush: bool = True) -> Iterator[IO[Any]]:
    """Opens ``path`` for writing; the file appears under its name, whole, when the block ends without an error.

    Until then the bytes are in a temporary file: beside the target on a local disk (flushed to the disk, then renamed),
    or in the local temporary folder for remote storage (then uploaded; an object store shows an object only when it
    is complete). Any error, KeyboardInterrupt included, removes the temporary file and leaves what was there before.

    Args:
        path: where to write; missing parent folders are made.
        mode: ``"wb"``, or ``"w"`` for UTF-8 text, lines ending in a line feed on every system.
        flush: wait until the disk holds the file; False where the caller flushes a whole folder later (``sync_tree``).

    Raises:
        StorageError: full disk, permission, or any other failure to write; one line naming ``path``.
        ValueError: another mode.
    """
    if mode not in ("wb", "w"):
        raise ValueError(f"mode is {mode!r}; expected 'wb' or 'w'")
    fs, target = _contact(path, "write")
    if isinstance(fs, LocalFileSystem):
        with explained(path, "write"):
            if os.path.isdir(target):
                raise IsADirectoryError(errno.EISDIR, "is a folder")
            os.makedirs(os.path.dirname(target), exist_ok=True)
            temporary = temporary_name(target)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o666)
        try:
            with explained(path, "write", body=True), _wrap(descriptor, mode) as file:
                yield file
                file.flush()
                if flush:
                    os.fsync(file.fileno())
            with explained(path, "write"):
                os.replace(temporary, target)
                if flush:
                    sync_folder(os.path.dirname(target))
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        return
    descriptor, temporary = tempfile.mkstemp(prefix="augury-upload-")
    try:
        with explained(temporary, "write", body=True), _wrap(descriptor, mode) as file:
            yield file
        with explained(path, "write", remote=True):
            fs.put_file(temporary, target)
    finally:
        os.unlink(temporary)


def atomic_write(path: StoragePath, content: bytes | str, flush: bool = True) -> None:
    """Writes ``content`` (text as UTF-8) to ``path``: whole or not at all; ``flush`` as for ``open_atomic``.

    Raises:
        StorageError: as for ``open_atomic``.
    """
    with open_atomic(path, flush=flush) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def write_folder_atomic(path: StoragePath, overwrite: bool = False) -> Iterator[Path]:
    """Yields an empty local folder to fill; it appears as ``path``, whole, when the block ends without an error.

    The folder is filled beside its final place, flushed to the disk and renamed. Any error, KeyboardInterrupt
    included, removes it and leaves what was there before.

    An object store cannot rename a folder: it gets the files one by one when the block has ended, what is in folders
    first and what is called ``..._card.json`` last, without which no reader takes the folder for complete.

    Args:
        path: a local folder, whose missing parents are made, or a remote one.
        overwrite: replace a folder that exists. Otherwise one that exists and is not empty is refused before any work.

    Raises:
        StorageError: ``path`` exists, or cannot be written.
    """
    fs, target = _contact(path, "write")
    if not isinstance(fs, LocalFileSystem):
        if not overwrite and list_files(path):
            raise _explain(path, "write", FileExistsError(errno.EEXIST, "exists"))
        with tempfile.TemporaryDirectory(prefix="augury-upload-") as folder:
            yield Path(folder)
            with explained(path, "write", remote=True):
                _upload(Path(folder), fs, target.rstrip("/"))
        return
    with explained(path, "write"):
        if os.path.exists(target) and not os.path.isdir(target):
            raise NotADirectoryError(errno.EEXIST, "is a file")
        if os.path.isdir(target) and os.listdir(target) and not overwrite:
            raise FileExistsError(errno.EEXIST, "exists")
        os.makedirs(os.path.dirname(target), exist_ok=True)
        staged = Path(temporary_name(target))
        staged.mkdir()
    try:
        with explained(path, "write", body=True):
            yield staged
        with explained(path, "write"):
            sync_tree(staged)
            swap_folder(staged, target, overwrite)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise


def local_folder(path: StoragePath) -> Path:
    """Returns a local folder as it was named, and of a remote one a copy, which is kept until this process ends.

    Raises:
        StorageError: a remote folder is not there, is empty or cannot be read.
    """
    fs, target = _contact(path, "read")
    if isinstance(fs, LocalFileSystem):
        return Path(target) if "://" in os.fspath(path) else Path(path).expanduser()
    found = list_files(path)
    if not found:
        raise _explain(path, "read", FileNotFoundError(errno.ENOENT, "is not there"))
    copy = Path(tempfile.mkdtemp(prefix="augury-copy-"))
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    prefix = f"{fs.unstrip_protocol(target).rstrip('/')}/"
    with explained(path, "read", remote=True):
        for name in found:
            inside = copy / name.removeprefix(prefix)
            if not inside.resolve().is_relative_to(copy.resolve()):
                raise StorageError(f"cannot read {name}: its name leads out of its folder; rename it")
            inside.parent.mkdir(parents=True, exist_ok=True)
            fs.get_file(name, str(inside))
    return copy


def check_replaceable(path: StoragePath, marker: str) -> None:
    """Checks that replacing the folder ``path`` loses nothing but an earlier output of the same kind.

    Args:
        path: a folder; it need not exist.
        marker: name of the file that every such output holds.

    Raises:
        StorageError: the folder holds something, but no ``marker``.
    """
    fs, folder = _contact(path, "read")
    local = isinstance(fs, LocalFileSystem)
    with explained(path, "read", remote=not local):
        if fs.isdir(folder) and fs.ls(folder, detail=False) and not fs.exists(f"{folder.rstrip('/')}/{marker}"):
            raise StorageError(
                f"cannot overwrite {os.fspath(path)}: it holds no {marker}, so it is something else than an earlier "
                "output; choose another path or remove it yourself"
            )


def read_bytes(path: StoragePath) -> bytes:
    """Returns the content of the file ``path``.

    Raises:
        StorageError: it is missing, a folder or unreadable; one line naming ``path``.
    """
    fs, target = _contact(path, "read")
    with explained(path, "read", remote=not isinstance(fs, LocalFileSystem)):
        return cast(bytes, fs.cat_file(target))


def read_text(path: StoragePath) -> str:
    """Returns the content of the UTF-8 text file ``path``.

    Raises:
        StorageError: as for ``read_bytes``, or it is not UTF-8.
    """
    try:
        return read_bytes(path).decode()
    except UnicodeDecodeError as e:
        raise StorageError(f"cannot read {os.fspath(path)}: byte {e.start} is not UTF-8; save the file as UTF-8") from e


def exists(path: StoragePath) -> bool:
    """Says whether ``path`` is a file or a folder.

    Raises:
        StorageError: the storage could not be reached or asked.
    """
    fs, target = _contact(path, "read")
    with explained(path, "read", remote=not isinstance(fs, LocalFileSystem)):
        fs.invalidate_cache()
        return bool(fs.exists(target))


def list_files(pattern: StoragePath) -> list[str]:
    """Returns the files that ``pattern`` names, sorted, as paths that can be given back to this module.

    A folder stands for every file below it; a name that exists is taken literally before it is read as a glob
    (``*``, ``?``, ``[...]``, ``**``). Files and folders whose name begins with ``.`` are left out unless named, so that
    no unfinished file is ever listed. Nothing found: an empty list.

    Raises:
        StorageError: the storage could not be listed.
    """
    fs, target = _contact(pattern, "read")
    with explained(pattern, "read", remote=not isinstance(fs, LocalFileSystem)):
        fs.invalidate_cache()
        if fs.isfile(target):
            found = [target]
        elif fs.isdir(target):
            prefix = len(target.rstrip("/")) + 1
            found = [name for name in fs.find(target) if not _hidden(name[prefix:])]
        else:
            found = [name for name in fs.glob(target) if fs.isfile(name)]
            found = [name for name in found if not _hidden(os.path.basename(name))]
    return sorted(found if isinstance(fs, LocalFileSystem) else [str(fs.unstrip_protocol(name)) for name in found])


def _upload(folder: Path, fs: fsspec.AbstractFileSystem, target: str) -> None:
    """Replaces a remote folder by a local one, cards last."""
    if fs.exists(target):
        fs.rm(target, recursive=True)
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    names.sort(key=lambda name: (name.endswith("_card.json"), -name.count("/"), name))
    for name in names:
        fs.put_file(str(folder / name), f"{target}/{name}")


def temporary_name(target: str) -> str:
    """Returns a hidden name, never given twice, in the folder of ``target``."""
    folder, name = os.path.split(target.rstrip("/"))
    return os.path.join(folder, f".{name[:200]}.{os.getpid()}-{secrets.token_hex(4)}.tmp")


def sync_folder(folder: StoragePath) -> None:
    """Flushes the entries of a local folder to the disk, so that a rename survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as e:
        # Some network file systems cannot flush a folder; the rename itself was still atomic.
        if e.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def sync_tree(folder: StoragePath) -> None:
    """Flushes every file and folder below the local ``folder`` to the disk."""
    for parent, _, names in os.walk(folder):
        for name in names:
            descriptor = os.open(os.path.join(parent, name), os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_folder(parent)


def swap_folder(staged: StoragePath, target: str, overwrite: bool) -> None:
    """Renames a local folder to its final name, in place of one that is there if ``overwrite``."""
    if overwrite and os.path.isdir(target):
        old = temporary_name(target)
        os.rename(target, old)
        try:
            os.rename(staged, target)
        except BaseException:
            os.rename(old, target)
            raise
        shutil.rmtree(old, ignore_errors=True)
    else:
        os.rename(staged, target)
    sync_folder(os.path.dirname(target))


@contextmanager
def explained(path: StoragePath, verb: str, body: bool = False, remote: bool = False) -> Iterator[None]:
    """Turns errors of the storage raised in the block into a ``StorageError`` about ``path``.

    Args:
        path: what the block reads or writes.
        verb: ``"read"`` or ``"write"``.
        body: the block is a caller's own; an OSError that names a file of its own is then not about ``path``,
            unless the disk is full.
        remote: any exception counts, because clients of object stores raise their own kinds.

    Raises:
        StorageError: instead of the OSError.
    """
    try:
        yield
    except StorageError:
        raise
    except OSError as e:
        if body and e.errno not in _FULL and (e.filename is not None or e.errno is None):
            raise
        raise _explain(path, verb, e) from e
    except Exception as e:
        if not remote:
            raise
        raise _explain(path, verb, e) from e


def _explain(path: StoragePath, verb: str, error: Exception) -> StorageError:
    code = getattr(error, "errno", None) or next((c for kind, c in _KINDS.items() if isinstance(error, kind)), None)
    reason = str(error) if isinstance(error, UnreachableError) else _REMEDIES.get(code) if code is not None else None
    if reason is None:
        text = str(getattr(error, "strerror", None) or error or type(error).__name__)
        reason = f"{' '.join(text.split())}; check the path and your access to it"
    found = StorageError(f"cannot {verb} {os.fspath(path)}: {reason}")
    found.errno = code
    return found


def _wrap(descriptor: int, mode: str) -> IO[Any]:
    return os.fdopen(descriptor, mode) if mode == "wb" else os.fdopen(descriptor, mode, encoding="utf-8", newline="\n")


def _hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))
