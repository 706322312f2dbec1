"""``augury examples``."""

import dataclasses
from typing import Annotated, Any

import orjson
import typer

from augury.commands import screen
from augury.commands.flags import split_flags, takes
from augury.commands.parameters import Params, generator_params
from pipelines.behavior_recipe import ExamplesOptions
from pipelines.quick_start import import_beam


@takes(ExamplesOptions, arguments=("events",), leave_out=("generator_params",))
def examples(
    options: ExamplesOptions,
    param: Params = None,
    beam: Annotated[
        list[str] | None, typer.Option("--beam", metavar="FLAGS", help="flags for Apache Beam; repeat for more")
    ] = None,
) -> None:
    """Turn web events into training examples.

    Reads, checks and cleans events, makes sessions, asks the example generator where to predict, codes what a model may
    see, and writes TFRecords in train, validation and test, with their feature spec, schema and dataset card. Rows that
    cannot be events go to a dead-letter folder with the reason. The output appears whole or not at all.

    **Examples**

    - `augury examples 'events/*.jsonl.gz' --output examples` : Segment events; will a visit end in a purchase?
    - `augury examples clicks.csv --adapter mapping.toml --output examples --gap-minutes 30 --split-by time --test 0.2`
    - `augury examples events/ --output examples --generator purchase_points -p horizon_seconds=3600`
    - `augury examples gs://bucket/events --output gs://bucket/examples --beam '--direct_num_workers=2'`
    """
    if param:
        text = orjson.dumps(generator_params(param)).decode()
        options = dataclasses.replace(options, generator_params=text)
    beam_flags = split_flags(beam)
    with screen.spinner("making examples"):
        import_beam([*options.events, options.output, options.dead_letter_folder], beam_flags)
        from pipelines.behavior_examples import make_examples

        card = make_examples(options, beam_flags)
    if screen.planned(card):
        return
    show_card(card)
    screen.line(f"next: augury train behavior --examples {options.output} --output model")


def show_card(card: dict[str, Any]) -> None:
    """Prints what a dataset card says: what was read, what was left out and why, and what each split holds."""
    left_out = [
        (what, reason, count)
        for what, reasons in (
            ("row rejected", card["events"]["rejected"]),
            ("event dropped", card["events"]["dropped"]),
            ("instance left out", card["excluded"]),
        )
        for reason, count in sorted(reasons.items())
        if count
    ]
    screen.line(
        f"{card['events']['read']:,} rows read: {card['sessions']:,} sessions of {card['visitors']:,} visitors, "
        f"{screen.moment(card['window']['start_us'])} to {screen.moment(card['window']['end_us'])} UTC"
    )
    if left_out:
        screen.table("Left out", ("what", "reason", "how many"), left_out, right=(2,))
    classes = sorted({label for split in card["splits"].values() for label in split["labels"]}, key=int)
    rows = []
    for name, split in card["splits"].items():
        counts = [split["labels"].get(label, 0) for label in classes]
        shares = [f"{count:,} ({count / max(1, sum(counts)):.1%})" for count in counts]
        rows.append((name, split["examples"], *shares))
    columns = ("split", "examples", *(f"label {label}" for label in classes))
    screen.table(f"Examples ({card['generator']})", columns, rows, right=range(1, len(columns)))
