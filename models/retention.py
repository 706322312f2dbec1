"""What a registry keeps of a model's versions: the champion, its predecessor, what is pinned, and the newest.

Pins and removals are written into ``champion.json``, where a change of champion is written too. Each is a
compare-and-swap, so one of two that meet is told so: a version cannot be promoted, pinned or rolled back to while it is
removed. Versions are marked as retired before the first file goes; a removal that was killed is finished by the next.
"""

from models.ledger import Champion, ConflictError, Reign
from models.registry import Registry, user
from models.versions import RegistryError

NEWEST = 10


class Retention:
    """Keeps and removes the versions of one model.

    Args:
        registry: that they are in.
        family: of the model.
        name: of the model.
    """

    def __init__(self, registry: Registry, family: str, name: str) -> None:
        self._registry, self._model = registry, (family, name)
        self._ledger = registry.ledger(family, name)

    def pin(self, version: str, reason: str = "", by: str | None = None) -> None:
        """Has a version never removed; to pin one again changes nothing.

        Raises:
            RegistryError: there is no such version, or no champion yet.
            ConflictError: the champion changed in the meantime.
        """
        self._registry.manifest(*self._model, version)
        reign, champion = self._read()
        if version in champion.retired:
            raise RegistryError(f"{version} is being removed from the registry and cannot be pinned; publish it again")
        if version not in champion.pinned:
            self._ledger.tend(reign, (*champion.pinned, version), champion.retired)
            self._log("pin", version, reason, by)

    def unpin(self, version: str, reason: str = "", by: str | None = None) -> None:
        """Takes a pin away.

        Raises:
            RegistryError: it is not pinned.
            ConflictError: the champion changed in the meantime.
        """
        reign, champion = self._read()
        if version not in champion.pinned:
            pinned = ", ".join(champion.pinned) or "none"
            raise RegistryError(f"{version!r} of {'/'.join(self._model)} is not pinned; pinned: {pinned}")
        self._ledger.tend(reign, [other for other in champion.pinned if other != version], champion.retired)
        self._log("unpin", version, reason, by)

    def reasons(self, newest: int = NEWEST) -> dict[str, str]:
        """Returns why each version stays, oldest first: champion, predecessor, pinned, new; "" where it need not.

        Args:
            newest: how many of the last published stay, whatever else.

        Raises:
            RegistryError: there is no champion yet, or ``newest`` is negative.
        """
        return self._reasons(self._read()[1], newest)

    def prune(self, newest: int = NEWEST, reason: str = "", by: str | None = None) -> list[str]:
        """Removes the versions that need not stay, and returns them.

        Raises:
            RegistryError: as for ``reasons``.
            ConflictError: the champion changed in the meantime, before anything was removed.
            StorageError: a version cannot be removed; trying again goes on.
        """
        reign, champion = self._read()
        going = {version for version, why in self._reasons(champion, newest).items() if not why}
        unfinished = set(champion.retired)
        if not going | unfinished:
            return []
        self._ledger.tend(reign, champion.pinned, going | unfinished)
        for version in sorted(going | unfinished):
            self._registry.remove(*self._model, version)
            self._log("remove", version, reason, by)
        self._finish(going | unfinished)
        return sorted(going | unfinished)

    def _reasons(self, champion: Champion, newest: int) -> dict[str, str]:
        if newest < 0:
            raise RegistryError(f"cannot keep the newest {newest} versions; expected 0 or more")
        versions = self._registry.versions(*self._model)
        predecessor = [self._registry.present(*self._model, version) for version in champion.predecessors[:1]]
        found = dict.fromkeys(versions, "")
        for why, some in (
            ("new", versions[len(versions) - min(newest, len(versions)) :]),
            ("pinned", champion.pinned),
            ("predecessor", predecessor),
            ("champion", [champion.version]),
        ):
            found.update((version, why) for version in some if version in found)
        return found

    def _finish(self, gone: set[str]) -> None:
        """Forgets what was retired, under whoever is champion by now."""
        while True:
            reign, champion = self._read()
            try:
                self._ledger.tend(reign, champion.pinned, [v for v in champion.retired if v not in gone])
                return
            except ConflictError:
                continue

    def _read(self) -> tuple[Reign, Champion]:
        reign = self._ledger.read()
        if reign.champion is None:
            raise RegistryError(
                f"{'/'.join(self._model)} has no champion yet, so nothing is pinned or removed; promote a version"
            )
        return reign, reign.champion

    def _log(self, action: str, version: str, reason: str, by: str | None) -> None:
        line = {
            "action": action,
            "version": version,
            "at_us": self._registry.now_us(),
            "by": by or user(),
            "reason": reason,
        }
        self._ledger.log(line)
