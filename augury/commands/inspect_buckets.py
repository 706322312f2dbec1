"""``augury inspect-buckets``."""

from typing import Annotated

import typer

from augury.commands import screen
from augury.commands.flags import takes
from augury.reading import read_events
from features.fields import HashSpec
from features.inspection import DEFAULT_SIZES, TARGET_COLLISION_RATE
from features.inspection import inspect_buckets as inspect
from pipelines.behavior_recipe import ExamplesOptions, make_recipe


@takes(HashSpec, leave_out=("size",))
def inspect_buckets(
    hashing: HashSpec,
    events: Annotated[list[str], typer.Argument(help="files, folders or globs to read; local or gs://")],
    adapter: Annotated[
        str, typer.Option(help="segment, ga4, canonical, or the path of a mapping file (.toml)")
    ] = "segment",
    format: Annotated[str | None, typer.Option(help="jsonl, csv or parquet, where the file names do not tell")] = None,
    cleaning: Annotated[str | None, typer.Option(help="path of a TOML file with cleaning rules")] = None,
    sizes: Annotated[
        list[int] | None,
        typer.Option("--size", help="a number of buckets to try; repeat for more; by default 64, 128, ... 262,144"),
    ] = None,
    target: Annotated[float, typer.Option(help="the collision rate to stay within")] = TARGET_COLLISION_RATE,
    hides: Annotated[
        list[str] | None, typer.Option("--hide", help="name of an event to leave out; repeat for more")
    ] = None,
) -> None:
    """Measure how many hash buckets the events need.

    Counts the distinct tokens of the events and reports, for a range of sizes, how many of them collide and how sparse
    the buckets are; recommends the smallest size that stays within the target.

    **Examples**

    - `augury inspect-buckets events/`
    - `augury inspect-buckets clicks.csv --adapter mapping.toml --target 0.05 --size 1024 --size 4096`
    - `augury inspect-buckets events/ --fields event --fields url.path --hide 'Order Completed'`
    """
    columns = {name.partition(".")[0] for name in hashing.fields} | {"event"}
    with screen.spinner("reading events"):
        recipe = make_recipe(ExamplesOptions(tuple(events), "", adapter=adapter, format=format, cleaning=cleaning))
        report = inspect(read_events(recipe, sorted(columns)), hashing, sizes or DEFAULT_SIZES, target, hides or ())
    rows = [
        (
            row.size,
            f"{row.collision_rate:.2%}",
            f"{row.expected_collision_rate:.2%}",
            f"{row.shared_occurrences:.2%}",
            f"{row.sparsity:.1%}",
            f"{row.event_sparsity:.2%}",
        )
        for row in report.rows
    ]
    heads = ("buckets", "tokens that collide", "with an ideal hash", "occurrences shared", "empty buckets", "zeros")
    screen.line(
        f"{report.events:,} events, {report.tokens:,} distinct tokens, {report.tokens_per_event:.1f} tokens an event"
    )
    screen.table("Hash buckets", heads, rows, right=range(6))
    if report.recommended is None:
        screen.line(f"no size keeps collisions within {report.target:.0%}; try larger ones with --size")
    else:
        screen.line(
            f"recommended: --hash-size {report.recommended}, the smallest that keeps collisions within {target:.0%}"
        )
