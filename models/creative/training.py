"""From an examples folder to a recogniser: fit, export, measure on the test products, golden set."""

import time
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from features.creative_spec import SPEC, CreativeSpec
from features.fingerprinted import DATASET_CARD
from features.storage import StoragePath, read_text, write_folder_atomic
from models.artifact import write_json, write_text
from models.checkpoint import identity_of
from models.creative import golden
from models.creative.dataset import ExamplesFolder, Split
from models.creative.evaluation import evaluate
from models.creative.export import export
from models.creative.fitting import Fitter
from models.creative.network import VariantNetwork
from models.creative.options import TrainOptions
from models.creative.recognizer import Recognizer, probabilities
from models.creative.report import Mistake, render_report
from models.fit_checkpoint import Checkpoint
from models.fit_run import begin, fit
from models.fitting import FitState, Progress
from models.weights import WeightsError, load_trained, save_weights

__all__ = ["measure", "train"]

_PROBES = 5
_AT_ONCE = 32
_SHOWN_MISTAKES = 24


def train(options: TrainOptions, progress: Progress = lambda *_: None) -> StoragePath:
    """Trains a recogniser and writes its artifact, which appears as ``options.output``, whole or not at all.

    Checkpoints and TensorBoard logs go to ``options.work_folder``; with ``options.resume`` a training that was killed
    goes on from there and, on a CPU, ends with the same result.

    Returns:
        The artifact's folder.

    Raises:
        TrainingError, OptionError, DatasetError, RecordError, WeightsError, ExportError, StorageError: one line each;
            nothing is left behind but the work folder.
    """
    started = time.monotonic()
    device = begin(options)
    folder = ExamplesFolder.open(options.examples)
    progress("read", 0, 1, "")
    splits = folder.read_all()
    progress("read", 1, 1, "")

    torch.manual_seed(options.seed)
    spec = folder.spec
    network = _network(options, spec)
    fitter = Fitter(network, splits["train"], splits["validation"], options, device)
    checkpoint = Checkpoint(options.work_folder, identity_of(options, folder.card))
    if options.resume:
        checkpoint.restore(fitter)
    fit(fitter, checkpoint, options.work_folder, progress)

    with write_folder_atomic(options.output) as staged:
        write_text(staged / SPEC, spec.to_json())
        write_json(staged / DATASET_CARD, folder.card)
        best = fitter.averaged.cpu()
        save_weights(best, staged)
        parity = export(best, spec, staged, [item.image() for item in splits["train"].stored[:_PROBES]])
        recognizer = Recognizer.load(staged)
        test = splits["test"]
        evaluation = measure(recognizer, test, progress)
        write_json(staged / "evaluation.json", evaluation)
        golden.write(staged, golden.choose(test, options.golden_products), recognizer)
        seconds = time.monotonic() - started
        card = model_card(options, folder, fitter.state, evaluation, seconds) | {"parity": asdict(parity)}
        write_json(staged / "model_card.json", card)
        mistakes = [
            Mistake(found["product"], found["variant"], found["taken_for"], test.stored[found["row"]].image())
            for found in evaluation["mistakes"][:_SHOWN_MISTAKES]
        ]
        write_text(staged / "report.html", render_report(evaluation, card, folder.card, mistakes, fitter.state.history))
    checkpoint.remove()
    return options.artifact


def _network(options: TrainOptions, spec: CreativeSpec) -> VariantNetwork:
    if not options.begins_with_recogniser:
        return VariantNetwork(options, len(spec.variants), options.weights)
    before = CreativeSpec.from_json(read_text(f"{options.weights}/{SPEC}"))
    if before.variant_names != spec.variant_names:
        raise WeightsError(
            f"the recogniser in {options.weights} tells {', '.join(before.variant_names)} apart, the examples are "
            f"{', '.join(spec.variant_names)}; begin with another, or with --weights none"
        )
    network = VariantNetwork(options, len(spec.variants))
    load_trained(network, options.weights)
    return network


def measure(recognizer: Recognizer, split: Split, progress: Progress = lambda *_: None) -> dict[str, Any]:
    """Returns the evaluation of a recogniser on a split, each image judged by itself."""
    found: list[npt.NDArray[np.float32]] = []
    for start in range(0, len(split), _AT_ONCE):
        rows = range(start, min(start + _AT_ONCE, len(split)))
        found.append(probabilities(recognizer.embed(split.batch(rows).images).logits))
        progress(split.name, rows.stop, len(split), "")
    products, kinds = ([getattr(item, name) for item in split.stored] for name in ("product", "kind"))
    return evaluate(split.labels, np.concatenate(found), split.spec.variant_names, products, kinds)


def model_card(
    options: TrainOptions, folder: ExamplesFolder, state: FitState, evaluation: Mapping[str, Any], seconds: float
) -> dict[str, Any]:
    """Returns what the recogniser is, where it comes from and how good it is."""
    return {
        "family": "creative",
        "part": "recognizer",
        "code_version": version("augury"),
        "fingerprint": folder.spec.fingerprint,
        "examples": options.examples,
        "variants": list(folder.spec.variant_names),
        "arguments": options.to_dict(),
        "best_epoch": state.best_epoch,
        "epochs": len(state.history),
        "history": state.history,
        "metrics": dict(evaluation["metrics"]),
        "metrics_by_kind": {row["kind"]: row["accuracy"] for row in evaluation["by_kind"]},
        "seconds": round(seconds, 1),
    }
