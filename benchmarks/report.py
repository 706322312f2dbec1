"""Prints every committed figure as one table: ``make bench-report``."""

import orjson
from rich.console import Console
from rich.table import Table

from benchmarks.figures import RESULTS


def main() -> None:
    """Reads ``benchmarks/results/*.json`` and prints them."""
    table = Table(title="Measured figures")
    for heading in ("id", "figure", "value", "unit", "reach", "holds", "commit", "date", "command"):
        table.add_column(heading, overflow="fold")
    for path in sorted(RESULTS.glob("*.json")):
        for row in orjson.loads(path.read_bytes()):
            holds = {True: "yes", False: "NO", None: "-"}[row["holds"]]
            value = f"{row['value']:.4g}"
            shown = (row["id"], row["figure"], value, row["unit"], row["reach"] or "-", holds)
            table.add_row(*shown, row["commit"], row["date"], row["command"])
    Console().print(table)


if __name__ == "__main__":
    main()
