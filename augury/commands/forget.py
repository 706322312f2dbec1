"""``augury forget``."""

from typing import Annotated

import typer

from augury.commands import screen
from augury.commands.archive import ArchiveRoot, StateDir, settings_of, show_report


def forget(
    visitor: Annotated[str, typer.Argument(help="an anonymous id, or `user:` and a user id")],
    state_dir: StateDir = None,
    archive: ArchiveRoot = None,
) -> None:
    """Forget a visitor: in the fast store, and in every partition of the archive.

    What was received from the visitor until now is removed, under every id that a login links; the archive's partitions
    that hold any of it are written again. What comes later is kept. Runs beside the service or without it; the settings
    are the service's own (`REDIS_URL`, `AUGURY_*`).

    **Examples**

    - `augury forget user:42`
    - `augury forget 7c5e2b1a-anonymous-id --state-dir state`
    """
    from serving.erasure import erase

    settings = settings_of(state_dir, archive)
    with screen.spinner("forgetting"):
        erased = erase(settings, visitor)
    found = erased.forgotten
    if erased.had_store:
        screen.line(f"fast store: {found.events:,} events and {found.links:,} links of {found.visitor} removed")
    else:
        screen.line("fast store: there is none here; set REDIS_URL if the service has one elsewhere")
    screen.line(f"archive: {len(found.names):,} tombstones set")
    if erased.report is None:
        screen.line("archive: partitions pending; the compaction that is at work, or the next, rewrites them")
        return
    show_report(erased.report)
    if erased.report.still_open:
        screen.line("archive: what is still being written is dropped when it is compacted")
