"""``augury attention-examples``."""

from typing import Annotated, Any

import typer

from augury.commands import screen
from augury.commands.flags import split_flags, takes
from pipelines.attention_options import WORKER_MODULES, AttentionExamplesOptions
from pipelines.quick_start import import_beam
from pipelines.worker_pool import worker_pool


@takes(AttentionExamplesOptions, arguments=("sets",))
def attention_examples(
    options: AttentionExamplesOptions,
    beam: Annotated[
        list[str] | None, typer.Option("--beam", metavar="FLAGS", help="flags for Apache Beam; repeat for more")
    ] = None,
) -> None:
    """Turn images and gaze into training examples.

    Reads the sets of gaze that a TOML file describes (fixations, cursor samples, clicks, ready-made maps), makes an
    attention map of each image, keeps near-duplicates in one split, and writes TFRecords in train, validation and test,
    with their spec and dataset card. What cannot be read goes to a dead-letter folder with the reason. The output
    appears whole or not at all.

    **Examples**

    - `augury attention-examples sets.toml --output examples`
    - `augury attention-examples sets.toml --output examples --width 384 --height 288 --sigma-px 30`
    - `augury attention-examples sets.toml --output examples --processes 8`
    - `augury attention-examples gs://b/sets.toml --output gs://b/examples --beam '--runner=DataflowRunner ...'`
    """
    beam_flags = split_flags(beam)
    pool = worker_pool(options.processes, WORKER_MODULES, options.paths, beam_flags)
    with screen.spinner("making examples"), pool as workers:
        import_beam(options.paths, beam_flags)
        from pipelines.attention_examples import make_attention_examples

        card = make_attention_examples(options, beam_flags, workers)
    if screen.planned(card):
        return
    show_attention_card(card)
    screen.line(f"next: augury train attention --examples {options.output} --output model")


def show_attention_card(card: dict[str, Any]) -> None:
    """Prints what a dataset card says: what was read, what was left out and why, and what each split holds."""
    left_out = [
        (what, reason, count)
        for what, reasons in (
            ("image rejected", card["images"]["rejected"]),
            ("image left out", card["images"]["excluded"]),
            ("row of gaze rejected", card["gaze"]["rejected"]),
            ("point left out", card["gaze"]["dropped"]),
        )
        for reason, count in sorted(reasons.items())
        if count
    ]
    near = card["near_duplicates"]
    screen.line(
        f"{card['images']['read']:,} images and {card['gaze']['read']:,} rows of gaze read; {near['images']:,} images "
        f"are near-duplicates of another ({near['groups']:,} groups)"
    )
    if left_out:
        screen.table("Left out", ("what", "reason", "how many"), left_out, right=(2,))
    rows = [
        (name, split["examples"], split["fixations"], _listed(split["sets"]), _listed(split["methods"]))
        for name, split in card["splits"].items()
    ]
    screen.table("Examples", ("split", "examples", "points", "sets", "methods"), rows, right=(1, 2))


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())
