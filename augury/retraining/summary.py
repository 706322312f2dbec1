"""What ends every run: a summary for people (Markdown) and for programs (JSON)."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from features.storage import atomic_write

PROMOTED, KEPT, STOPPED, FAILED, INTERRUPTED = "promoted", "kept", "stopped", "failed", "interrupted"
OUTCOMES: Mapping[str, str] = {
    PROMOTED: "the new version is champion",
    KEPT: "a version was published, and the champion stays",
    STOPPED: "the data are not fit to learn from, so nothing was trained",
    FAILED: "an error; the same command goes on where it was",
    INTERRUPTED: "interrupted; the same command goes on where it was",
}
"""Outcome -> what it means."""

NAMES = ("summary.json", "summary.md")
_MOST_MEASURES = 8


def meaning(summary: Mapping[str, Any]) -> str:
    """Returns what the outcome of a run means, in words; of what was decided before, as things are now."""
    now = summary["champion_now"]
    if summary["outcome"] == PROMOTED and now != summary["version"]:
        return f"the version was promoted before, and the champion is another now: {now or 'none'}"
    return OUTCOMES[summary["outcome"]]


def write_summary(folder: str | Path, summary: Mapping[str, Any]) -> None:
    """Writes both files into a folder, local or remote.

    Raises:
        StorageError: it cannot be written.
    """
    texts = (json.dumps(summary, indent=1, allow_nan=False) + "\n", as_markdown(summary))
    for name, text in zip(NAMES, texts, strict=True):
        atomic_write(f"{folder}/{name}", text)


def as_markdown(summary: Mapping[str, Any]) -> str:
    """Returns a summary as people read it."""
    return "\n".join(_lines(summary)) + "\n"


def _lines(summary: Mapping[str, Any]) -> Iterator[str]:
    yield f"# {summary['model']}, {summary['window']['first']} to {summary['window']['last']}: {summary['outcome']}"
    yield ""
    words = meaning(summary)
    yield f"{words[:1].upper()}{words[1:]}."
    if summary["reason"]:
        yield ""
        yield f"Reason: {summary['reason']}"
    yield ""
    yield from _table(
        ("", ""),
        [
            ("version", summary["version"] or "none"),
            ("champion before", summary["champion_before"] or "none"),
            ("champion now", summary["champion_now"] or "none"),
            ("window", f"{summary['window']['days']} days, ending before {summary['window']['end']}"),
            ("code", summary["code"]),
            ("run", summary["run"]),
            ("examples", summary["examples"] or "none"),
        ],
    )
    checks = summary["checks"]
    if checks:
        yield from ("", "## Data", "")
        against = (
            f"compared with {checks['last_run']}" if checks["last_run"] else "the first run: nothing to compare with"
        )
        if checks["last_run"] and not checks["drift_judged"]:
            against += ", but for drift, since its examples have another feature spec"
        yield f"The last {checks['days']} days hold {checks['examples']:,} examples; {against}."
        for finding in checks["findings"]:
            yield f"- **{finding['kind']}**: {finding['what']}"
        if checks["rates"]:
            yield ""
            rates = [(name, f"{k / n:.2%}", f"{k:,} of {n:,}") for name, (k, n) in checks["rates"].items() if n]
            yield from _table(("label", "rate", ""), rates)
        measures = sorted(checks["measures"], key=lambda one: -one["value"])[:_MOST_MEASURES]
        if measures:
            yield ""
            moved = [(m["feature"], m["what"], f"{m['value']:.4f}", f"{m['threshold']:g}") for m in measures]
            yield from _table(("feature", "moved by", "Jensen-Shannon", "at most"), moved)
    if summary["gates"]:
        yield from ("", "## Gates", "")
        gates = [(gate["name"], "passed" if gate["passed"] else "FAILED", gate["detail"]) for gate in summary["gates"]]
        yield from _table(("gate", "", "what it found"), gates)
    slices = (summary["comparison"] or {}).get("slices") or []
    if slices:
        yield from ("", "## Against the champion, slice by slice", "")
        rows = [
            (name, f"{examples:,}", f"{theirs:.4f}", f"{ours:.4f}", f"{gap[0]:+.4f} ({gap[1]:+.4f} to {gap[2]:+.4f})")
            for name, examples, theirs, ours, gap in slices
        ]
        yield from _table(("slice", "examples", "champion", "this version", "difference"), rows)
    if summary["seconds"]:
        yield from ("", "## Seconds", "")
        yield from _table(("step", "seconds"), [(step, f"{took:.1f}") for step, took in summary["seconds"].items()])


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |"
