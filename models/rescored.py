"""What judging a champion on a candidate's data found: its metrics there, and how far the candidate is from them."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from features.errors import AuguryError
from features.options import option
from features.storage import atomic_write
from models.command import parse_options, run_command


class RescoreError(AuguryError, ValueError):
    """A champion that cannot be judged on a candidate's data."""


class Change(NamedTuple):
    """The candidate's figure minus the champion's on the same examples, with the ends of a paired interval."""

    value: float
    low: float
    high: float


class SliceChange(NamedTuple):
    """A figure, of which more is better, on one slice of the examples.

    The intervals of all slices hold together: each is wider than 95 % by Bonferroni's correction.
    """

    name: str
    examples: int
    champion: float
    candidate: float
    change: Change


@dataclass(frozen=True)
class Rescored:
    """A champion on a candidate's data.

    Attributes:
        metrics: the champion's metrics, named as in a model card.
        changes: metric -> candidate minus champion, with a 95 % interval; not every metric has one.
        slices: where the examples can be cut in parts.
    """

    metrics: Mapping[str, float]
    changes: Mapping[str, Change]
    slices: tuple[SliceChange, ...] = ()

    def to_json(self) -> str:
        """Returns what ``from_json`` reads."""
        return json.dumps(asdict(self), indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> "Rescored":
        """Reads what ``to_json`` wrote.

        Raises:
            RescoreError: it is something else.
        """
        try:
            found: dict[str, Any] = json.loads(text)
            return cls(
                {name: float(value) for name, value in found["metrics"].items()},
                {name: Change(*map(float, change)) for name, change in found["changes"].items()},
                tuple(
                    SliceChange(name, examples, champion, candidate, Change(*map(float, change)))
                    for name, examples, champion, candidate, change in found["slices"]
                ),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as e:
            raise RescoreError(f"this is no comparison with a champion ({e!r}); make it again") from e


@dataclass(frozen=True)
class RescoreOptions:
    """What to compare; every family's command takes the same."""

    champion: str = option("", "folder of the champion's version")
    candidate: str = option("", "folder of the candidate's version")
    examples: str = option("", "folder of the candidate's examples, coded as the champion wants them")
    output: str = option("", "file to write what was found to, JSON")

    def __post_init__(self) -> None:
        for name in ("champion", "candidate", "examples", "output"):
            if not getattr(self, name):
                raise RescoreError(f"{name} is missing; give it with --{name}")


def rescore_command(
    prog: str, rescore: Callable[[Path, Path, str], Rescored], argv: Sequence[str] | None = None
) -> int:
    """Runs a family's command and returns its exit code; ``rescore`` takes champion, candidate and examples."""

    def work(given: Sequence[str]) -> None:
        options = parse_options(RescoreOptions, given, prog, "Judge a champion on a candidate's data.")
        found = rescore(Path(options.champion), Path(options.candidate), options.examples)
        atomic_write(options.output, found.to_json())

    return run_command(work, argv, "nothing was written")
