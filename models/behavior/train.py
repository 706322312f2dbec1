"""``python -m models.behavior.train``: examples in, a trained, calibrated, evaluated artifact out."""

import sys
from collections.abc import Sequence

from models.behavior.options import TrainOptions
from models.behavior.silence import native_silence
from models.command import parse_options, print_metrics, progress_bar, run_command


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    return run_command(_train, argv, "nothing was written but the checkpoint; go on with the same command and --resume")


def _train(argv: Sequence[str]) -> None:
    options = parse_options(
        TrainOptions,
        argv,
        "python -m models.behavior.train",
        "Train a behaviour model on an examples folder and write its artifact.",
    )
    # TensorFlow takes seconds to load and greets at length, so it comes after the options are known to be good.
    with native_silence():
        import tensorflow as tf

        tf.config.list_logical_devices()
        from models.behavior.training import train
    with progress_bar() as progress:
        folder = train(options, progress)
    print_metrics(folder)


if __name__ == "__main__":
    sys.exit(main())
