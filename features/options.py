"""Options as fields of dataclasses, whose help a command line shows."""

from dataclasses import field
from typing import Any


def option(default: Any, text: str) -> Any:
    """Returns a dataclass field with its default and the text that ``--help`` shows."""
    return field(default=default, metadata={"help": text})
