"""``python -m models.creative.ensemble``: trained variant recognisers in, one that asks them all out."""

import sys
from collections.abc import Callable, Sequence

from features.storage import StoragePath
from models.command import run_training
from models.creative.options import EnsembleOptions
from models.progress import Progress

_MODULE = "models.creative.ensemble"
_DESCRIPTION = "Put trained recognisers of variants side by side and write the artifact of them all."


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    return run_training(_MODULE, EnsembleOptions, _DESCRIPTION, _load, argv, kept=None)


def _load() -> Callable[[EnsembleOptions, Progress], StoragePath]:
    from models.creative.ensembling import combine  # torch takes seconds to load

    return combine


if __name__ == "__main__":
    sys.exit(main())
