"""The versions of a registry: published whole or not at all, found, and opened only after every byte was verified."""

import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from features.errors import AuguryError
from features.storage import (
    StoragePath,
    atomic_write,
    exists,
    explained,
    is_local,
    local_folder,
    open_filesystem,
    read_bytes,
    sync_folder,
    sync_tree,
)
from models.manifest import (
    DIGEST_LETTERS,
    MANIFEST_NAME,
    FileRecord,
    IntegrityError,
    Manifest,
    check_path,
    copy_hashed,
    digest_of,
    verify,
    walk_files,
)
from models.pointer import locked

VERSION_FORM = re.compile(rf"[0-9]{{8}}T[0-9]{{6}}Z-[0-9a-f]{{{DIGEST_LETTERS}}}")
"""Time of publication (UTC) and first letters of the content's digest."""

NAME_FORM = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
"""A family, or a model."""

NAMES_ARE = "up to 64 of a-z, 0-9, _ and -, a letter or digit first"

_CARD = "model_card.json"
_NO_MODELS = {"recognizer": "`augury train creative --recognizer {folder} ...` makes a model with it; publish that"}
"""What a card says of an artifact that is only a part of models -> what to do with it."""

_LOCK = ".publish.lock"


class RegistryError(AuguryError, ValueError):
    """Something that is not in the registry, or cannot be done to it."""


class UnknownModelError(RegistryError):
    """There is no such model or version, or none can have that name."""


