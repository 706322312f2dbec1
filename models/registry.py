"""The registry: immutable versions of models on a local disk or ``gs://``, and which of them is the champion.

``<root>/<family>/<name>/<version>/`` holds a version and its ``MANIFEST.json``, written last: without it there is no
version. Beside the versions ``champion.json`` points at the one to serve and is replaced by compare-and-swap, and
``history.jsonl``, to which lines are only ever added, says who changed what, when and why.
"""

import getpass
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from features.storage import StoragePath
from models.gates import GateResult, read_metrics
from models.ledger import Champion, ConflictError, Ledger
from models.manifest import IntegrityError
from models.versions import RegistryError, VersionStore

__all__ = [
    "Champion",
    "Check",
    "ConflictError",
    "Difference",
    "IntegrityError",
    "RefusedError",
    "Registry",
    "RegistryError",
]

Check = Callable[[Path, Path | None], Sequence[GateResult]]
"""The gates: (candidate's folder, champion's or None) -> what each gate said; see ``models.gates.Gates.check``."""


class RefusedError(RegistryError):
    """A version that did not pass its gates; ``results`` is what each gate said."""

    def __init__(self, message: str, results: Sequence[GateResult]) -> None:
        super().__init__(message)
        self.results = tuple(results)


class Difference(NamedTuple):
    """One metric of two versions; None where a version has none."""

    metric: str
    first: float | None
    second: float | None


