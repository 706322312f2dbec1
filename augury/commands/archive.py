"""``augury archive``."""

from typing import Annotated, Any

import typer

from augury.commands import screen

StateDir = Annotated[str | None, typer.Option("--state-dir", help="folder of the service's state; as set, if none")]
ArchiveRoot = Annotated[str | None, typer.Option("--archive", help="folder of the archive, local or gs://; as set")]


def archive(state_dir: StateDir = None, archive: ArchiveRoot = None) -> None:
    """Compact the spool into the archive now.

    Turns the spool files that no process writes any more into hourly Parquet partitions, drops copies and what
    forgotten visitors sent, and shows what was written and dropped. The service does the same by itself every minute;
    the settings are its own (`AUGURY_*`).

    **Examples**

    - `augury archive`
    - `augury archive --state-dir state --archive gs://bucket/archive`
    """
    from serving.compaction import compact_once

    settings = settings_of(state_dir, archive)
    with screen.spinner("compacting"):
        report = compact_once(settings)
    show_report(report)
    if report.counts.rows["events"]:
        screen.line(f"next: augury examples {settings.archive}/events --adapter canonical --output examples")


def settings_of(state_dir: str | None, archive: str | None) -> Any:
    """Returns the service's settings, with what was given on the command line."""
    from serving.settings import load_settings

    given: dict[str, Any] = {"state_dir": state_dir, "archive": archive}
    return load_settings(**{name: value for name, value in given.items() if value is not None})


def show_report(report: Any) -> None:
    """Prints what a compaction wrote, and what it dropped and why."""
    counts = report.counts
    screen.line(
        f"{counts.files:,} spool files with {counts.lines:,} lines compacted in {report.seconds:.1f} s; "
        f"{report.still_open:,} still being written"
    )
    rows = [("written", stream, count) for stream, count in sorted(counts.rows.items())]
    rows += [("dropped", reason, count) for reason, count in sorted(counts.dropped.items())]
    rows += [("rejected", reason, count) for reason, count in sorted(counts.rejected.items())]
    rows += [("torn, never acknowledged", "last line of a file", counts.torn)]
    rows += [("forgotten", f"earlier {stream}", count) for stream, count in sorted(report.forgotten.rows.items())]
    rows += [("expired", "parts of predictions", report.expired)]
    rows = [row for row in rows if row[2]]
    if rows:
        screen.table("Archive", ("what", "which", "how many"), rows, right=(2,))
