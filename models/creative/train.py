"""``python -m models.creative.train``: examples in, a trained, measured, exported variant recogniser out."""

import sys
from collections.abc import Sequence

from models.command import parse_options, print_metrics, progress_bar, run_command
from models.creative.options import TrainOptions


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    return run_command(_train, argv, "nothing was written but the checkpoint; go on with the same command and --resume")


def _train(argv: Sequence[str]) -> None:
    options = parse_options(
        TrainOptions,
        argv,
        "python -m models.creative.train",
        "Train a recogniser of variants on an examples folder and write its artifact.",
    )
    # torch takes seconds to load, so it comes after the options are known to be good.
    from models.creative.training import train

    with progress_bar() as progress:
        folder = train(options, progress)
    print_metrics(folder)


if __name__ == "__main__":
    sys.exit(main())
