"""``augury train``: every family trains in a process of its own."""

import typer

from augury.commands import screen
from augury.commands.flags import argv_of, takes
from models.attention.options import TrainOptions as AttentionOptions
from models.behavior.options import TrainOptions
from models.creative.conversion.options import ConversionOptions
from models.creative.options import EnsembleOptions
from models.creative.options import TrainOptions as VariantsOptions
from models.processes import run_module

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
    screen.line(f"report: {options.output.rstrip('/')}/report.html")
    screen.line(f"next: augury publish {options.output} attention/NAME")


@app.command()
@takes(VariantsOptions)
def variants(options: VariantsOptions) -> None:
    """Train a recogniser of the variants of product photos.

    Trains a ResNet on the examples, exports it to ONNX, measures it on the test products and writes an artifact: the
    graph, the weights, its report (`report.html`, `evaluation.json`), its cards and its golden set. The artifact
    appears whole or not at all. Checkpoints are kept beside it: a training that was stopped goes on with `--resume`, on
    a CPU to the same result.

    **Examples**

    - `augury train variants --examples examples --output recognizer` : weights of ImageNet are downloaded
    - `augury train variants --examples examples --output recognizer --backbone resnet18 --weights none --max-epochs 24`
    - `augury train variants --examples examples --output recognizer --weights resnet50-0676ba61.pth` : from a file
    - `augury train variants --examples examples --output recognizer --resume` : go on after an interruption
    """
    _recogniser("models.creative.train", options)


@app.command()
@takes(EnsembleOptions)
def variants_ensemble(options: EnsembleOptions) -> None:
    """Put trained recognisers of variants side by side.

    Makes one recogniser of several, whose logits are the mean of theirs and whose features are theirs side by side;
    measures it on the test products and writes an artifact like theirs. Nothing is trained. A member is shown the
    images of the examples at the size that it was trained on; it must have been tested on the same products.

    **Examples**

    - `augury train variants-ensemble --members small,large --examples examples --output recognizer`
    """
    _recogniser("models.creative.ensemble", options)


def _recogniser(module: str, options: VariantsOptions | EnsembleOptions) -> None:
    code = run_module(module, argv_of(options))
    if code:
        raise typer.Exit(code)
    screen.line(f"report: {options.output.rstrip('/')}/report.html")
    screen.line(
        f"next: augury creative-embeddings --examples {options.examples} --recognizer {options.output} --output V"
    )


@app.command()
@takes(ConversionOptions)
def creative(options: ConversionOptions) -> None:
    """Train a model of how well versions of a product photo convert.

    Trains boosted trees for every target that was recorded, on the vectors that a recogniser makes of the photos and on
    the campaigns they were in; searches their options, calibrates them, evaluates them on other products, and writes an
    artifact: trees, recogniser, catalogue, report, cards and golden set. The artifact appears whole or not at all. The
    searches are kept beside it until then: a training that was stopped goes on with `--resume`.

    **Examples**

    - `augury train creative --examples examples --embeddings embeddings --recognizer recognizer --output model`
    - `augury train creative ... --targets click_through --trials 0` : one target, the trees' options as they are
    - `augury train creative ... --vector features --reduce 32` : what the recogniser's last layer gets, reduced
    """
    code = run_module("models.creative.conversion.train", argv_of(options))
    if code:
        raise typer.Exit(code)
    screen.line(f"report: {options.output.rstrip('/')}/report.html")
    screen.line(f"next: augury publish {options.output} creative/NAME")
