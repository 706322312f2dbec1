"""``python -m models.attention.train``: examples in, a trained, measured, exported artifact out."""

import sys
from collections.abc import Sequence

from models.attention.options import TrainOptions
from models.command import parse_options, print_metrics, progress_bar, run_command


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    return run_command(_train, argv, "nothing was written but the checkpoint; go on with the same command and --resume")


def _train(argv: Sequence[str]) -> None:
    options = parse_options(
        TrainOptions,
        argv,
        "python -m models.attention.train",
        "Train an attention model on an examples folder and write its artifact.",
    )
    # torch takes seconds to load, so it comes after the options are known to be good.
    from models.attention.training import train

    with progress_bar() as progress:
        folder = train(options, progress)
    print_metrics(folder)


if __name__ == "__main__":
    sys.exit(main())