class Registry(VersionStore):
    """Versions and champions of models under one root.

    Args:
        root: a local folder or a ``gs://`` URL; it need not exist yet.
        cache: local folder for copies of remote versions; by default the user's cache folder.
        now_us: the clock, microseconds UTC.
    """

    def publish(self, folder: StoragePath, family: str, name: str, by: str | None = None) -> str:
        """Copies a finished folder into the registry as a new version, which appears whole or not at all.

        Publishing the same content again gives the version that is there already.

        Args:
            folder: local or remote, holds at least ``model_card.json``; a manifest in it is ignored.
            family: e.g. ``behavior``.
            name: of the model.
            by: who publishes; by default the user.

        Returns:
            The version: time and content, e.g. ``20260301T120000Z-0f3a5b7c9d1e2f40``. Versions sort by time.

        Raises:
            IntegrityError: a link, a hidden file, or a file whose reader could run code.
            RegistryError: no card, or an impossible family or name.
            StorageError: the folder cannot be read or the registry not written.
        """
        manifest = self.store(folder, family, name)
        version = manifest.version
        line = {"action": "publish", "version": version, "digest": manifest.digest, "at_us": manifest.created_at_us}
        self.ledger(family, name).log({**line, "by": by or user()}, "action", "version")
        return version

    def champion(self, family: str, name: str) -> Champion | None:
        """Returns the champion, or None while there is none.

        Raises:
            IntegrityError: ``champion.json`` is not what the registry wrote.
        """
        return self.ledger(family, name).read().champion

    def promote(
        self, family: str, name: str, version: str, gates: Check, reason: str = "", by: str | None = None
    ) -> Champion:
        """Makes a version the champion if it passes every gate; a version that is champion already stays it.

        Args:
            family: of the model.
            name: of the model.
            version: the candidate.
            gates: judges it against the present champion; ``models.gates.Gates(...).check``.
            reason: why, for the history.
            by: who promotes; by default the user.

        Raises:
            RefusedError: it does not pass; the history says so, the champion stays.
            ConflictError: somebody else changed the champion while the gates were tried; the champion is theirs.
            RegistryError: there is no such version.
            IntegrityError: the files of either version are not what was published.
        """
        ledger = self.ledger(family, name)
        reign = ledger.read()
        current = reign.champion
        if current is not None and version in current.retired:
            raise RegistryError(f"{version} is being removed from the registry; publish it again, or promote another")
        candidate = self.open_version(family, name, version)
        if current is not None and current.version == version:
            return current
        digest = self.manifest(family, name, version).digest
        champion = None if current is None else self.present(family, name, current.version)
        results = gates(candidate, None if champion is None else self.open_version(family, name, champion))
        change = Champion(
            version=version,
            digest=digest,
            generation=1 if current is None else current.generation + 1,
            at_us=self.now_us(),
            by=by or user(),
            action="promote",
            reason=reason,
            replaced=None if current is None else current.version,
            predecessors=() if current is None else (current.version, *current.predecessors),
            gates=tuple(result.to_dict() for result in results),
            **({} if current is None else _kept(current)),
        )
        failed = [result for result in results if not result.passed]
        if failed or not results:
            ledger.refuse(change)
            why = "; ".join(f"{result.name}: {result.detail}" for result in failed) or "no gate was tried"
            raise RefusedError(f"{version} is not promoted: {why}", results)
        return ledger.change(reign, change)

    def rollback(
        self, family: str, name: str, reason: str = "", by: str | None = None, expected: str | None = None
    ) -> Champion:
        """Makes the champion's predecessor champion again; gates are not tried, its files are verified.

        Args:
            family: of the model.
            name: of the model.
            reason: why, for the history.
            by: who rolls back; by default the user.
            expected: the version that is to go; None for whichever is champion.

        Raises:
            RegistryError: there is no champion, or it has no predecessor.
            ConflictError: somebody else changed the champion in the meantime.
            IntegrityError: the predecessor's files are not what was published.
        """
        ledger = self.ledger(family, name)
        reign = ledger.read()
        current = reign.champion
        if current is None or not current.predecessors:
            what = "no champion" if current is None else f"{current.version}, its first champion"
            raise RegistryError(f"{family}/{name} has {what}, so there is nothing to roll back to; promote a version")
        if expected is not None and current.version != expected:
            raise ConflictError(f"{current.version} is champion of {family}/{name} and no longer {expected}; try again")
        predecessor, *rest = current.predecessors
        version = self.present(family, name, predecessor)
        self.open_version(family, name, version)
        change = Champion(
            version=version,
            digest=self.manifest(family, name, version).digest,
            generation=current.generation + 1,
            at_us=self.now_us(),
            by=by or user(),
            action="rollback",
            reason=reason,
            replaced=current.version,
            predecessors=tuple(rest),
            **_kept(current),
        )
        return ledger.change(reign, change)

    def present(self, family: str, name: str, version: str) -> str:
        """Returns ``version``, or the one with its content where it was removed and published again."""
        versions = self.versions(family, name)
        content = version.rpartition("-")[2]
        again = [other for other in versions if other.endswith(f"-{content}")]
        return again[-1] if again and version not in versions else version

    def resolve(self, family: str, name: str, word: str) -> str:
        """Returns the version that a word stands for.

        Args:
            family: e.g. ``behavior``.
            name: of the model.
            word: ``champion``, ``latest``, a version, or the beginning of one.

        Raises:
            RegistryError: it stands for none, or for several.
        """
        versions = self.versions(family, name)
        champion = self.champion(family, name) if word == "champion" else None
        if word == "champion" and not versions and champion is None:
            known = ", ".join(f"{family}/{each}" for each in self.names(family)) or f"no model of {family}"
            raise RegistryError(f"there is no {family}/{name} in this registry; it has {known}")
        if word == "champion" and champion is None:
            raise RegistryError(f"{family}/{name} has no champion yet; promote a version, or name the versions")
        if word == "latest" and not versions:
            raise RegistryError(f"there is no version of {family}/{name} in this registry; publish one")
        beginning = [version for version in versions if word and version.startswith(word)]
        found = [champion.version] if champion else versions[-1:] if word == "latest" else beginning
        if len(found) == 1:
            return found[0]
        what = "is the beginning of several versions" if found else "is no version"
        raise RegistryError(
            f"{word!r} {what} of {family}/{name}; expected one of {', '.join(found or versions) or 'none'}"
        )

    def compare(self, family: str, name: str, first: str, second: str) -> list[Difference]:
        """Returns the metrics of two versions side by side, as their model cards give them, sorted by name.

        Raises:
            RegistryError: there is no such version.
            GateError: a version has no metrics.
        """
        a, b = (read_metrics(self.open_version(family, name, version)) for version in (first, second))
        return [Difference(metric, a.get(metric), b.get(metric)) for metric in sorted(a.keys() | b.keys())]

    def history(self, family: str, name: str) -> list[dict[str, Any]]:
        """Returns every publication, promotion, refusal and rollback, oldest first."""
        return self.ledger(family, name).history()

    def ledger(self, family: str, name: str) -> Ledger:
        """Returns who is champion, and the history."""
        return Ledger(self.base(family, name))


def _kept(champion: Champion) -> dict[str, Any]:
    return {"pinned": champion.pinned, "retired": champion.retired, "tended": champion.tended}


def user() -> str:
    """Returns who the system says is at work."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
