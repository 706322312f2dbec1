"""Options of a pipeline, from one frozen dataclass: its fields are the command-line flags and their help."""

import argparse
import types
from collections.abc import Sequence
from dataclasses import MISSING, Field, fields
from typing import Any, ClassVar, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

import orjson

from pipelines.launch import PipelineOptionError


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


Options = TypeVar("Options", bound=_Dataclass)

_SPOKEN = {"true": True, "false": False}


def parse_options(
    kind: type[Options], argv: Sequence[str], description: str | None = None
) -> tuple[Options, list[str]]:
    """Splits ``argv`` into the pipeline's own options and the flags left for Beam.

    Every field becomes ``--name`` with its default and ``metadata["help"]``. Tuples take several values, or the flag
    several times, or values joined by commas in one; a value that holds a comma itself is given in a JSON list.
    Booleans are switches with a ``--no-`` form that also take ``=true`` and ``=false``. Flex Templates pass every
    option as ``--name=value``, once.

    Raises:
        PipelineOptionError: a value that does not fit.
    """
    parser = _Parser(
        description=description, allow_abbrev=False, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    hints = get_type_hints(kind)
    for entry in fields(kind):
        switch = hints[entry.name] is bool
        names = [f"--{entry.name}", *([f"--no-{entry.name}"] if switch else [])]
        parser.add_argument(*names, **_argument(entry, hints[entry.name]))
    values, rest = parser.parse_known_args(list(argv))
    given = {name: _listed(value) if isinstance(value, list) else value for name, value in vars(values).items()}
    return kind(**given), rest


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise PipelineOptionError(f"{message}; see --help")


class _Switch(argparse.Action):
    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        plain = not (option_string or "").startswith("--no-")
        if values is None:
            setattr(namespace, self.dest, plain)
        elif plain and str(values).lower() in _SPOKEN:
            setattr(namespace, self.dest, _SPOKEN[str(values).lower()])
        else:
            expected = f"{option_string}=true or =false" if plain else "no value"
            parser.error(f"argument {option_string}: {values!r} is not possible; expected {expected}")


def option_type(hint: Any) -> Any:
    """Returns the type of an option's field, None left out of what it may be."""
    if get_origin(hint) in (Union, types.UnionType):
        return next(part for part in get_args(hint) if part is not type(None))
    return hint


def _argument(entry: Field[Any], hint: Any) -> dict[str, Any]:
    default: Any = entry.default_factory() if entry.default_factory is not MISSING else entry.default
    required = default is MISSING
    argument: dict[str, Any] = {"help": entry.metadata.get("help", ""), "required": required}
    if not required:
        argument["default"] = default
    hint = option_type(hint)
    if get_origin(hint) is tuple:
        if not required:
            argument["help"] += f" (default: {', '.join(map(str, default)) or 'none'})"
        return {**argument, "default": argparse.SUPPRESS, "nargs": "+" if required else "*", "action": "extend"}
    if hint is bool:
        return {**argument, "nargs": "?", "action": _Switch}
    return {**argument, "type": hint}


def _listed(values: list[str]) -> tuple[str, ...]:
    """Returns the texts of an option that takes several."""
    found: list[str] = []
    for value in values:
        if value.startswith("[") and value.endswith("]"):
            try:
                texts = orjson.loads(value)
            except orjson.JSONDecodeError:  # a glob
                texts = None
            if isinstance(texts, list) and all(isinstance(text, str) for text in texts):
                found += texts
                continue
        found += [text.strip() for text in value.split(",") if text.strip()]
    return tuple(found)
