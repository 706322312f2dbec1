"""``augury tune``: a search over hyper-parameters, in a process of its own."""

import typer

from augury.commands import screen
from augury.commands.flags import argv_of, takes
from models.behavior.options import TuneOptions
from models.processes import run_module

app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", add_completion=False)


@app.callback()
def tune() -> None:
    """Search for better hyper-parameters."""


@app.command()
@takes(TuneOptions, leave_out=("units", "dropout", "l2", "resume", "importance_examples"))
def behavior(options: TuneOptions) -> None:
    """Search units, dropout and L2 of a model of what visitors will do.

    Every trial trains on the examples and is judged by its validation loss; poor ones are given up early. The search is
    kept in `OUTPUT/study.db`: stop it when you like, the same command goes on with it. The best is written to
    `OUTPUT/best.json`.

    **Examples**

    - `augury tune behavior --examples examples --output search`
    - `augury tune behavior --examples examples --output search --trials 50 --encoder cnn`
    """
    code = run_module("models.behavior.tuning", argv_of(options))
    if code:
        raise typer.Exit(code)
    screen.line(f"best: {options.output.rstrip('/')}/best.json")
