"""TrainOptions: everything that decides a training run, refused at start-up when impossible."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from features.options import option
from models.options import OptionError, TrainingRun, within

ENCODERS = ("gru", "cnn")
"""The sequence encoders."""


@dataclass(frozen=True)
class NetworkOptions:
    """The shape of the network and its regularisation."""

    encoder: str = option("gru", "sequence encoder: gru, or cnn for 1-D convolutions")
    embedding_units: int = option(32, "width of an embedded event")
    units: int = option(64, "width of the sequence encoder and of the fully connected layers")
    dropout: float = option(0.3, "share of activations dropped in training")
    l2: float = option(1e-4, "weight of the sum of squared weights in the loss")

    def __post_init__(self) -> None:
        if self.encoder not in ENCODERS:
            raise OptionError(f"encoder is {self.encoder!r}; expected one of {', '.join(ENCODERS)}")
        for name in ("embedding_units", "units"):
            within(name, getattr(self, name), 1, 4096, int)
        within("dropout", self.dropout, 0.0, 0.95, float)
        within("l2", self.l2, 0.0, 1.0, float)


@dataclass(frozen=True)
class TrainOptions(NetworkOptions, TrainingRun):
    """What to train on, where to write, and how to train."""

    irrelevant = (*TrainingRun.irrelevant, "importance_examples")

    examples: str = option("", "folder that the examples pipeline wrote (local or gs://)")
    output: str = option("", "folder of the artifact; it must not exist yet")
    work_dir: str | None = option(None, "folder of checkpoints and TensorBoard logs; <output>.work if not given")
    learning_rate: float = option(3e-3, "Adam's step size")
    batch_size: int = option(256, "examples per step")
    max_epochs: int = option(30, "most passes over the training examples")
    patience: int = option(3, "epochs without a better validation loss before training stops")
    class_weight: str = option(
        "auto",
        "auto (from the label rate), none, or one positive number per class such as 1,5; with two classes one number "
        "alone is the weight of class 1",
    )
    seed: int = option(0, "decides initial weights, order of examples and dropout")
    importance_examples: int = option(
        4000, "test examples on which the importance of features is measured; 0: it is not"
    )
    resume: bool = option(False, "go on from the checkpoint in the work folder, where there is one")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("examples", "output"):
            if not getattr(self, name):
                raise OptionError(f"{name} is missing; name a folder with --{name}")
        within("learning_rate", self.learning_rate, 1e-8, 1.0, float)
        within("batch_size", self.batch_size, 1, 1_000_000, int)
        within("max_epochs", self.max_epochs, 1, 100_000, int)
        within("patience", self.patience, 1, 100_000, int)
        within("seed", self.seed, 0, 2**31 - 1, int)
        within("importance_examples", self.importance_examples, 0, 10_000_000, int)
        if self.class_weight not in ("auto", "none"):
            _given_weights(self.class_weight)

    def weights(self, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Returns float32 (C,): the weight of each class in the loss, scaled so that the mean example weighs 1.

        "auto" weighs a class with n_c of n examples by n / (C n_c), so that every class has the same say.

        Args:
            counts: int64 (C,) training examples of each class, none of them 0.

        Raises:
            OptionError: the number of weights given is not the number of classes.
        """
        if self.class_weight == "none":
            return np.ones(len(counts), np.float32)
        if self.class_weight == "auto":
            return (counts.sum() / (len(counts) * counts)).astype(np.float32)
        given = _given_weights(self.class_weight)
        if len(given) == 1 and len(counts) == 2:
            given = np.array([1.0, given[0]])
        if len(given) != len(counts):
            raise OptionError(
                f"class_weight {self.class_weight!r} has {len(given)} numbers for {len(counts)} classes; "
                "give one per class"
            )
        return (given * counts.sum() / (given * counts).sum()).astype(np.float32)


@dataclass(frozen=True)
class TuneOptions(TrainOptions):
    """What to search with: a training's options, of which units, dropout and l2 are for the search to set.

    ``output`` is the folder of the study; an earlier study in it is gone on with.
    """

    trials: int = option(20, "trials in all, those of earlier runs included")
    max_epochs: int = option(15, "most passes over the training examples in a trial")

    def __post_init__(self) -> None:
        super().__post_init__()
        within("trials", self.trials, 1, 100_000, int)

    def for_trial(self, found: Mapping[str, Any]) -> TrainOptions:
        """Returns the options of a training with the values that a trial proposes."""
        kept = {field.name: getattr(self, field.name) for field in dataclasses.fields(TrainOptions)}
        return TrainOptions(**{**kept, **found})


def _given_weights(text: str) -> npt.NDArray[np.float64]:
    try:
        values = np.array([float(part) for part in text.split(",")])
    except (ValueError, AttributeError):
        values = np.zeros(1)
    if not (np.isfinite(values).all() and (values > 0).all()):
        raise OptionError(f"class_weight is {text!r}; expected auto, none, or positive numbers such as 1,5")
    return values
