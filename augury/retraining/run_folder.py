"""The folder of a run: what it is of, and the result of every step, each of which appears whole."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from augury.retraining.errors import RunError
from augury.retraining.provenance import Identity
from features.storage import atomic_write, explained

_PLAN = "run.json"


class RunFolder:
    """A folder that a run goes on in after it was killed.

    Args:
        path: local.

    Attributes:
        path: likewise.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, identity: Identity, plan: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """Returns what a run in this folder is to do: what was written when it first began, or ``plan()``.

        Raises:
            RunError: the folder is another run's, or something else's.
        """
        wanted = {"key": identity.key, **identity.to_dict()}
        path = self.path / _PLAN
        if path.exists():
            found = self._read(path)
            for name in ("family", "name", "window", "code", "options"):
                if found.get(name) != wanted[name]:
                    raise RunError(
                        f"{self.path} is the folder of another run: its {name} is {_short(found.get(name))}, not "
                        f"{_short(wanted[name])}; name another folder, or remove it"
                    )
            return found
        with explained(self.path, "write"):
            self.path.mkdir(parents=True, exist_ok=True)
            others = sorted(name for name in os.listdir(self.path) if not name.startswith("."))
        if others:
            raise RunError(f"{self.path} holds {others[0]!r} and is no run's folder; name another folder")
        found = {**wanted, **plan()}
        atomic_write(path, json.dumps(found, indent=1, sort_keys=True) + "\n")
        return found

    def result(self, step: str) -> dict[str, Any] | None:
        """Returns what a step wrote when it was done; None while it is not."""
        path = self.path / f"{step}.json"
        return self._read(path) if path.exists() else None

    def record(self, step: str, result: Mapping[str, Any]) -> dict[str, Any]:
        """Writes that a step is done, and with what; returns it as it will be read."""
        atomic_write(self.path / f"{step}.json", json.dumps(result, indent=1, allow_nan=False) + "\n")
        return self._read(self.path / f"{step}.json")

    def forget(self, step: str) -> None:
        """Has a step done again."""
        (self.path / f"{step}.json").unlink(missing_ok=True)

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            found = json.loads(path.read_bytes())
            if not isinstance(found, dict):
                raise ValueError("no object")
        except (OSError, ValueError) as e:
            raise RunError(f"{path} is not what a run wrote ({e}); remove {self.path} and run again") from e
        return found


def _short(value: Any) -> str:
    text = json.dumps(value, sort_keys=True)
    return text if len(text) < 200 else f"{text[:200]}..."
