"""How well conversions that never were are predicted, on products never seen: ``make bench-conversion ARGS=...``.

    python -m benchmarks.conversion --recognizer recognizer [--catalogue products.csv --images images]

It takes the recogniser that ``make bench-variant-accuracy ARGS='--keep FOLDER'`` made of the same photos. Products are
divided as they were for it, so that those that the trees stop and are calibrated by, and those of the test, are as new
to the recogniser as to the trees: of photos that it has learnt it is surer than of any other.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, write_results
from benchmarks.variant_accuracy import TEST, VALIDATION
from features.creative_spec import SPEC, CreativeSpec
from features.storage import read_text

PRODUCTS = Path(os.environ.get("AUGURY_DATA", Path(__file__).parents[2] / "shared" / "data")) / "products"
CAMPAIGNS_A_PRODUCT = 4
SENDS = 100
"""Messages with each variant of a product in a campaign: enough for figures of the model and not of the draw."""


def main() -> None:
    """Makes both simulations, trains on each, and writes ``benchmarks/results/conversion.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recognizer", required=True, help="folder of the recogniser")
    parser.add_argument("--seed", type=int, default=0, help="of the split, as the recogniser's (default 0)")
    parser.add_argument("--catalogue", default=str(PRODUCTS / "products.csv"), help="the photos' catalogue")
    parser.add_argument("--images", default=str(PRODUCTS / "images"), help="folder of the photos")
    parser.add_argument("--columns", action="append", default=[], help="columns that are called otherwise")
    parser.add_argument("--scratch", help="folder that keeps what is made; a temporary one by default")
    parser.add_argument("--trials", type=int, default=10, help="of the search for each target")
    given = parser.parse_args()
    scratch = Path(given.scratch or tempfile.mkdtemp(prefix="augury-bench-"))
    try:
        found = {kind: _evaluation(given, scratch, kind) for kind in ("paper", "campaigns")}
        write_results("conversion", list(_figures(found["paper"], found["campaigns"])))
    finally:
        if not given.scratch:
            shutil.rmtree(scratch)


def _evaluation(given: argparse.Namespace, scratch: Path, kind: str) -> dict[str, Any]:
    """Returns the evaluation of a model trained on one simulation; what is in the scratch folder is not made again."""
    spec = CreativeSpec.from_json(read_text(f"{given.recognizer}/{SPEC}"))
    examples, embeddings, model = (scratch / f"{kind}-{name}" for name in ("examples", "embeddings", "model"))
    if not examples.exists():
        form = (f"--size={spec.width}", f"--image-format={spec.image_format}", f"--jpeg-quality={spec.jpeg_quality}")
        simulated = (
            f"--simulate={kind}",
            f"--simulated-campaigns={CAMPAIGNS_A_PRODUCT}",
            f"--simulated-sends={SENDS}",
        )
        named = [f"--columns={column}" for column in given.columns]
        where = (given.catalogue, f"--images={given.images}", f"--output={examples}")
        split = (f"--validation={VALIDATION}", f"--test={TEST}", f"--seed={given.seed}")
        _augury("creative-examples", *where, *form, *simulated, *split, *named)
    if not embeddings.exists():
        folders = (f"--examples={examples}", f"--recognizer={given.recognizer}", f"--output={embeddings}")
        _augury("creative-embeddings", *folders)
    if not model.exists():
        folders = (f"--examples={examples}", f"--embeddings={embeddings}", f"--recognizer={given.recognizer}")
        _augury("train", "creative", *folders, f"--output={model}", f"--trials={given.trials}")
    found: dict[str, Any] = json.loads((model / "evaluation.json").read_text())
    return found


def _augury(*argv: str) -> None:
    subprocess.run([sys.executable, "-m", "augury.cli", *argv], check=True)


def _figures(paper: dict[str, Any], campaigns: dict[str, Any]) -> Iterator[Figure]:
    targets = paper["targets"]
    recognised = (paper.get("recognizer") or {}).get("metrics", {}).get("accuracy")
    by = f"recogniser right about {recognised:.2%} of photos" if recognised is not None else "recogniser not measured"
    name, part = min(targets.items(), key=lambda item: item[1]["metrics"]["accuracy"])
    ceiling = part["truth"]["ceiling_accuracy"]
    yield Figure(
        "conversion_accuracy",
        f"least of {len(targets)} targets, {name}: {part['metrics']['accuracy']:.4f} of at most {ceiling:.2f}; "
        f"{part['messages']:,} messages about {part['products']:,} products never seen; {by}",
        part["metrics"]["accuracy"] * 100,
        "%",
        ">= 79.0",
    )
    error, where = max(
        (abs(row["predicted"] - row["truth"]), f"{target}, {row['name']}")
        for target, each in targets.items()
        for row in each["by_variant"]
    )
    yield Figure(
        "conversion_prob_error",
        f"mean prediction of a variant against its true .8 or .2, the worst of all: {where}",
        error,
        "probability",
        "<= 0.02",
    )
    name, part = max(targets.items(), key=lambda item: item[1]["metrics"]["ece"])
    yield Figure("conversion_ece", f"largest of {len(targets)} targets, {name}", part["metrics"]["ece"], "", "<= 0.02")
    name, part = max(campaigns["targets"].items(), key=lambda item: item[1]["truth"]["auc_gap"])
    yield Figure(
        "campaign_auc_gap",
        f"largest of all targets, {name}: AUC {part['metrics']['auc']:.4f}, that of the truth "
        f"{part['truth']['auc']:.4f}; {part['messages']:,} messages about {part['products']:,} products never seen",
        part["truth"]["auc_gap"],
        "AUC",
        "<= 0.01",
    )
    yield from _coverage("paper", targets)
    yield from _coverage("campaigns", campaigns["targets"])


def _coverage(kind: str, targets: dict[str, Any]) -> Iterator[Figure]:
    for key, what in (("coverage", "rates"), ("pair_coverage", "differences of two variants")):
        values: Sequence[float] = [part["truth"][key] for part in targets.values()]
        told = ", ".join(f"{name} {value:.1%}" for name, value in zip(targets, values, strict=True))
        yield Figure(
            f"conversion_{key}_{kind}", f"95 % intervals of {what} that hold the truth: {told}", min(values), "share"
        )


if __name__ == "__main__":
    main()
