"""``python -m models.creative.train``: examples in, a trained, measured, exported variant recogniser out."""

import sys
from collections.abc import Callable, Sequence

from features.storage import StoragePath
from models.command import run_training
from models.creative.options import TrainOptions
from models.progress import Progress

_MODULE = "models.creative.train"
_DESCRIPTION = "Train a recogniser of variants on an examples folder and write its artifact."


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    return run_training(_MODULE, TrainOptions, _DESCRIPTION, _load, argv)


def _load() -> Callable[[TrainOptions, Progress], StoragePath]:
    from models.creative.training import train  # torch takes seconds to load

    return train


if __name__ == "__main__":
    sys.exit(main())
