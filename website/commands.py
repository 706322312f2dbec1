"""The reference of the command as Markdown, made of the command itself."""

import inspect
from collections.abc import Iterator
from typing import Any

from augury import cli


def commands_page() -> str:
    """Returns the page of every command: its help, arguments, options and defaults."""
    lines = ["# Commands and options", "", "Made of the command itself: what `augury COMMAND --help` says."]
    lines += ["[The command](../cli.md) shows a session with most of them.", ""]
    for panel, commands in cli._COMMANDS.items():
        lines += [f"## {panel}", ""]
        for name, (path, _) in commands.items():
            lines += command_lines(cli._Deferred(name, path, "", panel).load(), f"augury {name}")
    return "\n".join(lines)


def command_lines(command: Any, name: str) -> Iterator[str]:
    """Yields the lines of a command, and of those that it groups."""
    if hasattr(command, "commands"):
        for sub, found in command.commands.items():
            yield from command_lines(found, f"{name} {sub}")
        return
    yield from (f"### {name}", "", inspect.cleandoc(command.help or "").replace("\b", ""), "")
    arguments = [one for one in command.params if one.param_type_name == "argument" and not one.hidden]
    options = [one for one in command.params if one.param_type_name == "option" and not one.hidden]
    if arguments:
        yield from ("| argument | |", "|---|---|")
        yield from (f"| `{_metavar(one)}` | {_cell(one.help or '')}{_needed(one)} |" for one in arguments)
        yield ""
    if options:
        yield from ("| option | default | |", "|---|---|---|")
        yield from (f"| {_flags(one)} | {_default(one)} | {_cell(one.help or '')}{_needed(one)} |" for one in options)
        yield ""


def _metavar(one: Any) -> str:
    return (one.metavar or one.name).upper().strip("[]")


def _flags(one: Any) -> str:
    flags = ", ".join(f"`{flag}`" for flag in one.opts)
    return f"{flags} / {', '.join(f'`{flag}`' for flag in one.secondary_opts)}" if one.secondary_opts else flags


def _default(one: Any) -> str:
    value = one.default
    if value is None or callable(value) or value in ((), [], ""):
        return ""
    if one.is_flag and not one.secondary_opts:
        return ""
    if isinstance(value, bool):
        return f"`{(one.opts if value else one.secondary_opts or one.opts)[0]}`"
    if isinstance(value, (list, tuple)):
        return ", ".join(f"`{part}`" for part in value)
    return f"`{value}`"


def _needed(one: Any) -> str:
    return " **Needed.**" if one.required else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
