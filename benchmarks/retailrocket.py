"""The behaviour model on real shop events, RetailRocket's, against boosted trees: ``make bench-retailrocket``."""

import argparse
import os
import shutil
import statistics
import tempfile
from pathlib import Path

from augury.demo import DemoOptions, examples_options
from benchmarks.figures import Figure, write_results
from benchmarks.trained import train
from pipelines.behavior_examples import make_examples

SEEDS = (0, 1, 2)
MAPPING = Path(__file__).parent.parent / "examples" / "retailrocket.toml"


def main() -> None:
    """Trains once a seed and writes ``benchmarks/results/retailrocket.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scratch", help="folder for examples and models; a temporary one by default")
    given = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="augury-bench-", dir=given.scratch))
    try:
        write_results("retailrocket", _figures(scratch))
    finally:
        shutil.rmtree(scratch)


def _figures(scratch: Path) -> list[Figure]:
    events = Path(os.environ.get("AUGURY_DATA", "../shared/data")) / "retailrocket" / "events.csv.gz"
    # the task of `augury demo --events ... --mapping ... --max-events 10000`: everybody in this set is a real buyer
    options = DemoOptions(output=str(scratch), events=str(events), mapping=str(MAPPING), max_events=10_000)
    make_examples(examples_options(options))
    found = [train(scratch / "examples", scratch / "model", seed) for seed in SEEDS]
    model, trees = ([one["figures"][name]["auc"] for one in found] for name in ("model", "trees"))
    ahead = [ours - theirs for ours, theirs in zip(model, trees, strict=True)]
    ece = [one["metrics"]["ece"] for one in found]
    change = [one["calibration"]["ece_after"] - one["calibration"]["ece_before"] for one in found]
    over = f"mean of seeds {', '.join(map(str, SEEDS))}; {found[0]['examples']} test instances, last 20 % of time"
    return [
        Figure(
            "retailrocket_auc_vs_gbm",
            f"AUC of the model {_spread(model)} minus boosted trees' {_spread(trees)}: {_spread(ahead)}; {over}",
            statistics.mean(ahead),
            "AUC",
            ">= 0",
        ),
        Figure(
            "retailrocket_ece",
            f"ECE after scaling, 15 bins, {_spread(ece)}; {over}",
            statistics.mean(ece),
            "probability",
            "<= 0.02",
        ),
        Figure(
            "retailrocket_ece_change",
            f"ECE after scaling minus before, {_spread(change)}; largest of the seeds",
            max(change),
            "probability",
            "<= 0",
        ),
    ]


def _spread(values: list[float]) -> str:
    return f"{statistics.mean(values):.4f} (standard deviation {statistics.stdev(values):.4f})"


if __name__ == "__main__":
    main()
