"""``python -m models.behavior.tuning``: searches units, dropout and L2; stop it and start it again as you like."""

import sys
from collections.abc import Sequence

from models.behavior.options import TuneOptions
from models.behavior.silence import native_silence
from models.command import parse_options, progress_bar, run_command


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    return run_command(_tune, argv, "the trials so far are kept; the same command goes on with the search")


def _tune(argv: Sequence[str]) -> None:
    options = parse_options(
        TuneOptions,
        argv,
        "python -m models.behavior.tuning",
        "Search units, dropout and L2 of a behaviour model. An earlier search in the same output is gone on with.",
    )
    with native_silence():
        import tensorflow as tf

        tf.config.list_logical_devices()
        from models.behavior.search import tune
    with progress_bar() as progress:
        best = tune(options, progress)
    flags = " ".join(f"--{name} {value:g}" for name, value in best.options.items())
    print(f"best of {best.trials} trials: validation loss {best.validation_loss:.4f} with {flags}")


if __name__ == "__main__":
    sys.exit(main())
