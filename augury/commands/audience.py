"""``augury audience``."""

import tempfile
from typing import Annotated

import typer

from augury.audience_files import Wanted, check_output, segment_names, write_audience
from augury.commands import screen
from augury.commands.batch_predict import predict, show_predictions
from pipelines.batch_options import BatchPredictOptions


def audience(
    model: Annotated[str, typer.Argument(help="a behaviour model, such as purchase")],
    segment: Annotated[list[str], typer.Option(help="very-low, low, medium, high or very-high; repeat for more")],
    output: Annotated[str, typer.Option("--output", "-o", help="the CSV to write; local or gs://")] = "audience.csv",
    predictions: Annotated[str | None, typer.Option(help="folder that `augury batch-predict` wrote")] = None,
    events: Annotated[
        list[str] | None, typer.Option(help="predict from these files, folders or globs instead; repeat for more")
    ] = None,
    adapter: Annotated[str, typer.Option(help="of the events: canonical, segment, ga4, a mapping file")] = "canonical",
    registry: Annotated[str, typer.Option(help="root of the registry, to predict from events")] = "registry",
    version: Annotated[str, typer.Option("--model-version", help="to predict from events with")] = "champion",
    hashed: Annotated[
        str | None, typer.Option(help="write only the SHA-256 of an id, where it is known: email or user_id")
    ] = None,
    platform: Annotated[str | None, typer.Option(help="name the column as google or meta want it")] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="write ids as they are, also those that a spreadsheet takes for a formula")
    ] = False,
    tombstones: Annotated[str | None, typer.Option(help="a folder of tombstones to leave out besides")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the output if it is there")] = False,
) -> None:
    """Export the visitors of a segment as a list.

    For retargeting, sign-up lists and sales leads. Takes the visitors from a batch prediction, or predicts from events
    first. Those who opted out, were forgotten (until now) or had nothing to predict from never appear; who is left out
    is counted by its reason. With `--hashed` the file holds hashes alone, made as Google Customer Match and Meta Custom
    Audiences document: the id without white space around it, in lower case, SHA-256 in hexadecimal.

    **Examples**

    - `augury audience purchase --segment very-high --predictions predictions`
    - `augury audience purchase --segment very-high --predictions predictions --hashed email --platform google`
    - `augury audience purchase --segment high --segment very-high --events archive/events --hashed user_id`
    """
    wanted = Wanted(segment_names(segment), hashed, platform, exact)
    if (predictions is None) == (not events):
        raise typer.BadParameter("give either --predictions or --events", param_hint="--predictions")
    check_output(output, overwrite)
    with tempfile.TemporaryDirectory(prefix="augury-audience-") as folder:
        if predictions is None:
            predictions = f"{folder}/predictions"
            options = BatchPredictOptions(
                events=tuple(events or ()),
                model=model,
                output=predictions,
                registry=registry,
                version=version,
                adapter=adapter,
                emails=hashed == "email",
                tombstones=tombstones,
            )
            show_predictions(predict(options, []), predictions)
        found = write_audience(predictions, output, wanted, model, tombstones, overwrite)
    names = ", ".join(wanted.segments)
    screen.line(
        f"{output}: {found.rows:,} of {found.model} {found.version}, {names}, as of "
        f"{screen.moment(found.window_end_us)} UTC"
    )
    if found.left_out:
        rows = [(reason, number) for reason, number in found.left_out.most_common()]
        screen.table("Left out", ("reason", "visitors"), rows, right=(1,))
    if found.formulas:
        how = "open it as text" if exact else "an apostrophe is before them, and --exact leaves it out"
        screen.note(f"note: a spreadsheet would take {found.formulas:,} of the ids for formulas: {how}")
    if not found.rows:
        screen.note("note: the list is empty")
