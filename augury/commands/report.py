"""``augury report``: the report of a model, made again."""

from typing import Annotated

import typer

from augury.commands import screen
from augury.commands.choosing import ArtifactOption, ModelOption, VersionOption, choose
from augury.commands.parameters import RegistryRoot
from features.storage import atomic_write

app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", add_completion=False, help="Report on a model.")


@app.callback()
def report() -> None:
    """Make the report of a model again."""


@app.command()
def attention(
    output: Annotated[str, typer.Option("--output", "-o", help="HTML file to write; local or gs://")] = "report.html",
    model: ModelOption = None,
    version: VersionOption = "champion",
    registry: RegistryRoot = "registry",
    artifact: ArtifactOption = None,
    examples: Annotated[
        str | None, typer.Option(help="examples whose test images are shown; by default those it was trained on")
    ] = None,
    measure: Annotated[bool, typer.Option("--measure", help="measure on those images anew")] = False,
    ablation: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FOLDER", help="an artifact for the ablation table; repeat for more, in order"),
    ] = None,
) -> None:
    """Report on a model of where people look.

    One HTML file: every metric beside the baselines and people, by set and by kind of content, the best and the worst
    images with their maps, how far shares of regions can be trusted, and the learning curves. With `--ablation` it says
    what each part brings: a row an artifact, each with its change from the row before on the very same test images.
    Artifacts that were evaluated on others are refused.

    **Examples**

    - `augury report attention --artifact model -o report.html`
    - `augury report attention --model attention/pages --model-version latest`
    - `augury report attention --artifact model --examples examples --measure` : the kinds of content are new
    - `augury report attention --artifact c --ablation plain=a --ablation pretrained=b --ablation coordconv=c`
    """
    rows = [_row(text) for text in ablation or ()]
    from models.attention.reporting import make_report

    chosen = choose("attention", artifact, registry, model, version)
    with screen.progress("measuring") as bar:
        made = make_report(
            chosen.folder,
            examples=examples,
            measure_again=measure,
            ablation=rows,
            progress=lambda stage, done, total, note: bar(done, total),
        )
    atomic_write(output, made.html)
    if made.without_pictures:
        screen.note(f"no pictures: {made.without_pictures}")
    screen.line(f"{output}: {chosen.name} {chosen.version}")


def _row(text: str) -> tuple[str, str]:
    name, equals, folder = text.partition("=")
    if not equals or not name or not folder:
        raise typer.BadParameter(f"{text!r} is no NAME=FOLDER", param_hint="--ablation")
    return name, folder
