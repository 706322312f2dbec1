"""What every training of a torch network goes through: a device is chosen, epochs pass, each leaves its traces."""

from typing import Any

import torch

from models.checkpoint import check_new
from models.events import EventFile
from models.fit_checkpoint import Checkpoint
from models.fit_options import FitOptions
from models.fitting import BaseFitter, FitState
from models.options import OptionError
from models.progress import Progress


def begin(options: FitOptions) -> torch.device:
    """Refuses an output that is there, gives torch its threads, and returns the device to train on.

    Raises:
        TrainingError: there is an output already.
        OptionError: there is no such device here.
        StorageError: the output cannot be looked for.
    """
    check_new(options.output)
    device = choose_device(options.device)
    if options.threads:
        torch.set_num_threads(options.threads)
    return device


def fit(fitter: BaseFitter[Any], checkpoint: Checkpoint, work_folder: str, progress: Progress) -> None:
    """Runs the fitter to its end, with a checkpoint and TensorBoard scalars after every epoch."""
    with EventFile(f"{work_folder}/tensorboard") as events:

        def after_epoch(state: FitState) -> None:
            checkpoint.save(fitter)
            events.add(len(state.history), {k: v for k, v in state.history[-1].items() if k != "epoch"})
            progress("epoch", len(state.history), fitter.max_epochs, _epoch_note(state))

        fitter.run(after_epoch, progress)


def choose_device(name: str) -> torch.device:
    """Returns the device to train on.

    Raises:
        OptionError: there is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        if device.type == "cuda":
            torch.cuda.get_device_properties(device)
    except (RuntimeError, AssertionError) as e:
        reason = " ".join(str(e).split())[:200]
        raise OptionError(f"device is {name!r}, which this machine does not offer ({reason}); try auto or cpu") from e
    return device


def _epoch_note(state: FitState) -> str:
    last = state.history[-1]
    terms = (f"{name.removeprefix('validation_')} {value:.4f}" for name, value in last.items() if "validation_" in name)
    return f"train loss {last['train_loss']:.4f}; validation {', '.join(terms)}; best {state.best_loss:.4f}"
