"""How often the variant of a photo is recognised: ``make bench-variant-accuracy`` (about an hour on two cores).

Everything from nothing: the pipeline makes the six default variants of every product photograph and puts 15 % of the
products aside for the test, near-duplicates with them; a network without pretrained weights is trained on the rest and
judged on single images of the test products, through the exported graph.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, write_results
from benchmarks.product_photos import make_examples
from features.splits import SPLITS

ID = "variant_accuracy"
REACH = ">= 0.995"
VALIDATION, TEST = 0.05, 0.15
"""Shares of the products."""


def main() -> None:
    """Measures, and writes ``benchmarks/results/variant-accuracy.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256, help="of stored photos, pixels (default 256)")
    parser.add_argument("--image-size", type=int, default=128, help="of them within the network (default 128)")
    parser.add_argument("--backbone", default="resnet18", help="network (default resnet18)")
    parser.add_argument("--max-epochs", type=int, default=20, help="passes over the training images (default 20)")
    parser.add_argument("--seed", type=int, default=0, help="of the split and of training (default 0)")
    parser.add_argument("--keep", type=Path, help="folder for examples and artifact, which are else removed")
    given = parser.parse_args()
    folder = given.keep or Path(tempfile.mkdtemp(prefix="augury-bench-"))
    try:
        started = time.monotonic()
        data = make_examples(folder / "examples", given.size, test=TEST, validation=VALIDATION, seed=given.seed)
        made = time.monotonic() - started
        train(
            folder / "examples",
            folder / "recognizer",
            {
                "backbone": given.backbone,
                "image-size": given.image_size,
                "max-epochs": given.max_epochs,
                "patience": given.max_epochs,
                "seed": given.seed,
            },
        )
        card = json.loads((folder / "recognizer" / "model_card.json").read_text())
        evaluation = json.loads((folder / "recognizer" / "evaluation.json").read_text())
    finally:
        if given.keep is None:
            shutil.rmtree(folder)
    counts = ", ".join(f"{split} {data['splits'][split]['examples']}" for split in SPLITS)
    whole = evaluation["overall"]
    recalls = ", ".join(f"{row['variant']} {row['recall']:.4f}" for row in evaluation["by_variant"])
    text = (
        f"accuracy on {whole['right']} of {whole['images']} single images of {evaluation['products_judged']} held-out "
        f"products (95 % {whole['low']:.4f} to {whole['high']:.4f}; recall {recalls}); {given.backbone} from scratch "
        f"at {given.image_size} px ({given.size} px stored), {card['epochs']} epochs, best {card['best_epoch']}, "
        f"training {card['seconds']:.0f} s, pipeline {made:.0f} s; images: {counts}; seed {given.seed}"
    )
    write_results("variant-accuracy", [Figure(ID, text, whole["accuracy"], "share", REACH)])


def train(examples: Path, output: Path, options: Mapping[str, Any]) -> None:
    """Trains from scratch, in a process of its own, as Beam and torch never meet."""
    flags = {"examples": examples, "output": output, "weights": "none", **options}
    command = [sys.executable, "-m", "models.creative.train", *(f"--{name}={value}" for name, value in flags.items())]
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
