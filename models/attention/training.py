"""From an examples folder to an artifact: fit, export, measure on the test images, golden set."""

import time
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from features.attention_spec import SPEC
from features.fingerprinted import DATASET_CARD
from features.splits import SPLITS
from features.storage import StoragePath, write_folder_atomic
from models.artifact import write_json, write_text
from models.attention import golden
from models.attention.dataset import ExamplesFolder, Split
from models.attention.export import export
from models.attention.fitting import Fitter
from models.attention.measuring import measurable, measure, measure_regions, report
from models.attention.network import AttentionNetwork, is_probability
from models.attention.options import OptionError, TrainOptions
from models.attention.predictor import Predictor
from models.attention.quantize import agreement, quantize
from models.checkpoint import identity_of
from models.fit_checkpoint import Checkpoint
from models.fit_run import begin, fit
from models.fitting import FitState
from models.progress import Progress
from models.weights import save_weights

__all__ = ["train"]

_PROBES = 4
_CALIBRATION_IMAGES = 32


def train(options: TrainOptions, progress: Progress = lambda *_: None) -> StoragePath:
    """Trains a model and writes its artifact, which appears as ``options.output``, whole or not at all.

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
    set_number = _set_number(options, folder)
    splits: dict[str, Split] = {}
    for index, name in enumerate(SPLITS):
        progress("read", index, len(SPLITS), name)
        splits[name] = folder.read(name)
    progress("read", len(SPLITS), len(SPLITS), "")
    measurable(splits["test"])  # so that what cannot be measured is said before the work, not after it

    torch.manual_seed(options.seed)
    spec = folder.spec
    network = AttentionNetwork(options, spec.height, spec.width, spec.sets, options.pretrained)
    learnt, judged = (splits[name].of_methods(options.methods) for name in ("train", "validation"))
    fitter = Fitter(network, learnt, judged, options, device)
    checkpoint = Checkpoint(options.work_folder, identity_of(options, folder.card))
    if options.resume:
        checkpoint.restore(fitter)
    fit(fitter, checkpoint, options.work_folder, progress)

    with write_folder_atomic(options.output) as staged:
        write_text(staged / SPEC, spec.to_json())
        write_json(staged / DATASET_CARD, folder.card)
        best = fitter.averaged.cpu()
        save_weights(best, staged)
        probes = [item.image() for item in splits["train"].stored[:_PROBES]]
        parity = export(
            best,
            spec,
            staged,
            probability=is_probability(options.loss),
            set_number=set_number,
            mirror=options.mirror,
            probes=probes,
        )
        about: dict[str, Any] = {"parity": asdict(parity)}
        if options.int8:
            about["int8"] = _quantized(staged, splits)
        predictor = Predictor.load(staged)
        evaluation = measure(predictor, splits["test"], splits["train"].mean_map(), progress)
        write_json(staged / "evaluation.json", evaluation)
        golden.write(staged, golden.choose(splits["test"], options.golden_images), predictor)
        card = model_card(options, folder, fitter.state, evaluation["metrics"], time.monotonic() - started)
        card |= {"regions": measure_regions(predictor, splits["validation"]), **about}
        write_json(staged / "model_card.json", card)
        write_text(staged / "report.html", report(predictor, splits["test"], evaluation, card, folder.card))
    checkpoint.remove()
    return options.artifact


def model_card(
    options: TrainOptions, folder: ExamplesFolder, state: FitState, metrics: Mapping[str, Any], seconds: float
) -> dict[str, Any]:
    """Returns what the model is, where it comes from and how good it is."""
    return {
        "family": "attention",
        "code_version": version("augury"),
        "fingerprint": folder.spec.fingerprint,
        "examples": options.examples,
        "sets": list(folder.spec.sets),
        "arguments": options.to_dict(),
        "best_epoch": state.best_epoch,
        "history": state.history,
        "metrics": dict(metrics),
        "seconds": round(seconds, 1),
    }


def _set_number(options: TrainOptions, folder: ExamplesFolder) -> int | None:
    if not options.export_set:
        return None
    if options.export_set not in folder.spec.sets:
        raise OptionError(f"export_set is {options.export_set!r}; expected one of {', '.join(folder.spec.sets)}")
    return folder.spec.set_number(options.export_set)


def _quantized(staged: Path, splits: Mapping[str, Split]) -> dict[str, float]:
    quantize(staged, [item.image() for item in splits["train"].stored[:_CALIBRATION_IMAGES]])
    return agreement(staged, [item.image() for item in splits["validation"].stored[:_CALIBRATION_IMAGES]])
