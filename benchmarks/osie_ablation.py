"""What CoordConv and merging in cursor data bring on OSIE, three seeds each: ``make bench-osie-ablation``.

A training takes minutes, all of them an hour or two; with ``--scratch`` what is there already is not done again.
"""

import argparse
import os
import shutil
import statistics
import tempfile
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from benchmarks.attention_metrics import MAPS
from benchmarks.figures import Figure, write_results
from benchmarks.osie_training import make_osie_examples, means, osie_scores, train_osie

SEEDS = (0, 1, 2)


class Arm(NamedTuple):
    """One kind of training: on which maps, and what differs from the defaults."""

    cursor: bool
    flags: tuple[str, ...]


ARMS = {
    "pretrained": Arm(False, ()),
    "coordconv": Arm(False, ("--coordinates=ij",)),
    "merged": Arm(True, ()),
}
Scores = list[dict[str, float]]


def main() -> None:
    """Trains every arm with every seed and writes ``benchmarks/results/osie-ablation.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scratch", help="folder that keeps examples and models; a temporary one by default")
    parser.add_argument("--max-epochs", type=int, default=6, help="of each training")
    parser.add_argument("--threads", type=int, default=0, help="of each training; 0 leaves it to torch")
    given = parser.parse_args()
    scratch = Path(given.scratch or tempfile.mkdtemp(prefix="augury-bench-"))
    try:
        models = {name: _trained(scratch, name, arm, given) for name, arm in ARMS.items()}
        with ProcessPoolExecutor(os.cpu_count()) as pool:
            scored = {name: list(pool.map(_score, outputs)) for name, outputs in models.items()}
        write_results("osie-ablation", _figures(scored, given.max_epochs))
    finally:
        if not given.scratch:
            shutil.rmtree(scratch)


def _trained(scratch: Path, name: str, arm: Arm, given: argparse.Namespace) -> list[Path]:
    """Returns the artifacts of an arm, one a seed."""
    examples = make_osie_examples(scratch, cursor=arm.cursor)
    flags = [*arm.flags, f"--max-epochs={given.max_epochs}", f"--threads={given.threads}"]
    outputs = [scratch / f"{name}-{seed}" for seed in SEEDS]
    for seed, output in zip(SEEDS, outputs, strict=True):
        train_osie(examples, output, [*flags, f"--seed={seed}"])
    return outputs


def _score(artifact: Path) -> dict[str, float]:
    return means(osie_scores(artifact))


def _figures(found: Mapping[str, Scores], epochs: int) -> list[Figure]:
    how = f"MobileNetV2 at 320x240, {epochs} epochs, seeds {', '.join(map(str, SEEDS))}, 200 test images"
    figures = [
        _delta("coordconv_delta", "CoordConv against none", found["pretrained"], found["coordconv"], how),
        _delta("merge_delta", "training on eye and cursor against eye", found["pretrained"], found["merged"], how),
    ]
    for name, rows in found.items():
        said = ", ".join(f"{metric} {_spread([row[metric] for row in rows])}" for metric in MAPS)
        value = statistics.mean(row["nss"] for row in rows)
        figures.append(Figure(f"osie_{name}_nss", f"{name}: {said}; {how}", value, "NSS"))
    return figures


def _delta(name: str, what: str, before: Scores, after: Scores, how: str) -> Figure:
    said = []
    for metric in MAPS:
        changes = [b[metric] - a[metric] for a, b in zip(before, after, strict=True)]
        share = statistics.mean(changes) / abs(statistics.mean(row[metric] for row in before))
        said.append(f"{metric} {_spread(changes, '+')} ({share:+.1%})")
    value = statistics.mean(b["nss"] - a["nss"] for a, b in zip(before, after, strict=True))
    return Figure(name, f"{what}, paired by seed: {'; '.join(said)}; {how}", value, "NSS")


def _spread(values: list[float], sign: str = "") -> str:
    return f"{statistics.mean(values):{sign}.4f} (standard deviation {statistics.stdev(values):.4f})"


if __name__ == "__main__":
    main()
