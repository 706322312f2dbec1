"""What the commands show: tables and a spinner. Results go to stdout, everything that passes goes to stderr."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table


def out() -> Console:
    """Returns the console of stdout, made anew so that it follows redirection."""
    return Console(highlight=False, soft_wrap=False)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], right: Sequence[int] = ()) -> None:
    """Prints a table; ``right`` are the columns of numbers."""
    grid = Table(title=title, title_justify="left", title_style="bold", header_style="")
    for index, column in enumerate(columns):
        grid.add_column(column, justify="right" if index in right else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(escape(shown(value)) for value in row))
    out().print(grid)


def line(text: str, style: str | None = None) -> None:
    """Prints one line, never broken, as it is."""
    out().print(escape(text), style=style, soft_wrap=True)


def error(text: str) -> None:
    """Prints an error of one line to stderr, where the command goes on all the same."""
    Console(stderr=True, highlight=False).print(escape(" ".join(f"error: {text}".split())), style="red", soft_wrap=True)


def note(text: str) -> None:
    """Prints what is worth knowing beside the result to stderr."""
    Console(stderr=True, highlight=False).print(escape(text), soft_wrap=True)


def planned(found: Mapping[str, object]) -> bool:
    """Says whether what stands for a card says that the job was planned only, as Beam's flags had it; prints so."""
    if found.get("planned"):
        note("planned, not run")
        return True
    return False


def shown(value: object) -> str:
    """Returns a value as people read it."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def moment(time_us: int) -> str:
    """Returns a time (int64 microseconds UTC) to the second."""
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")


@contextmanager
def spinner(text: str) -> Iterator[None]:
    """Shows that something of unknown length goes on, and for how long already."""
    with _progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()) as bar:
        bar.add_task(text, total=None)
        yield


@contextmanager
def progress(text: str) -> Iterator["Bar"]:
    """Yields a bar to be called with how much is done and how much there is."""
    counted = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with _progress(SpinnerColumn(), TextColumn("{task.description}"), *counted) as bar:
        yield Bar(bar, text)


def _progress(*columns: ProgressColumn) -> Progress:
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


class Bar:
    """A progress bar: call it with (done, total)."""

    def __init__(self, bar: Progress, text: str) -> None:
        self._bar, self._task = bar, bar.add_task(text, total=None)

    def __call__(self, done: int, total: int) -> None:
        self._bar.update(self._task, completed=done, total=total)
