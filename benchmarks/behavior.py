"""The behaviour model on a simulated shop whose true probabilities are known: ``make bench-behavior``."""

import argparse
import shutil
import tempfile
from pathlib import Path

from augury.demo_figures import measure
from augury.simulator import SimulationOptions, read_truth, simulate
from benchmarks.figures import Figure, write_results
from benchmarks.trained import train
from models.behavior.golden import replay
from pipelines.behavior_examples import make_examples
from pipelines.behavior_recipe import ExamplesOptions

VISITORS = 100_000


def main() -> None:
    """Simulates, trains, measures, and writes ``benchmarks/results/behavior.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scratch", help="folder for events and model, about 1 GB; a temporary one by default")
    given = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="augury-bench-", dir=given.scratch))
    try:
        write_results("behavior", _figures(scratch))
    finally:
        shutil.rmtree(scratch)


def _figures(scratch: Path) -> list[Figure]:
    made = simulate(SimulationOptions(str(scratch / "shop"), visitors=VISITORS, format="parquet"))
    # a fifth of the visitors is the test: with a tenth, a perfect model's ECE would be near 0.008 by chance alone
    make_examples(ExamplesOptions((made.events,), str(scratch / "examples"), adapter="canonical", test=0.2))
    evaluation = train(scratch / "examples", scratch / "model", seed=0)
    found = measure(scratch / "model", read_truth(made.folder))
    truth, model, trees = found["truth"], found["model"], found["trees"]
    golden = replay(scratch / "model")
    on_test = f"test split of {evaluation['examples']} instances, {VISITORS} visitors simulated"
    before, after = evaluation["calibration"]["ece_before"], evaluation["calibration"]["ece_after"]
    return [
        Figure(
            "sim_auc_gap",
            f"AUC of the truth {truth['auc']:.4f} minus the model's {model['auc']:.4f}; {on_test}",
            truth["auc"] - model["auc"],
            "AUC",
            "<= 0.01",
        ),
        Figure(
            "sim_auc_vs_gbm",
            f"AUC of the model {model['auc']:.4f} minus boosted trees' {trees['auc']:.4f}; {on_test}",
            model["auc"] - trees["auc"],
            "AUC",
            ">= -0.003",
        ),
        Figure("sim_ece", f"ECE after scaling, 15 bins; {on_test}", model["ece"], "probability", "<= 0.01"),
        Figure(
            "sim_ece_change",
            f"ECE after scaling {after:.4f} minus before {before:.4f}; {on_test}",
            after - before,
            "probability",
            "<= 0",
        ),
        Figure(
            "sim_truth_mae",
            f"mean distance to the true probability (boosted trees: {trees['distance']:.4f}); {on_test}",
            model["distance"],
            "probability",
            "<= 0.02",
        ),
        Figure(
            "golden_identical",
            f"share of {golden.total} golden instances whose replay from raw events gave identical bits",
            golden.identical / golden.total,
            "share",
            "== 1.0",
        ),
    ]


if __name__ == "__main__":
    main()
