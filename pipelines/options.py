"""Options of a pipeline, from one frozen dataclass: its fields are the command-line flags and their help."""

import argparse
import types
from collections.abc import Sequence
from dataclasses import MISSING, Field, fields
from typing import Any, ClassVar, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

from pipelines.launch import PipelineOptionError


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


Options = TypeVar("Options", bound=_Dataclass)


def parse_options(
    kind: type[Options], argv: Sequence[str], description: str | None = None
) -> tuple[Options, list[str]]:
    """Splits ``argv`` into the pipeline's own options and the flags left for Beam.

    Every field becomes ``--name`` with its default and ``metadata["help"]``; tuples take several values, booleans are
    switches with a ``--no-`` form.

    Raises:
        PipelineOptionError: a value that does not fit.
    """
    parser = _Parser(
        description=description, allow_abbrev=False, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    hints = get_type_hints(kind)
    for entry in fields(kind):
        parser.add_argument(f"--{entry.name}", **_argument(entry, hints[entry.name]))
    values, rest = parser.parse_known_args(list(argv))
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in vars(values).items()}
    return kind(**given), rest


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise PipelineOptionError(f"{message}; see --help")


def _argument(entry: Field[Any], hint: Any) -> dict[str, Any]:
    default = entry.default_factory() if entry.default_factory is not MISSING else entry.default
    required = default is MISSING
    argument: dict[str, Any] = {"help": entry.metadata.get("help", ""), "required": required}
    if not required:
        argument["default"] = default
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(part for part in get_args(hint) if part is not type(None))
    if get_origin(hint) is tuple:
        return {**argument, "nargs": "+" if required else "*", "type": get_args(hint)[0]}
    if hint is bool:
        return {**argument, "action": argparse.BooleanOptionalAction}
    return {**argument, "type": hint}
