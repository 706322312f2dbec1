"""``augury warm-store``."""

from typing import Annotated

import typer

from augury.commands import screen
from augury.commands.flags import split_flags, takes
from pipelines.quick_start import import_beam
from pipelines.warm_options import WarmStoreOptions

_ROWS = (
    ("rows read", "read"),
    ("rejected", "rejected"),
    ("dropped", "dropped"),
    ("recent events", "recent"),
)


@takes(WarmStoreOptions, arguments=("events",))
def warm_store(
    options: WarmStoreOptions,
    beam: Annotated[
        list[str] | None, typer.Option("--beam", metavar="FLAGS", help="flags for Apache Beam; repeat for more")
    ] = None,
) -> None:
    """Fill the fast store from archived events.

    For a new Redis, or new rules of what is kept: reads the archive (or any files that an adapter knows), leaves out
    what cleaning drops and who was forgotten, and writes every visitor's newest events, logins included. What is there
    already stays as far as these rules keep it, so give those of the service (`--store-events`, `--store-days`,
    `--store-types`) where it has others. Running it again, or while the service is collecting, does no harm.

    **Examples**

    - `augury warm-store augury-state/archive/events --redis-url redis://10.0.0.3:6379/0`
    - `augury warm-store gs://bucket/archive/events --store-days 60` : with the Redis of `REDIS_URL`
    - `augury warm-store 'export/*.jsonl.gz' --adapter segment`
    """
    beam_flags = split_flags(beam)
    with screen.spinner("filling the fast store"):
        import_beam([*options.events, options.dead_letter], beam_flags)
        from pipelines.warm_store import warm_store

        counts = warm_store(options, beam_flags)
    if not counts:
        screen.note("planned, not run")
        return
    rows = [(label, reason, number) for label, kind in _ROWS for reason, number in counts.get(kind, {}).items()]
    screen.table("fast store", ("", "", "events"), rows, right=(2,))
