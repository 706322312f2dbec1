"""``python -m models.attention.train``: examples in, a trained, measured, exported artifact out."""

import json
import sys
from collections.abc import Sequence

from models.attention.options import TrainOptions
from models.behavior.command import parse_options, progress_bar, run_command


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    return run_command(_train, argv, "nothing was written but the checkpoint; go on with the same command and --resume")


def _train(argv: Sequence[str]) -> None:
    options = parse_options(
        TrainOptions,
        argv,
        "python -m models.attention.train",
        "Train an attention model on an examples folder and write its artifact.",
    )
    # torch takes seconds to load, so it comes after the options are known to be good.
    from models.attention.training import train

    with progress_bar() as progress:
        folder = train(options, progress)
    metrics = json.loads((folder / "model_card.json").read_text())["metrics"]
    shown = (f"{name} {value:.4f}" for name, value in metrics.items() if isinstance(value, float))
    print(f"{folder}: {', '.join(shown)}")


if __name__ == "__main__":
    sys.exit(main())
