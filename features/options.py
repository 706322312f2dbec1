"""Options as fields of dataclasses, whose help a command line shows."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from features.errors import AuguryError


def option(default: Any, text: str) -> Any:
    """Returns a dataclass field with its default and the text that ``--help`` shows."""
    return field(default=default, metadata={"help": text})


def check_ranges(options: Any, error: type[AuguryError], limits: Mapping[str, tuple[float, float]]) -> None:
    """Refuses options that are less than their least or more than their most; one that is None is let be.

    Args:
        options: a dataclass.
        error: what is raised.
        limits: name of a field -> (least, most), both possible.

    Raises:
        AuguryError: of the kind ``error``, naming the option.
    """
    for name, (least, most) in limits.items():
        value = getattr(options, name)
        if value is not None and not least <= value <= most:
            raise error(f"{name} is {value}; expected {least} to {most}")
