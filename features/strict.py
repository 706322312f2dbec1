"""Settings that refuse what they do not know: checks and JSON for the frozen dataclasses of a feature spec."""

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from features.errors import AuguryError


class FeatureSpecError(AuguryError, ValueError):
    """A feature spec that says something impossible, unknown or contradictory, or that does not fit the data."""


def known_keys(cls: type[Any], given: object, where: str, extra: tuple[str, ...] = ()) -> dict[str, Any]:
    """Returns the mapping of a dataclass's fields, refusing unknown and missing keys.

    Args:
        cls: the dataclass that the keys must fit.
        given: what the JSON held.
        where: place in the spec, for the message.
        extra: keys allowed beyond the fields; they are left out of the answer.

    Raises:
        FeatureSpecError: not an object, an unknown key or a missing one.
    """
    if not isinstance(given, Mapping):
        raise FeatureSpecError(f"{where}: {given!r} is not an object; expected {{{', '.join(_names(cls))}}}")
    for key in given:
        if key not in _names(cls) and key not in extra:
            raise FeatureSpecError(f"{where}: unknown key {key!r}; expected one of {', '.join(_names(cls))}")
    for item in fields(cls):
        if item.default is MISSING and item.default_factory is MISSING and item.name not in given:
            raise FeatureSpecError(f"{where}: missing key {item.name!r}; add it")
    return {key: value for key, value in given.items() if key in _names(cls)}


def whole(where: str, value: object, least: int, most: int | None = None) -> None:
    """Refuses what is not an integer from ``least`` to ``most``."""
    limits = f"at least {least}" if most is None else f"from {least} to {most}"
    if isinstance(value, bool) or not isinstance(value, int) or value < least or (most is not None and value > most):
        raise FeatureSpecError(f"{where}: {value!r} is not possible; expected an integer {limits}")


def number(where: str, value: object, *, above: float = -math.inf) -> float:
    """Returns a finite number greater than ``above`` as a float, refusing anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value <= above:
        limits = "" if above == -math.inf else f" greater than {above:g}"
        raise FeatureSpecError(f"{where}: {value!r} is not possible; expected a finite number{limits}")
    return float(value)


def texts(where: str, value: object) -> tuple[str, ...]:
    """Returns distinct strings as a tuple, refusing anything else."""
    if isinstance(value, str) or not isinstance(value, (list, tuple)) or not all(isinstance(v, str) for v in value):
        raise FeatureSpecError(f"{where}: {value!r} is not possible; expected a list of strings")
    for item in value:
        if value.count(item) > 1:
            raise FeatureSpecError(f"{where}: {item!r} is there twice; name it once")
    return tuple(value)


def one_of(where: str, value: object, allowed: tuple[str, ...]) -> None:
    """Refuses what is not one of ``allowed``."""
    if value not in allowed:
        raise FeatureSpecError(f"{where}: {value!r} is unknown; expected one of {', '.join(allowed)}")


def _names(cls: type[Any]) -> list[str]:
    return [item.name for item in fields(cls)]
