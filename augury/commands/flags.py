"""Command-line flags from the fields of an options dataclass: a command repeats nothing that a library knows."""

import dataclasses
import inspect
import re
import shlex
import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, Union

import typer

NONE = "none"


def takes(
    kind: type,
    *,
    arguments: Sequence[str] = (),
    only: Sequence[str] | None = None,
    leave_out: Sequence[str] = (),
    fixed: Mapping[str, Any] = MappingProxyType({}),
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Returns a decorator: the command's first parameter becomes an instance of ``kind``, made from flags.

    A field ``batch_size`` is ``--batch-size``; a tuple may be given several times; a nested dataclass gives its own
    fields. The help of a flag is the field's ``metadata["help"]``, or what the class's docstring says of it.

    Args:
        kind: a frozen dataclass; it checks its own values.
        arguments: fields given by position instead.
        only: the fields to make flags of; the others keep their default. None means all.
        leave_out: fields that keep their default, since the command sets them some other way.
        fixed: values of fields that get no flag and have no default.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]

        def run(**given: Any) -> Any:
            mine = {parameter.name: given.pop(parameter.name) for parameter in own}
            return command(_make(kind, {**given, **fixed}), **mine)

        wanted = only or [field.name for field in dataclasses.fields(kind)]
        flags = _parameters(kind, arguments, {*wanted} - {*leave_out, *fixed})
        positional = [flag for flag in flags if flag.name in arguments]
        rest = [flag for flag in flags if flag.name not in arguments]
        parameters = [*positional, *own, *rest]
        keyword = inspect.Parameter.KEYWORD_ONLY
        run.__signature__ = inspect.Signature([p.replace(kind=keyword) for p in parameters])  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        run.__name__, run.__doc__, run.__module__ = command.__name__, command.__doc__, command.__module__
        return run

    return decorate


def split_flags(texts: Sequence[str] | None) -> list[str]:
    """Returns the flags of every ``--beam``, each of which holds several, quoted as in a shell.

    Raises:
        BadParameter: a quotation mark that is not closed.
    """
    try:
        return [flag for text in texts or () for flag in shlex.split(text)]
    except ValueError as e:
        raise typer.BadParameter(f"{e}; quote flags as in a shell", param_hint="--beam") from e


def argv_of(options: Any) -> list[str]:
    """Returns the flags that make ``options`` again in a process of its own; defaults are left out."""
    argv: list[str] = []
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if value == _default(field) or value is None:
            continue
        name = f"--{field.name.replace('_', '-')}"
        argv += [name] if value is True else [f"{name}={value}"]
    return argv


def _make(kind: type, given: dict[str, Any]) -> Any:
    values: dict[str, Any] = {}
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        hint = hints[field.name]
        if dataclasses.is_dataclass(hint):
            values[field.name] = _make(hint, given)  # type: ignore[arg-type]
        elif field.name in given:
            value = given[field.name]
            values[field.name] = tuple(value) if isinstance(value, list) else value
    return kind(**values)


def _parameters(kind: type, arguments: Sequence[str], wanted: Collection[str]) -> list[inspect.Parameter]:
    hints = typing.get_type_hints(kind)
    found = []
    for field in dataclasses.fields(kind):
        if field.name not in wanted:
            continue
        hint = hints[field.name]
        if dataclasses.is_dataclass(hint):
            found += _parameters(hint, (), [inner.name for inner in dataclasses.fields(hint)])  # type: ignore[arg-type]
            continue
        default, text = _default(field), field.metadata.get("help") or documented(kind).get(field.name, "")
        text = text.replace("<", r"\<")  # Markdown would take it for a tag
        if default == "":  # an empty text stands for a value that must be given
            default = dataclasses.MISSING
        required = default is dataclasses.MISSING
        name = field.name.replace("_", "-")
        info: Any
        if field.name in arguments:
            info = typer.Argument(help=text, show_default=not required)
        elif hint is bool:
            info = typer.Option(
                f"--{name}/--no-{name}" if default else f"--{name}", help=text, show_default=bool(default)
            )
        else:
            info = typer.Option(f"--{name}", help=text, show_default=default not in (None, ()) and not required)
        annotation = _plain(hint)
        if typing.get_origin(annotation) is list and not required:
            default = list(default)
        found.append(
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if required else default,
                annotation=Annotated[annotation, info],
            )
        )
    return found


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _plain(hint: Any) -> Any:
    """Returns the hint as Typer knows it: a tuple of any length is a list, and None is one more possibility."""
    if typing.get_origin(hint) in (Union, types.UnionType):
        [inner] = [part for part in typing.get_args(hint) if part is not type(None)]
        return _plain(inner) | None
    if typing.get_origin(hint) is tuple:
        return list[typing.get_args(hint)[0]]  # type: ignore[misc]
    return hint


@cache
def documented(kind: type) -> dict[str, str]:
    """Returns what the ``Attributes:`` of a class and its bases say of each field, on one line."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        _, _, text = (inspect.getdoc(base) or "").partition("Attributes:\n")
        section = re.split(r"^\S", text, maxsplit=1, flags=re.MULTILINE)[0]
        entries = re.findall(r"^ {4}(\w+): (.*?)(?=^ {4}\w+: |\Z)", section, re.MULTILINE | re.DOTALL)
        found |= {name: " ".join(about.replace("``", "`").split()) for name, about in entries}
    return found
