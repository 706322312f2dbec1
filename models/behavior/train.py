"""``python -m models.behavior.train``: examples in, a trained, calibrated, evaluated artifact out."""

import json
import sys
from collections.abc import Sequence

from models.behavior.command import parse_options, progress_bar, run_command
from models.behavior.options import TrainOptions
from models.behavior.silence import native_silence


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
    metrics = json.loads((folder / "model_card.json").read_text())["metrics"]
    shown = (f"{name} {value:.4f}" for name, value in metrics.items() if isinstance(value, float))
    print(f"{folder}: {', '.join(shown)}")


if __name__ == "__main__":
    sys.exit(main())
