"""Writing the artifact of a recogniser: export, measures on the test products, golden set, cards and report."""

import time
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from features.creative_spec import SPEC
from features.fingerprinted import DATASET_CARD
from features.storage import write_folder_atomic
from models.artifact import write_json, write_text
from models.creative import golden
from models.creative.dataset import ExamplesFolder, Split
from models.creative.evaluation import evaluate
from models.creative.export import export
from models.creative.network import Network
from models.creative.recognizer import Recognizer, probabilities
from models.creative.report import Mistake, render_report
from models.progress import Progress
from models.weights import save_weights

_PROBES = 5
_AT_ONCE = 32
_SHOWN_MISTAKES = 24


def write_artifact(
    network: Network,
    folder: ExamplesFolder,
    splits: Mapping[str, Split],
    output: str,
    *,
    origin: Mapping[str, Any],
    started: float,
    golden_products: int,
    progress: Progress,
) -> None:
    """Writes the artifact of a network, which appears as ``output``, whole or not at all.

    Args:
        network: trained, on the CPU.
        folder: the examples.
        splits: train, validation and test of them.
        output: folder of the artifact.
        origin: what the model card says of where the network comes from; ``history`` in it is drawn in the report.
        started: when work on it began, of ``time.monotonic``.
        golden_products: of the golden set.
        progress: told of the images that are judged.

    Raises:
        DatasetError, ExportError, StorageError: one line each; nothing is left behind.
    """
    spec, test = folder.spec, splits["test"]
    with write_folder_atomic(output) as staged:
        write_text(staged / SPEC, spec.to_json())
        write_json(staged / DATASET_CARD, folder.card)
        save_weights(network, staged)
        parity = export(network, spec, staged, [item.image() for item in splits["train"].stored[:_PROBES]])
        recognizer = Recognizer.load(staged)
        evaluation = measure(recognizer, test, progress)
        write_json(staged / "evaluation.json", evaluation)
        golden.write(staged, golden.choose(test, golden_products), recognizer)
        card = {
            "family": "creative",
            "part": "recognizer",
            "code_version": version("augury"),
            "fingerprint": spec.fingerprint,
            "examples": folder.path,
            "variants": list(spec.variant_names),
            **origin,
            "metrics": dict(evaluation["metrics"]),
            "metrics_by_kind": {row["kind"]: row["accuracy"] for row in evaluation["by_kind"]},
            "seconds": round(time.monotonic() - started, 1),
            "parity": asdict(parity),
        }
        write_json(staged / "model_card.json", card)
        mistakes = [
            Mistake(found["product"], found["variant"], found["taken_for"], test.stored[found["row"]].image())
            for found in evaluation["mistakes"][:_SHOWN_MISTAKES]
        ]
        write_text(
            staged / "report.html", render_report(evaluation, card, folder.card, mistakes, origin.get("history", ()))
        )


def measure(recognizer: Recognizer, split: Split, progress: Progress = lambda *_: None) -> dict[str, Any]:
    """Returns the evaluation of a recogniser on a split, each image judged by itself."""
    found: list[npt.NDArray[np.float32]] = []
    for start in range(0, len(split), _AT_ONCE):
        rows = range(start, min(start + _AT_ONCE, len(split)))
        found.append(probabilities(recognizer.embed(split.batch(rows).images).logits))
        progress(split.name, rows.stop, len(split), "")
    products, kinds = ([getattr(item, name) for item in split.stored] for name in ("product", "kind"))
    return evaluate(split.labels, np.concatenate(found), split.spec.variant_names, products, kinds)
