"""``python -m models.attention.train``: examples in, a trained, measured, exported artifact out."""

import sys
from collections.abc import Callable, Sequence

from features.storage import StoragePath
from models.attention.options import TrainOptions
from models.command import run_training
from models.progress import Progress

_MODULE = "models.attention.train"
_DESCRIPTION = "Train an attention model on an examples folder and write its artifact."


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    return run_training(_MODULE, TrainOptions, _DESCRIPTION, _load, argv)


def _load() -> Callable[[TrainOptions, Progress], StoragePath]:
    from models.attention.training import train  # torch takes seconds to load

    return train


if __name__ == "__main__":
    sys.exit(main())