class VersionStore:
    """Versions of models under one root. It keeps nothing in memory: several processes may use one root at once.

    Args:
        root: a local folder or a ``gs://`` URL; it need not exist yet.
        cache: local folder for copies of remote versions; by default the user's cache folder.
        now_us: the clock, microseconds UTC.
    """

    def __init__(
        self,
        root: StoragePath,
        cache: StoragePath | None = None,
        now_us: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._root = os.fspath(root).rstrip("/")
        self._local = is_local(root)
        if self._local:
            self._root = open_filesystem(root)[1].rstrip("/")
        self._cache = Path(cache) if cache is not None else _default_cache(self._root)
        self.now_us = now_us

    def store(self, folder: StoragePath, family: str, name: str) -> Manifest:
        """Copies a finished folder, which may be remote, in as a new version, or finds that of the same content.

        Raises:
            IntegrityError: a link, a hidden file, or a file whose reader could run code; or the version that has the
                same content was damaged since.
            RegistryError: no ``model_card.json``, one of another family or of no whole model, or an impossible family
                or name.
            StorageError: the folder cannot be read or the registry not written.
        """
        base = self.base(family, name)
        source = local_folder(folder)
        _check_card(source, family, name)
        with self._publishing(base) as staged:
            files = _stage(source, staged)
            digest = digest_of(files)
            for version in self.versions(family, name):
                if version.endswith(digest[:DIGEST_LETTERS]):
                    self.open_version(family, name, version)
                    return self.manifest(family, name, version)
            now = self.now_us()
            moment = datetime.fromtimestamp(now // 1_000_000, UTC)
            version = f"{moment:%Y%m%dT%H%M%SZ}-{digest[:DIGEST_LETTERS]}"
            manifest = Manifest(family, name, version, now, files)
            self._appear(staged, f"{base}/{version}", manifest)
        return manifest

    def versions(self, family: str, name: str) -> list[str]:
        """Returns the published versions, oldest first."""
        fs, base = open_filesystem(self.base(family, name))
        with explained(base, "read", remote=not self._local):
            fs.invalidate_cache()
            found = [
                os.path.basename(path.rstrip("/")) for path in (fs.ls(base, detail=False) if fs.isdir(base) else ())
            ]
            versions = [v for v in sorted(found) if VERSION_FORM.fullmatch(v)]
            return [v for v in versions if fs.exists(f"{base}/{v}/{MANIFEST_NAME}")]

    def names(self, family: str) -> list[str]:
        """Returns the names of the models of a family, sorted; folders that can be none are left out."""
        fs, root = open_filesystem(f"{self._root}/{family}")
        with explained(root, "read", remote=not self._local):
            fs.invalidate_cache()
            found = fs.ls(root, detail=False) if fs.isdir(root) else ()
            if self._local:  # all that a publication which failed leaves behind is its lock
                found = [path for path in found if os.path.isdir(path) and set(os.listdir(path)) - {_LOCK}]
            names = [os.path.basename(path.rstrip("/")) for path in found]
            return sorted(name for name in names if NAME_FORM.fullmatch(name))

    def manifest(self, family: str, name: str, version: str) -> Manifest:
        """Returns what a version consists of, without looking at its files.

        Raises:
            UnknownModelError: there is no such version.
            IntegrityError: its manifest was changed.
        """
        base = self.base(family, name)
        path = f"{base}/{version}/{MANIFEST_NAME}"
        if not VERSION_FORM.fullmatch(version) or not exists(path):
            known = self.versions(family, name)
            raise UnknownModelError(
                f"{family}/{name} has no version {version!r} in {self._root}; it has {', '.join(known[-5:]) or 'none'}"
            )
        found = Manifest.from_json(read_bytes(path), path)
        if (found.family, found.name, found.version) != (family, name, version):
            raise IntegrityError(f"{path} is the manifest of another version; restore it from a copy")
        return found

    def open_version(self, family: str, name: str, version: str) -> Path:
        """Returns a local folder that holds exactly what was published, every byte of it just verified.

        Raises:
            RegistryError: there is no such version.
            IntegrityError: a file is missing, too many or changed.
        """
        manifest = self.manifest(family, name, version)
        source = f"{self.base(family, name)}/{version}"
        if self._local:
            verify(Path(source), manifest)
            return Path(source)
        return self._fetch(source, self._cache / family / name / version, manifest)

    def read_file(self, manifest: Manifest, file: str) -> bytes:
        """Returns one of the files of a version, verified, without fetching the others.

        Raises:
            IntegrityError: the file was changed.
        """
        path = f"{self.base(manifest.family, manifest.name)}/{manifest.version}/{file}"
        content = read_bytes(path)
        if hashlib.sha256(content).hexdigest() != manifest.files[file].sha256:
            raise IntegrityError(f"{path} is not what was published; restore it from a copy, or publish again")
        return content

    def remove(self, family: str, name: str, version: str) -> None:
        """Removes a version, which disappears at once, and what earlier removals may have left of others.

        Whether it may go is not asked here: ``models.retention`` does.

        Raises:
            StorageError: it cannot be removed.
        """
        base = self.base(family, name)
        if not VERSION_FORM.fullmatch(version):
            raise RegistryError(f"{version!r} is no version; expected one that `augury history` shows")
        shutil.rmtree(self._cache / family / name / version, ignore_errors=True)
        if self._local:
            with locked(f"{base}/.publish.lock"), explained(base, "write"):
                with suppress(FileNotFoundError):
                    os.rename(f"{base}/{version}", f"{base}/.removed-{version}")
                for left in Path(base).glob(".removed-*"):
                    shutil.rmtree(left)
            return
        fs, path = open_filesystem(f"{base}/{version}")
        with explained(path, "write", remote=True):
            fs.invalidate_cache()
            with suppress(FileNotFoundError):
                fs.rm_file(f"{path}/{MANIFEST_NAME}")  # without it there is no version
            with suppress(FileNotFoundError):
                fs.rm(path, recursive=True)

    def base(self, family: str, name: str) -> str:
        """Returns where the versions of a model are.

        Raises:
            UnknownModelError: an impossible family or name.
        """
        for what, value in (("family", family), ("model", name)):
            if not NAME_FORM.fullmatch(value):
                raise UnknownModelError(f"{value!r} is no name of a {what}; expected {NAMES_ARE}")
        return f"{self._root}/{family}/{name}"

    @contextmanager
    def _publishing(self, base: str) -> Iterator[Path]:
        """Yields an empty folder; in a local registry it is beside the versions, and nobody else publishes."""
        if not self._local:
            with tempfile.TemporaryDirectory(prefix="augury-publish-") as folder:
                yield Path(folder)
            return
        with locked(f"{base}/{_LOCK}"):
            for left in Path(base).glob(".staged-*"):  # of a process that was killed: a living one would hold the lock
                shutil.rmtree(left, ignore_errors=True)
            with explained(base, "write"):
                staged = Path(tempfile.mkdtemp(prefix=".staged-", dir=base))
                staged.chmod(0o755)
            try:
                yield staged
            finally:
                shutil.rmtree(staged, ignore_errors=True)

    def _appear(self, staged: Path, target: str, manifest: Manifest) -> None:
        if self._local:
            atomic_write(staged / MANIFEST_NAME, manifest.to_json())
            with explained(target, "write"):
                sync_tree(staged)
                os.rename(staged, target)
                sync_folder(os.path.dirname(target))
            return
        fs, path = open_filesystem(target)
        with explained(target, "write", remote=True):
            for name in manifest.files:
                fs.put_file(str(staged / name), f"{path}/{name}")
            # The manifest makes the version. Another process may have published the same in the same second.
            with suppress(FileExistsError):
                fs.pipe_file(f"{path}/{MANIFEST_NAME}", manifest.to_json().encode(), mode="create")

    def _fetch(self, source: str, folder: Path, manifest: Manifest) -> Path:
        if folder.is_dir():
            try:
                verify(folder, manifest)
                return folder
            except IntegrityError:
                shutil.rmtree(folder)
        fs, path = open_filesystem(source)
        with explained(folder, "write"):
            folder.parent.mkdir(parents=True, exist_ok=True)
            staged = Path(tempfile.mkdtemp(prefix=".fetched-", dir=folder.parent))
        try:
            with explained(source, "read", remote=True):
                fs.invalidate_cache()
                for found in fs.find(path):
                    name = found[len(path) + 1 :]
                    check_path(name, source)
                    (staged / name).parent.mkdir(parents=True, exist_ok=True)
                    fs.get_file(found, str(staged / name))
            verify(staged, manifest)
            with suppress(OSError):  # another process fetched the same version first
                os.rename(staged, folder)
            verify(folder, manifest)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        return folder


def _check_card(folder: Path, family: str, name: str) -> None:
    """Refuses what would be published under a family that cannot serve it."""
    if not folder.is_dir():
        raise RegistryError(f"{folder} is no folder, so it cannot be published; name a trained model's folder")
    try:
        card = json.loads(read_bytes(folder / _CARD)) if (folder / _CARD).is_file() else {}
    except ValueError as e:
        raise RegistryError(f"{folder / _CARD} is not JSON ({e}); train again") from e
    if not isinstance(card, dict):
        raise RegistryError(f"{folder} holds no readable card: {_CARD} is no JSON object; train again")
    own = card.get("family", family)
    if own != family:
        raise RegistryError(f"{folder} is a model of {own}, not of {family}; publish it as {own}/{name}")
    if card.get("part") in _NO_MODELS:
        remedy = _NO_MODELS[card["part"]].format(folder=folder)
        raise RegistryError(f"{folder} is a {card['part']}, which answers nothing by itself; {remedy}")


def _stage(folder: Path, staged: Path) -> dict[str, FileRecord]:
    files = {}
    for name in walk_files(folder):
        if name == MANIFEST_NAME:
            continue
        check_path(name, str(folder))
        with explained(folder / name, "read"), open(folder / name, "rb") as source:
            target = staged / name
            with explained(target, "write", body=True):
                target.parent.mkdir(parents=True, exist_ok=True)
                with open(target, "xb") as copy:
                    files[name] = copy_hashed(source, copy)
                target.chmod(0o444)
    if _CARD not in files:
        raise RegistryError(f"{folder} holds no {_CARD}, so it cannot be published; name a trained model's folder")
    return files


def _default_cache(root: str) -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(home) / "augury" / "registry" / hashlib.sha256(root.encode()).hexdigest()[:16]
