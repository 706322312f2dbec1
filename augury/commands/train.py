"""``augury train``: every family trains in a process of its own."""

import typer

from augury.commands import screen
from augury.commands.flags import argv_of, takes
from augury.processes import run_module
from models.attention.options import TrainOptions as AttentionOptions
from models.behavior.options import TrainOptions

app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", add_completion=False, help="Train a model.")


@app.callback()
def train() -> None:
    """Train a model on examples."""


@app.command()
@takes(TrainOptions)
def behavior(options: TrainOptions) -> None:
    """Train a model of what visitors will do.

    Trains on the examples, calibrates, evaluates beside the base rate and boosted trees, and writes an artifact: the
    model, its report (`report.html`, `evaluation.json`), its cards and its golden set. The artifact appears whole or
    not at all. Checkpoints are kept beside it: a training that was stopped goes on with `--resume`, to the same result.

    **Examples**

    - `augury train behavior --examples examples --output model`
    - `augury train behavior --examples examples --output model --encoder cnn --units 128 --dropout 0.3`
    - `augury train behavior --examples examples --output model --resume` : go on after an interruption
    """
    code = run_module("models.behavior.train", argv_of(options))
    if code:
        raise typer.Exit(code)
    screen.line(f"report: {options.output.rstrip('/')}/report.html")
    screen.line(f"next: augury publish {options.output} behavior/NAME")


@app.command()
@takes(AttentionOptions)
def attention(options: AttentionOptions) -> None:
    """Train a model of where people will look.

    Trains a U-Net on the examples, exports it to ONNX, measures it on the test images and writes an artifact: the
    graph, the weights, its cards and its golden set. The artifact appears whole or not at all. Checkpoints are kept
    beside it: a training that was stopped goes on with `--resume`, on a CPU to the same result.

    **Examples**

    - `augury train attention --examples examples --output model` : weights of ImageNet are downloaded
    - `augury train attention --examples examples --output model --encoder-weights mobilenet_v2-b0353104.pth`
    - `augury train attention --examples examples --output model --encoder plain --loss dice=1,bce=1`
    - `augury train attention --examples examples --output model --resume` : go on after an interruption
    """
    code = run_module("models.attention.train", argv_of(options))
    if code:
        raise typer.Exit(code)
    screen.line(f"next: augury publish {options.output} attention/NAME")
