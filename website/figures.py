"""The page of the committed figures as Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.report import shown

_INTRODUCTION = """\
# The figures

What `make bench-report` prints: every figure that a benchmark of this project has measured, as it was committed to
`benchmarks/results/`, with machine, date and commit. Those with something to reach say whether they reach it; those
that do not are here as well.
"""


def figures_page(results: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Returns the page of all benchmarks, each with the command that measures it again."""
    every = [row for rows in results.values() for row in rows]
    reached = [row["holds"] for row in every if row["holds"] is not None]
    lines = [_INTRODUCTION, f"{len(every)} figures; {sum(reached)} of {len(reached)} reach what they should.", ""]
    for name, rows in results.items():
        lines += [f"## {name}", "", *_measured(rows), ""]
        lines += ["| id | what was measured | value | unit | reach | holds |", "|---|---|--:|---|---|---|"]
        for row in rows:
            id_, figure, value, unit, reach, holds, *_ = (_cell(text) for text in shown(dict(row)))
            lines.append(
                f"| `{id_}` | {figure} | {value} | {unit} | {reach} | {'**no**' if holds == 'NO' else holds} |"
            )
        lines.append("")
    return "\n".join(lines)


def _measured(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns a line for each command, machine, date and commit that the figures were measured by."""
    around = dict.fromkeys((row["command"], row["machine"], row["date"], row["commit"]) for row in rows)
    said = [f"`{command}` on {machine}, {date}, commit {commit}" for command, machine, date, commit in around]
    return [f"{line}." if len(said) == 1 else f"- {line}" for line in said]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
