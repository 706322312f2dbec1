"""``python -m models.creative.ensemble``: trained variant recognisers in, one that asks them all out."""

import sys
from collections.abc import Sequence

from models.command import parse_options, print_metrics, progress_bar, run_command
from models.creative.options import EnsembleOptions


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    return run_command(_combine, argv, "nothing was written")


def _combine(argv: Sequence[str]) -> None:
    options = parse_options(
        EnsembleOptions,
        argv,
        "python -m models.creative.ensemble",
        "Put trained recognisers of variants side by side and write the artifact of them all.",
    )
    # torch takes seconds to load, so it comes after the options are known to be good.
    from models.creative.ensembling import combine

    with progress_bar() as progress:
        folder = combine(options, progress)
    print_metrics(folder)


if __name__ == "__main__":
    sys.exit(main())
