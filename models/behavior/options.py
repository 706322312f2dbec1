"""TrainOptions: everything that decides a training run, refused at start-up when impossible."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from features.errors import AuguryError

ENCODERS = ("gru", "cnn")
"""The sequence encoders."""


class OptionError(AuguryError, ValueError):
    """An unknown option or an impossible value."""


def option(default: Any, meaning: str) -> Any:
    """Returns a dataclass field with its default and the text that ``--help`` shows."""
    return dataclasses.field(default=default, metadata={"help": meaning})


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
            _check(name, getattr(self, name), 1, 4096, int)
        _check("dropout", self.dropout, 0.0, 0.95, float)
        _check("l2", self.l2, 0.0, 1.0, float)


@dataclass(frozen=True)
class TrainOptions(NetworkOptions):
    """What to train on, where to write, and how to train."""

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
    resume: bool = option(False, "go on from the checkpoint in the work folder, where there is one")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("examples", "output"):
            if not getattr(self, name):
                raise OptionError(f"{name} is missing; name a folder with --{name}")
        _check("learning_rate", self.learning_rate, 1e-8, 1.0, float)
        _check("batch_size", self.batch_size, 1, 1_000_000, int)
        _check("max_epochs", self.max_epochs, 1, 100_000, int)
        _check("patience", self.patience, 1, 100_000, int)
        _check("seed", self.seed, 0, 2**31 - 1, int)
        if self.class_weight not in ("auto", "none"):
            _given_weights(self.class_weight)

    @property
    def work_folder(self) -> str:
        """Where checkpoints and TensorBoard logs are."""
        return self.work_dir or f"{self.output.rstrip('/')}.work"

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

    def to_dict(self) -> dict[str, Any]:
        """Returns the options as JSON-able values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Makes options from a mapping.

        Raises:
            OptionError: a key is unknown, or a value impossible.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        for name in values:
            if name not in known:
                raise OptionError(f"unknown option {name!r}; expected one of {', '.join(sorted(known))}")
        return cls(**values)


@dataclass(frozen=True)
class TuneOptions(TrainOptions):
    """What to search with: a training's options, of which units, dropout and l2 are for the search to set.

    ``output`` is the folder of the study; an earlier study in it is gone on with.
    """

    trials: int = option(20, "trials in all, those of earlier runs included")
    max_epochs: int = option(15, "most passes over the training examples in a trial")

    def __post_init__(self) -> None:
        super().__post_init__()
        _check("trials", self.trials, 1, 100_000, int)

    def for_trial(self, found: Mapping[str, Any]) -> TrainOptions:
        """Returns the options of a training with the values that a trial proposes."""
        kept = {field.name: getattr(self, field.name) for field in dataclasses.fields(TrainOptions)}
        return TrainOptions(**{**kept, **found})


def _check(name: str, value: Any, low: float, high: float, kind: type) -> None:
    fits = isinstance(value, (int, float) if kind is float else int) and not isinstance(value, bool)
    if not fits or not math.isfinite(value) or not low <= value <= high:
        expected = "a whole number" if kind is int else "a number"
        raise OptionError(f"{name} is {value!r}; expected {expected} from {low:g} to {high:g}")


def _given_weights(text: str) -> npt.NDArray[np.float64]:
    try:
        values = np.array([float(part) for part in text.split(",")])
    except (ValueError, AttributeError):
        values = np.zeros(1)
    if not (np.isfinite(values).all() and (values > 0).all()):
        raise OptionError(f"class_weight is {text!r}; expected auto, none, or positive numbers such as 1,5")
    return values
