"""Who is champion and how it came about: ``champion.json``, replaced by compare-and-swap, and ``history.jsonl``."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

from models.manifest import IntegrityError
from models.pointer import Held, open_pointer
from models.versions import VERSION_FORM, RegistryError

_CHAMPION = "champion.json"
_HISTORY = "history.jsonl"
_LINE = {"action", "version", "at_us", "by"}


class ConflictError(RegistryError):
    """Somebody else changed the champion in the meantime; nothing was changed."""


@dataclass(frozen=True)
class Champion:
    """The content of ``champion.json``.

    Attributes:
        version: to serve.
        digest: of its files.
        generation: how often the champion has changed, 1 for the first.
        at_us: when it changed last.
        by: who changed it.
        action: ``promote`` or ``rollback``.
        reason: why, in the words of who did it.
        replaced: the version that it replaced; None for the first.
        predecessors: the versions to roll back to, the last one first in line.
        gates: what each gate said (none are tried for a rollback).
        pinned: versions that are never removed.
        retired: versions that are being removed, which nobody may promote any more.
        tended: how often the last two have changed.
    """

    version: str
    digest: str
    generation: int
    at_us: int
    by: str
    action: str
    reason: str
    replaced: str | None
    predecessors: tuple[str, ...]
    gates: tuple[dict[str, Any], ...] = ()
    pinned: tuple[str, ...] = ()
    retired: tuple[str, ...] = ()
    tended: int = 0


class Reign(NamedTuple):
    """The champion as it was read (None: there is none yet), and what to compare with when it is replaced."""

    champion: Champion | None
    held: Held


class Ledger:
    """The champion and the history of one model.

    Args:
        base: folder of the model, local or ``gs://``.
    """

    def __init__(self, base: str) -> None:
        self._base = base
        self._champion = open_pointer(f"{base}/{_CHAMPION}")
        self._history = open_pointer(f"{base}/{_HISTORY}")

    def read(self) -> Reign:
        """Returns the champion as it is now.

        Raises:
            IntegrityError: ``champion.json`` is not what the registry wrote.
        """
        held = self._champion.read()
        return Reign(_parse_champion(held.content, f"{self._base}/{_CHAMPION}"), held)

    def change(self, reign: Reign, change: Champion) -> Champion:
        """Replaces the champion that was read, and writes it down.

        Raises:
            ConflictError: it is not the champion any more.
        """
        if reign.champion is not None:
            # The line of the change before this one may still be on its way; it comes first.
            self.log(_line(reign.champion), "generation")
        if not self._champion.swap(reign.held, _bytes(change)):
            winner = self.read().champion
            now = "gone" if winner is None else f"{winner.version} ({winner.action} by {winner.by})"
            raise ConflictError(
                f"the champion is now {now}, so the {change.action} to {change.version} changed nothing; "
                "compare the two and try again"
            )
        self.log(_line(change), "generation")
        return change

    def tend(self, reign: Reign, pinned: Iterable[str], retired: Iterable[str]) -> Reign:
        """Says anew which versions are kept and which removed, under the champion that was read.

        Raises:
            ConflictError: something has changed since it was read.
        """
        if reign.champion is None:
            raise ValueError("there is no champion to be read")
        kept = replace(
            reign.champion,
            pinned=tuple(sorted(pinned)),
            retired=tuple(sorted(retired)),
            tended=reign.champion.tended + 1,
        )
        if not self._champion.swap(reign.held, _bytes(kept)):
            raise ConflictError("the champion, or what is pinned, was changed in the meantime; try again")
        return self.read()

    def refuse(self, change: Champion) -> None:
        """Writes down a change that the gates did not let through."""
        self.log({**_line(change), "action": "refuse", "generation": None})

    def log(self, line: dict[str, Any], *key: str) -> None:
        """Adds a line to the history, unless one with the same values under all of ``key`` is there."""
        text = json.dumps(line, separators=(",", ":")).encode() + b"\n"
        while True:
            held = self._history.read()
            lines = _parse_history(held.content, f"{self._base}/{_HISTORY}")
            if key and any(all(other.get(k) == line[k] for k in key) for other in lines):
                return
            if self._history.swap(held, (held.content or b"") + text):
                return

    def history(self) -> list[dict[str, Any]]:
        """Returns every line of the history, oldest first."""
        champion = self.read().champion
        lines = _parse_history(self._history.read().content, f"{self._base}/{_HISTORY}")
        # A process killed between changing the champion and writing the line: the pointer itself still knows.
        if champion is not None and all(line.get("generation") != champion.generation for line in lines):
            lines.append(_line(champion))
        return lines


def _line(champion: Champion) -> dict[str, Any]:
    """Returns a champion as a line of the history, which is about the championship alone."""
    return {name: value for name, value in _told(champion).items() if name not in ("pinned", "retired", "tended")}


def _bytes(champion: Champion) -> bytes:
    return (json.dumps(_told(champion), indent=1) + "\n").encode()


def _told(champion: Champion) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(champion).items()}


def _parse_champion(content: bytes | None, where: str) -> Champion | None:
    if content is None:
        return None
    try:
        told = json.loads(content)
        told = {"pinned": (), "retired": (), **told}
        lists = {name: tuple(told[name]) for name in ("predecessors", "gates", "pinned", "retired")}
        found = Champion(**{**told, **lists})
        named = (found.version, *found.predecessors, *found.pinned, *found.retired)
        if not all(VERSION_FORM.fullmatch(version) for version in named):
            raise ValueError("it names an impossible version")
    except (ValueError, KeyError, TypeError) as e:
        raise IntegrityError(f"{where} is not what the registry wrote ({e}); restore it from {_HISTORY}") from e
    return found


def _parse_history(content: bytes | None, where: str) -> list[dict[str, Any]]:
    try:
        lines = [json.loads(line) for line in (content or b"").splitlines()]
        for line in lines:
            if not isinstance(line, dict) or not _LINE <= line.keys():
                raise ValueError(f"{line!r} is no line of a history")
        return lines
    except ValueError as e:
        raise IntegrityError(f"{where} is not what the registry wrote ({e}); restore it from a copy") from e
