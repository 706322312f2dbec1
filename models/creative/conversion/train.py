"""``python -m models.creative.conversion.train``: the command line of training the conversion model."""

import sys
from collections.abc import Sequence

from models.command import parse_options, print_metrics, progress_bar, run_command
from models.creative.conversion.options import ConversionOptions


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    return run_command(_train, argv, "nothing was written but the searches; go on with the same command and --resume")


def _train(argv: Sequence[str]) -> None:
    options = parse_options(
        ConversionOptions,
        argv,
        "python -m models.creative.conversion.train",
        "Train the conversion model on examples, embeddings and a recogniser, and write its artifact.",
    )
    # XGBoost and Optuna take a second to load, so they come after the options are known to be good.
    from models.creative.conversion.training import train

    with progress_bar() as progress:
        folder = train(options, progress)
    print_metrics(folder)


if __name__ == "__main__":
    sys.exit(main())
