"""What the commands of this package share: flags from an options dataclass, a progress bar, one-line errors."""

import argparse
import dataclasses
import json
import sys
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from features.errors import AuguryError
from features.storage import StoragePath, read_text
from models import progress
from models.options import OptionError

Options = TypeVar("Options")

INTERRUPTED = 130


def parse_options(kind: type[Options], argv: Sequence[str], prog: str, description: str) -> Options:
    """Makes options of ``argv``: a field ``batch_size`` is the flag ``--batch-size``; unknown flags are refused.

    Raises:
        OptionError: an unknown flag or an impossible value.
    """
    parser = _Parser(prog=prog, description=description, allow_abbrev=False)
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        hint = hints[field.name]
        if isinstance(hint, types.UnionType):
            hint = next(part for part in typing.get_args(hint) if part is not type(None))
        names = dict.fromkeys((f"--{field.name.replace('_', '-')}", f"--{field.name}"))
        shown = "" if field.default in ("", None, False) else f" (default {field.default})"
        how: dict[str, Any] = {"action": "store_true"} if hint is bool else {"type": hint, "metavar": hint.__name__}
        parser.add_argument(
            *names, dest=field.name, default=argparse.SUPPRESS, help=field.metadata["help"] + shown, **how
        )
    return kind(**vars(parser.parse_args(list(argv))))


def run_command(work: Callable[[Sequence[str]], None], argv: Sequence[str] | None, on_interrupt: str) -> int:
    """Runs a command; returns its exit code: 1 with one line for an expected error, 130 for Ctrl-C."""
    try:
        work(sys.argv[1:] if argv is None else argv)
    except AuguryError as e:
        print(f"error: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"interrupted: {on_interrupt}", file=sys.stderr)
        return INTERRUPTED
    return 0


def run_training(
    module: str,
    kind: type[Options],
    description: str,
    load: Callable[[], Callable[[Options, progress.Progress], StoragePath]],
    argv: Sequence[str] | None,
    kept: str | None = "the checkpoint",
) -> int:
    """Runs the command of what writes an artifact, with progress bars and its metrics at the end.

    Args:
        module: the command's, as in ``python -m module``.
        kind: of its options.
        description: of what it does, for ``--help``.
        load: returns what does it; called when the options are known to be good, as what it imports takes seconds.
        argv: of the command; of this process if not given.
        kept: what is left of it when it is interrupted, for ``--resume`` to go on with; None for nothing.

    Returns:
        The exit code, as ``run_command`` does.
    """

    def work(given: Sequence[str]) -> None:
        options = parse_options(kind, given, f"python -m {module}", description)
        write = load()
        with progress_bar() as bars:
            folder = write(options, bars)
        print_metrics(folder)

    rest = f" but {kept}; go on with the same command and --resume" if kept else ""
    return run_command(work, argv, f"nothing was written{rest}")


@contextmanager
def progress_bar(console: Console | None = None) -> Iterator[progress.Progress]:
    """Yields a callback (stage, done, total, note) that draws a bar for each stage and prints a line per epoch."""
    console = console or Console(stderr=True)
    columns = [
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    ]
    columns.append(TextColumn("{task.fields[note]}"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        tasks: dict[str, Any] = {}

        def show(stage: str, done: int, total: int, note: str) -> None:
            if stage == "epoch":
                bars.console.print(f"epoch {done}: {note}", soft_wrap=True)
                return
            finished = {task.id for task in bars.tasks if task.finished}
            if stage not in tasks or (done <= 1 and tasks[stage] in finished):
                if stage in tasks:
                    bars.remove_task(tasks[stage])
                tasks[stage] = bars.add_task(stage, total=total, note=note)
            bars.update(tasks[stage], completed=done, total=total, note=note)

        yield show


def print_metrics(folder: StoragePath) -> None:
    """Prints a line with the metrics of an artifact's model card."""
    metrics = json.loads(read_text(f"{folder}/model_card.json"))["metrics"]
    shown = (f"{name} {value:.4f}" for name, value in metrics.items() if isinstance(value, float))
    print(f"{folder}: {', '.join(shown)}")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> typing.NoReturn:
        raise OptionError(f"{message}; see --help")
