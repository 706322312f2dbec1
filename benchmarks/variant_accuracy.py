"""How often the variant of a photo is recognised: ``make bench-variant-accuracy`` (some 90 minutes).

Everything from nothing: the pipeline makes the six default variants of every product photograph and puts 15 % of the
products aside for the test, near-duplicates with them. A network without pretrained weights is trained on the rest:
first on small images, then, for a few epochs, on larger ones, which costs a fraction of training on these alone
(progressive resizing, as in Tan and Le 2021, "EfficientNetV2"). The two networks are then asked together, the first
being shown small images still. Judged are single images of the test products, through the exported graph.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, write_results
from benchmarks.product_photos import make_examples
from features.fingerprinted import DATASET_CARD
from features.splits import SPLITS
from models.creative.dataset import ExamplesFolder

ID = "variant_accuracy"
REACH = ">= 0.995"
VALIDATION, TEST = 0.05, 0.15
"""Shares of the products."""
FIRST, LAST, BOTH = "first", "recognizer", "both"


def main() -> None:
    """Measures, and writes ``benchmarks/results/variant-accuracy.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first-size", type=int, default=96, help="of photos at first, pixels (default 96)")
    parser.add_argument("--first-epochs", type=int, default=24, help="passes over these (default 24)")
    parser.add_argument("--size", type=int, default=256, help="of stored photos at last, pixels (default 256)")
    parser.add_argument("--image-size", type=int, default=128, help="of these within the network (default 128)")
    parser.add_argument("--max-epochs", type=int, default=6, help="passes over these (default 6)")
    parser.add_argument("--backbone", default="resnet18", help="network (default resnet18)")
    parser.add_argument("--seed", type=int, default=0, help="of the split and of training (default 0)")
    parser.add_argument(
        "--keep",
        type=Path,
        help="folder for examples and artifacts, which are else removed; what it has is not made again",
    )
    given = parser.parse_args()
    folder = given.keep or Path(tempfile.mkdtemp(prefix="augury-bench-"))
    common = {"backbone": given.backbone, "seed": given.seed}
    try:
        first = _trained(folder / FIRST, given.first_size, {**common, "weights": "none", "epochs": given.first_epochs})
        flags = {**common, "weights": first, "epochs": given.max_epochs, "image-size": given.image_size}
        last = _trained(folder / LAST, given.size, flags)
        if _test_products(folder / FIRST) != _test_products(folder / LAST):
            sys.exit("error: the first training did not put the same products aside as the last")
        both = _together(folder, first, last)
        cards = [json.loads((artifact / "model_card.json").read_text()) for artifact in (first, last)]
        evaluation = json.loads((both / "evaluation.json").read_text())
        splits = json.loads((folder / LAST / "examples" / DATASET_CARD).read_text())["splits"]
    finally:
        if given.keep is None:
            shutil.rmtree(folder)
    counts = ", ".join(f"{split} {splits[split]['examples']}" for split in SPLITS)
    whole = evaluation["overall"]
    recalls = ", ".join(f"{row['variant']} {row['recall']:.4f}" for row in evaluation["by_variant"])
    text = (
        f"accuracy on {whole['right']} of {whole['images']} single images of {evaluation['products_judged']} held-out "
        f"products (95 % {whole['low']:.4f} to {whole['high']:.4f}; recall {recalls}); {given.backbone} from scratch: "
        f"{cards[0]['epochs']} epochs at {given.first_size} px ({cards[0]['seconds']:.0f} s), {cards[1]['epochs']} at "
        f"{given.image_size} px of {given.size} px stored ({cards[1]['seconds']:.0f} s), both asked together (alone "
        f"{cards[0]['metrics']['accuracy']:.4f} and {cards[1]['metrics']['accuracy']:.4f}); images: {counts}; "
        f"seed {given.seed}"
    )
    write_results("variant-accuracy", [Figure(ID, text, whole["accuracy"], "share", REACH)])


def _trained(folder: Path, size: int, flags: Mapping[str, Any]) -> Path:
    """Returns the artifact of a training in ``folder``; makes examples of a size, and trains, if it is not there."""
    artifact = folder / "artifact"
    if not artifact.exists():
        if not (folder / "examples").exists():
            make_examples(folder / "examples", size, test=TEST, validation=VALIDATION, seed=flags["seed"])
        train(folder / "examples", artifact, flags)
    return artifact


def _together(folder: Path, first: Path, last: Path) -> Path:
    """Returns the artifact of the two recognisers side by side, for images of the last one's size."""
    artifact = folder / BOTH
    if not artifact.exists():
        flags = [f"--members={first},{last}", f"--examples={folder / LAST / 'examples'}", f"--output={artifact}"]
        subprocess.run([sys.executable, "-m", "models.creative.ensemble", *flags], check=True)
    return artifact


def _test_products(folder: Path) -> set[str]:
    return set(ExamplesFolder.open(str(folder / "examples")).read("test").products)


def train(examples: Path, output: Path, options: Mapping[str, Any]) -> None:
    """Trains a recogniser for all of ``epochs``, in a process of its own, as Beam and torch never meet."""
    epochs = {"max-epochs": options["epochs"], "patience": options["epochs"]}
    flags = {"examples": examples, "output": output, **options, **epochs}
    del flags["epochs"]
    command = [sys.executable, "-m", "models.creative.train", *(f"--{name}={value}" for name, value in flags.items())]
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
