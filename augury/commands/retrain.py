"""``augury retrain``."""

from typing import Annotated

import typer

from augury.commands import screen
from augury.retraining.app import App, read_app
from augury.retraining.errors import AppError
from augury.retraining.families import FAMILIES
from augury.retraining.retrain import retrain as run_retraining
from augury.retraining.summary import PROMOTED, meaning

Family = Annotated[str, typer.Argument(help=f"the family: {', '.join(FAMILIES)}")]
Name = Annotated[str, typer.Option("--app", help="the application; apps/NAME.toml describes it")]
Config = Annotated[str | None, typer.Option("--config", help="the file that describes it, where it is another")]


def retrain(
    family: Family,
    app: Name,
    config: Config = None,
    end: Annotated[
        str | None, typer.Option(help="first day that is not learnt from; by default as the window rolls")
    ] = None,
    run: Annotated[
        str | None, typer.Option(help="local folder of the run; by default one of its own in `runs`")
    ] = None,
    examples: Annotated[
        str | None, typer.Option(help="folder of this window's examples, where they were made already")
    ] = None,
    registry: Annotated[
        str | None, typer.Option("--registry", envvar="AUGURY_REGISTRY", help="instead of the one that the file names")
    ] = None,
) -> None:
    """Retrain a model on its latest days, and promote it if it is good enough.

    Makes examples of a rolling window, compares their data with the last run's (schema, labels, volume, drift) and
    stops where they are not fit to learn from; trains, calibrates and evaluates; publishes a version with its
    statistics; judges the champion on the same test examples; replays the golden set through the service; and promotes,
    or keeps the champion and says why. The same window and code give the same version, and a run that was killed goes
    on where it was. A summary (`summary.md`, `summary.json`) is written whatever the outcome. Exit code 0: promoted. 1:
    not.

    **Examples**

    - `augury retrain behavior --app purchase` : as apps/purchase.toml describes it
    - `augury retrain behavior --app purchase --end 2026-08-24` : the days before 24 August
    - `augury retrain creative --app photos --config photos.toml --registry gs://bucket/registry`
    """
    summary = run_retraining(
        described(family, app, config, registry), end=end, folder=run, examples=examples, say=screen.note
    )
    shown(summary)
    if summary["outcome"] != PROMOTED:
        raise typer.Exit(1)


def described(family: str, name: str, config: str | None, registry: str | None) -> App:
    """Returns the description of an application.

    Raises:
        AppError: there is none, it is wrong, or it is of another family.
    """
    path = config or f"apps/{name}.toml"
    app = read_app(path, name, registry)
    if app.family != family:
        raise AppError(f"{path} describes an application of {app.family}, not of {family!r}; name the right one")
    return app


def shown(summary: dict) -> None:
    """Prints how a run ended."""
    if summary["gates"]:
        rows = [(gate["name"], "passed" if gate["passed"] else "FAILED", gate["detail"]) for gate in summary["gates"]]
        screen.table("Gates", ("gate", "", "what it found"), rows)
    if summary["version"]:
        screen.line(f"version: {summary['version']}")
    screen.line(f"{summary['outcome']}: {meaning(summary)}")
    screen.line(f"summary: {summary['run']}/summary.md")
    if summary["reason"]:
        screen.error(f"{summary['model']} was not promoted: {summary['reason']}")
