"""``python -m models.behavior.train``: examples in, a trained, calibrated, evaluated artifact out."""

import sys
from collections.abc import Callable, Sequence

from features.storage import StoragePath
from models.behavior.options import TrainOptions
from models.behavior.silence import native_silence
from models.command import run_training
from models.progress import Progress

_MODULE = "models.behavior.train"
_DESCRIPTION = "Train a behaviour model on an examples folder and write its artifact."


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    return run_training(_MODULE, TrainOptions, _DESCRIPTION, _load, argv)


def _load() -> Callable[[TrainOptions, Progress], StoragePath]:
    with native_silence():  # TensorFlow takes seconds to load and greets at length
        import tensorflow as tf

        tf.config.list_logical_devices()
        from models.behavior.training import train

    return train


if __name__ == "__main__":
    sys.exit(main())
