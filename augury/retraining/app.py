"""An application: what is retrained, on what, how, and what it must reach. A TOML file describes it."""

import dataclasses
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import available_timezones

from augury.retraining.errors import AppError
from augury.retraining.window import WindowRule
from features.options import option
from features.storage import StorageError, is_local, read_text
from models.gates import GateError, Thresholds
from models.versions import NAME_FORM, NAMES_ARE


@dataclass(frozen=True)
class CheckRules:
    """When the data of a window are not fit to learn from."""

    days: int = option(7, "the last days of the window, which are compared with those of the run before")
    drift: float = option(0.05, "most Jensen-Shannon divergence of a feature from the run before, 0 to 1")
    skew: float = option(0.1, "most Jensen-Shannon divergence of a feature between train and test, 0 to 1")
    label_rate: float = option(0.5, "share by which a label's rate may fall, or by as much rise, from the run before")
    volume: float = option(0.7, "share by which the number of examples may fall, or by as much rise")
    python: str | None = option(None, "Python with TensorFlow Data Validation; else AUGURY_TFDV_PYTHON, or ours")

    def __post_init__(self) -> None:
        if isinstance(self.days, bool) or not isinstance(self.days, int) or not 1 <= self.days <= 60:
            raise AppError(f"checks.days is {self.days!r}; expected a whole number from 1 to 60")
        for name in ("drift", "skew", "label_rate", "volume"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1:
                raise AppError(f"checks.{name} is {value!r}; expected a number above 0 and below 1")


@dataclass(frozen=True)
class ScheduleRule:
    """When it is retrained."""

    cron: str = option("0 3 * * 1", "five fields: minute, hour, day, month, weekday")
    time_zone: str = option("Etc/UTC", "of the fields")

    def __post_init__(self) -> None:
        if len(self.cron.split()) != 5:
            raise AppError(f"schedule.cron is {self.cron!r}; expected five fields such as '0 3 * * 1'")
        zones = available_timezones()
        if zones and self.time_zone not in zones:  # a machine may know none
            raise AppError(f"schedule.time_zone is {self.time_zone!r}; expected the name of one such as Europe/Berlin")


@dataclass(frozen=True)
class App:
    """The description of an application.

    Attributes:
        family: ``behavior``, ``attention`` or ``creative``.
        name: of the model in the registry.
        registry: folder of the registry; local or ``gs://``.
        runs: local folder of the runs.
        archive: folder for the examples and summaries of all runs, local or ``gs://``; None leaves them with the run.
        window: how it rolls.
        data: what is read, by the family's own names.
        examples: options of the family's examples.
        train: options of the family's training.
        checks: when data are not fit to learn from.
        gates: thresholds that differ from the family's.
        schedule: when it is retrained.
    """

    family: str
    name: str
    registry: str = "registry"
    runs: str = "runs"
    archive: str | None = None
    window: WindowRule = field(default_factory=WindowRule)
    data: Mapping[str, Any] = field(default_factory=dict)
    examples: Mapping[str, Any] = field(default_factory=dict)
    train: Mapping[str, Any] = field(default_factory=dict)
    checks: CheckRules = field(default_factory=CheckRules)
    gates: Mapping[str, Any] = field(default_factory=dict)
    schedule: ScheduleRule = field(default_factory=ScheduleRule)

    def __post_init__(self) -> None:
        if not NAME_FORM.fullmatch(self.name):  # it names folders and locks, too
            raise AppError(f"name is {self.name!r}; expected {NAMES_ARE}")
        if not is_local(self.runs):
            raise AppError(
                f"runs is {self.runs!r}; expected a local folder: checkpoints and locks are files. What is to stay "
                "goes to the registry and to archive, which may be gs://"
            )

    @property
    def model(self) -> str:
        """FAMILY/NAME."""
        return f"{self.family}/{self.name}"

    @property
    def thresholds(self) -> Thresholds:
        """What a version must reach."""
        return Thresholds.of(self.family).changed(self.gates)


_PARTS = {"window": WindowRule, "checks": CheckRules, "schedule": ScheduleRule}
_TABLES = ("data", "examples", "train", "gates")


def read_app(path: str, name: str, registry: str | None = None) -> App:
    """Reads the description of an application.

    Args:
        path: of the TOML file.
        name: of the application, which names its model where the file does not.
        registry: instead of the file's.

    Raises:
        AppError: it is not there, is no TOML, or says something unknown or impossible.
    """
    try:
        given = tomllib.loads(read_text(path))
    except StorageError as e:
        raise AppError(
            f"there is no description of application {name!r} ({e}); write one, see docs/retraining.md"
        ) from e
    except tomllib.TOMLDecodeError as e:
        raise AppError(f"{path} is not TOML ({e}); see docs/retraining.md") from e
    try:
        app = _app({"name": name, **given, **({"registry": registry} if registry else {})})
        _ = app.thresholds
    except (AppError, GateError) as e:
        raise AppError(f"{path}: {e}") from e
    return app


def _app(given: dict[str, Any]) -> App:
    if "family" not in given:
        raise AppError("family is missing; expected behavior, attention or creative")
    values: dict[str, Any] = {}
    known = {entry.name for entry in dataclasses.fields(App)}
    for key, value in given.items():
        if key not in known:
            raise AppError(f"unknown key {key!r}; expected one of {', '.join(sorted(known))}")
        if key in _PARTS or key in _TABLES:
            if not isinstance(value, Mapping):
                raise AppError(f"{key} is {value!r}; expected a table, [{key}]")
            values[key] = _part(key, _PARTS[key], value) if key in _PARTS else dict(value)
        elif not isinstance(value, str) or not value:
            raise AppError(f"{key} is {value!r}; expected a text")
        else:
            values[key] = value
    return App(**values)


def _part(where: str, kind: type[Any], given: Mapping[str, Any]) -> Any:
    return kind(**checked(where, kind, given))


def checked(where: str, kind: type[Any], given: Mapping[str, Any], reserved: tuple[str, ...] = ()) -> dict[str, Any]:
    """Returns the values of some fields of a dataclass, each of the type of its field; a list is made a tuple.

    Args:
        where: the table, for messages.
        kind: the dataclass.
        given: what the table holds.
        reserved: fields that a run sets itself.

    Raises:
        AppError: an unknown or reserved key, or a value of another type.
    """
    hints = typing.get_type_hints(kind)
    known = [entry.name for entry in dataclasses.fields(kind) if entry.name not in reserved]
    found = {}
    for key, value in given.items():
        if key not in known:
            why = "is set by the run itself" if key in reserved else "is unknown"
            raise AppError(f"{where}.{key} {why}; expected one of {', '.join(known)}")
        found[key] = _fitting(f"{where}.{key}", hints[key], value)
    return found


def _fitting(where: str, hint: Any, value: Any) -> Any:
    if isinstance(hint, types.UnionType):
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
    if typing.get_origin(hint) is tuple:
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise AppError(f"{where} is {value!r}; expected texts")
        return tuple(texts)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        names = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
        raise AppError(f"{where} is {value!r}; expected {names.get(hint, hint)}")
    return value
