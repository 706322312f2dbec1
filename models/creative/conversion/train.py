"""``python -m models.creative.conversion.train``: the command line of training the conversion model."""

import sys
from collections.abc import Callable, Sequence

from features.storage import StoragePath
from models.command import run_training
from models.creative.conversion.options import ConversionOptions
from models.progress import Progress

_MODULE = "models.creative.conversion.train"
_DESCRIPTION = "Train the conversion model on examples, embeddings and a recogniser, and write its artifact."


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    return run_training(_MODULE, ConversionOptions, _DESCRIPTION, _load, argv, kept="the searches")


def _load() -> Callable[[ConversionOptions, Progress], StoragePath]:
    from models.creative.conversion.training import train  # XGBoost and Optuna take a second to load

    return train


if __name__ == "__main__":
    sys.exit(main())
