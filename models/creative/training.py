"""From an examples folder to a recogniser: fit, then write the artifact."""

import time

import torch

from features.creative_spec import SPEC, CreativeSpec
from features.storage import StoragePath, read_text
from models.checkpoint import identity_of
from models.creative.dataset import ExamplesFolder
from models.creative.fitting import Fitter
from models.creative.network import VariantNetwork
from models.creative.options import TrainOptions
from models.creative.writing import write_artifact
from models.fit_checkpoint import Checkpoint
from models.fit_run import begin, fit
from models.progress import Progress
from models.weights import WeightsError, load_trained

__all__ = ["train"]


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

    write_artifact(
        fitter.averaged.cpu(),
        folder,
        splits,
        options.output,
        origin={
            "arguments": options.to_dict(),
            "best_epoch": fitter.state.best_epoch,
            "epochs": len(fitter.state.history),
            "history": fitter.state.history,
        },
        started=started,
        golden_products=options.golden_products,
        progress=progress,
    )
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
