"""Prints every committed figure as one table: ``make bench-report``."""

from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from benchmarks.figures import RESULTS

HEADINGS = ("id", "figure", "value", "unit", "reach", "holds", "commit", "date", "command")


def read_results(folder: Path = RESULTS) -> dict[str, list[dict[str, Any]]]:
    """Returns the figures of every benchmark, by the benchmark's name."""
    return {path.stem: orjson.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))}


def shown(row: dict[str, Any]) -> tuple[str, ...]:
    """Returns a figure as text, a cell for each of ``HEADINGS``."""
    holds = {True: "yes", False: "NO", None: "-"}[row["holds"]]
    value = f"{row['value']:.4g}"
    return (
        *(row["id"], row["figure"], value, row["unit"], row["reach"] or "-", holds),
        *(row["commit"], row["date"], row["command"]),
    )


def main() -> None:
    """Reads ``benchmarks/results/*.json`` and prints them."""
    table = Table(title="Measured figures")
    for heading in HEADINGS:
        table.add_column(heading, overflow="fold")
    for rows in read_results().values():
        for row in rows:
            table.add_row(*shown(row))
    Console().print(table)


if __name__ == "__main__":
    main()
