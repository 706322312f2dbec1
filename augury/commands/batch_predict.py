"""``augury batch-predict``."""

from typing import Annotated, Any

import typer

from augury.commands import screen
from augury.commands.flags import split_flags, takes
from models.behavior.silence import import_tensorflow
from pipelines.batch_options import BatchPredictOptions
from pipelines.quick_start import import_beam

BeamFlags = Annotated[
    list[str] | None, typer.Option("--beam", metavar="FLAGS", help="flags for Apache Beam; repeat for more")
]


@takes(BatchPredictOptions, arguments=("events",))
def batch_predict(options: BatchPredictOptions, beam: BeamFlags = None) -> None:
    """Score every visitor of a window with a behaviour model.

    Reads an archive (or any files that an adapter knows) and writes for each visitor what the service would answer at
    the end of the window, bit for bit: probability, segment, version, events used. Who was forgotten or opted out is
    left out, and counted. A folder appears whole or not at all.

    **Examples**

    - `augury batch-predict augury-state/archive/events --model purchase --output predictions`
    - `augury batch-predict archive/events --model purchase --output leads --output-format csv`
    - `augury batch-predict archive/events --model purchase --output leads --window-start 2026-11-01 --emails`
    """
    beam_flags = split_flags(beam)
    show_predictions(predict(options, beam_flags), options.output)
    if not options.to_table:
        screen.line(f"next: augury audience {options.model} --segment very-high --predictions {options.output}")


def predict(options: BatchPredictOptions, beam_flags: list[str]) -> dict[str, Any]:
    """Runs the pipeline and returns its card."""
    with screen.spinner("scoring visitors"):
        import_tensorflow()
        import_beam(options.paths, beam_flags)
        from pipelines.batch_predict import batch_predict

        return batch_predict(options, beam_flags)


def show_predictions(card: dict[str, Any], output: str) -> None:
    """Prints what a card says: who was scored, and who and what was left out, and why."""
    if "visitors" not in card:
        screen.line(f"{output}: {', '.join(f'{kind} {sum(counts.values()):,}' for kind, counts in card.items())}")
        return
    rows = [(name, number, f"{number / card['visitors']:.1%}") for name, number in card["segments"].items()]
    screen.line(f"{card['model']} {card['version']}: {card['visitors']:,} visitors")
    screen.table("Segments", ("segment", "visitors", "share"), rows, right=(1, 2))
    left_out = [("visitor", reason, number) for reason, number in card["left_out"].items()]
    left_out += [("event", reason, number) for reason, number in card["events"]["dropped"].items()]
    left_out += [("row", reason, number) for reason, number in card["events"]["rejected"].items()]
    if left_out:
        screen.table("Left out", ("what", "reason", "how many"), left_out, right=(2,))
    screen.line(f"{card['events']['read']:,} rows read; asked about {screen.moment(card['window']['end_us'])} UTC")
