"""``augury check-generator``."""

import dataclasses
import tempfile
from typing import Annotated

import orjson
import typer

from augury.commands import screen
from augury.commands.flags import takes
from augury.commands.parameters import Params, generator_params
from pipelines.behavior_recipe import ExamplesOptions

_SIMULATED_VISITORS = 3000


@takes(
    ExamplesOptions,
    only=(
        "adapter",
        "format",
        "gap_minutes",
        "max_events",
        "sequence_length",
        "window_start",
        "window_end",
        "cleaning",
    ),
    fixed={"output": "", "events": ("-",)},
)
def check_generator(
    options: ExamplesOptions,
    name: Annotated[str, typer.Argument(help="name of the example generator, see `augury generators`")],
    events: Annotated[
        list[str] | None, typer.Argument(help="files, folders or globs to read; by default a simulated shop")
    ] = None,
    param: Params = None,
    sample: Annotated[int, typer.Option(min=1, help="about how many events to look at, whole visitors")] = 50_000,
) -> None:
    """Check that a generator's examples leak no answers.

    Gives every slice another future (what happens at and after its end removed, shuffled, altered) and reports any
    change in what the model would see, in what the generator says of the slice, and in whether it is there at all.
    Reports as well when the length of an instance, its place in the session, or the sight of one event tells the label.
    Exit code 1 when something is wrong.

    **Examples**

    - `augury check-generator purchase` : on a simulated shop
    - `augury check-generator purchase_points events/ -p horizon_seconds=3600`
    - `augury check-generator my_generator clicks.csv --adapter mapping.toml --gap-minutes 30`
    """
    text = orjson.dumps(generator_params(param)).decode()
    options = dataclasses.replace(options, generator=name, generator_params=text)
    with tempfile.TemporaryDirectory() as scratch:
        if not events:
            options = _simulated(options, f"{scratch}/shop")
        else:
            options = dataclasses.replace(options, events=tuple(events))
        clean = _check(options, sample)
    if not clean:
        raise typer.Exit(1)


def _simulated(options: ExamplesOptions, folder: str) -> ExamplesOptions:
    from augury.simulator import SimulationOptions, simulate

    with screen.spinner("simulating a shop"):
        made = simulate(SimulationOptions(output=folder, visitors=_SIMULATED_VISITORS, format="parquet"))
    return dataclasses.replace(options, events=(made.events,), adapter=made.adapter)


def _check(options: ExamplesOptions, sample: int) -> bool:
    from example_generators.linter import AUC_LIMIT, lint
    from features.coding import FeatureCoder
    from pipelines.behavior_recipe import make_recipe
    from pipelines.fit_sample import sample_sessions

    with screen.spinner("reading events"):
        recipe = make_recipe(options)
        sessions = sample_sessions(
            spec=recipe.spec,
            tasks=recipe.tasks,
            adapter=recipe.adapter,
            rules=recipe.rules,
            columns=recipe.read_columns,
            window=recipe.window,
            most=sample,
        )
    with screen.spinner("asking about other futures"):
        report = lint(recipe.generator, sessions, FeatureCoder(recipe.spec))
    known = report.slices - report.censored
    screen.line(
        f"{options.generator}: {report.slices:,} slices of {len(sessions):,} sessions; {known:,} have an answer, "
        f"{report.censored:,} are censored"
    )
    screen.line(
        f"length alone: AUC {report.length.auc:.3f}; position alone: {report.position.auc:.3f} (limit {AUC_LIMIT})"
    )
    for finding in report.findings:
        screen.line(f"{finding.check}: {finding.message}", style="red")
    if not report.findings:
        screen.line("nothing leaks", style="green")
    return not report.findings
