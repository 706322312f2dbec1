"""``augury creative-examples``."""

from typing import Annotated, Any

import typer

from augury.commands import screen
from augury.commands.flags import split_flags, takes
from pipelines.creative_options import WORKER_MODULES, CreativeExamplesOptions
from pipelines.quick_start import import_beam
from pipelines.worker_pool import worker_pool


@takes(CreativeExamplesOptions, arguments=("catalogue",))
def creative_examples(
    options: CreativeExamplesOptions,
    beam: Annotated[
        list[str] | None, typer.Option("--beam", metavar="FLAGS", help="flags for Apache Beam; repeat for more")
    ] = None,
) -> None:
    """Turn product photos and campaigns into training examples.

    Reads a catalogue (a folder of photos, or a CSV about them), makes six variants of each photo, joins or simulates
    what became of them in campaigns, keeps products whose photos are near-duplicates in one split, and writes TFRecords
    and tables of conversions in train, validation and test, with their spec and dataset card. What cannot be read goes
    to a dead-letter folder with the reason. The output appears whole or not at all.

    **Examples**

    - `augury creative-examples photos/ --output examples`
    - `augury creative-examples shop/manifest.csv --output examples --conversions 'campaigns/*.parquet' --processes 2`
    - `augury creative-examples products.csv --images images --output examples --simulate campaigns`
    - `augury creative-examples photos/ --output examples --size 224 --variants original --variants recoloured`
    """
    beam_flags = split_flags(beam)
    pool = worker_pool(options.processes, WORKER_MODULES, options.paths, beam_flags)
    with screen.spinner("making examples"), pool as workers:
        import_beam(options.paths, beam_flags)
        from pipelines.creative_examples import make_creative_examples

        card = make_creative_examples(options, beam_flags, workers)
    if screen.planned(card):
        return
    show_creative_card(card)
    screen.line(f"next: augury train variants --examples {options.output} --output recognizer")


def show_creative_card(card: dict[str, Any]) -> None:
    """Prints what a dataset card says: what was read, what was left out and why, and what each split holds."""
    left_out = [
        (what, reason, count)
        for what, reasons in (
            ("photo rejected", card["photos"]["rejected"]),
            ("file left out", card["photos"]["left_out"]),
            ("row of conversions rejected", card["conversions"]["rejected"]),
        )
        for reason, count in sorted(reasons.items())
        if count
    ]
    near = card["near_duplicates"]
    screen.line(
        f"{card['photos']['read']:,} photos and {card['conversions']['read']:,} rows of conversions read; "
        f"{near['products']:,} photos are near-duplicates of another ({near['groups']:,} groups); variants: "
        f"{', '.join(card['variants'])}"
    )
    if left_out:
        screen.table("Left out", ("what", "reason", "how many"), left_out, right=(2,))
    rows = [
        (name, split["products"], split["examples"], split["conversions"]["rows"], split["conversions"]["sent"])
        for name, split in card["splits"].items()
    ]
    screen.table("Examples", ("split", "products", "examples", "conversions", "messages"), rows, right=(1, 2, 3, 4))
    simulated = card["simulated"]
    if simulated:
        screen.line(f"SIMULATED conversions ({simulated['how']}): {simulated['truth']}")
        best = simulated["ceiling"].get("test", {})
        reached = [
            (target, f"{of['accuracy']:.3f}", f"{of['auc']:.3f}", f"{of['log_loss']:.3f}")
            for target, of in best.items()
        ]
        if reached:
            columns = ("target", "accuracy", "AUC", "log loss")
            screen.table("The best that is possible on test", columns, reached, right=(1, 2, 3))
