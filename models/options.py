"""What the options of every family's training have in common."""

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from features.errors import AuguryError
from features.storage import StoragePath, is_local

SCHEDULES = ("cosine", "plateau", "constant")
"""Of a step size after the first, growing steps: cosine to 0 at the last epoch, smaller on a plateau, or constant."""


class OptionError(AuguryError, ValueError):
    """An unknown option or an impossible value."""


class ArtifactOptions:
    """Base of the frozen dataclasses of options of what writes an artifact; they have the field ``output``."""

    output: str

    @property
    def artifact(self) -> StoragePath:
        """The output, a ``Path`` where it is local."""
        return Path(self.output) if is_local(self.output) else self.output

    def to_dict(self) -> dict[str, Any]:
        """Returns the options as JSON-able values."""
        values: dict[str, Any] = dataclasses.asdict(self)  # type: ignore[call-overload]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Makes options from a mapping.

        Raises:
            OptionError: a key is unknown, or a value impossible.
        """
        known = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
        for name in values:
            if name not in known:
                raise OptionError(f"unknown option {name!r}; expected one of {', '.join(sorted(known))}")
        return cls(**values)


class TrainingRun(ArtifactOptions):
    """Base of the options of a training, which have the field ``work_dir`` as well.

    Attributes:
        irrelevant: options that decide nothing of the result, so that a stopped training may go on with others.
    """

    irrelevant: ClassVar[tuple[str, ...]] = ("examples", "output", "work_dir", "resume")
    work_dir: str | None

    @property
    def work_folder(self) -> str:
        """Where checkpoints and TensorBoard logs are: on this machine, for a remote output in the present folder."""
        beside = self.output.rstrip("/")
        return self.work_dir or f"{beside if is_local(beside) else beside.rpartition('/')[2]}.work"


def within(name: str, value: Any, low: float, high: float, kind: type) -> None:
    """Refuses what is not a number of that kind from ``low`` to ``high``."""
    fits = isinstance(value, (int, float) if kind is float else int) and not isinstance(value, bool)
    if not fits or not math.isfinite(value) or not low <= value <= high:
        expected = "a whole number" if kind is int else "a number"
        raise OptionError(f"{name} is {value!r}; expected {expected} from {low:g} to {high:g}")


def one_of(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    """Refuses what is not one of ``allowed``."""
    if value not in allowed:
        raise OptionError(f"{name} is {value!r}; expected one of {', '.join(allowed)}")
