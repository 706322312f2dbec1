"""What a user would have built instead: gradient-boosted trees on aggregates of the same instances; and the base rate.

The trees see the very columns that the network sees, folded into one row per instance: how often each hash bit occurs,
how recently (a count that halves with every few events), the bits of the last event, summaries and histograms of every
step feature (dwell, time of day, ...), the number of events, and the metadata.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import xgboost as xgb
from scipy import sparse

from features.errors import AuguryError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_ONE_HOT_UP_TO = 64


class BaselineError(AuguryError, ValueError):
    """Options or examples that no baseline can be trained with."""


class InstanceColumns(Protocol):
    """N coded instances as columns; ``features.coding.CodedInstances`` is one.

    Attributes:
        lengths: int64 (N,) steps of each instance.
        hash_values: int64, flat, the set bits of step after step.
        hash_lengths: int64 (sum(lengths),) bits of each step.
        steps: name -> int64 (sum(lengths),) bucket of each step.
        metadata: name -> int64 or float32 (N,), a bucket or a number.
    """

    @property
    def lengths(self) -> Ints: ...
    @property
    def hash_values(self) -> Ints: ...
    @property
    def hash_lengths(self) -> Ints: ...
    @property
    def steps(self) -> Mapping[str, Ints]: ...
    @property
    def metadata(self) -> Mapping[str, npt.NDArray[Any]]: ...


@dataclass(frozen=True)
class TreesOptions:
    """How to train the boosted trees; the defaults are good for ten thousand to a million examples.

    Attributes:
        rounds: most trees (per class, beyond two classes).
        patience: rounds without a lower validation log loss after which to stop; the best round is used.
        learning_rate, max_depth, max_bin, min_child_weight, subsample, colsample, l2: as in XGBoost.
        half_life: events after which an occurrence counts half in the recency-weighted counts.
        min_examples: bits that occur in fewer training examples are left out.
        threads: worker threads; on a busy machine a second one waits more than it works.
        seed: of the row and column samples.
    """

    rounds: int = 1000
    patience: int = 25
    learning_rate: float = 0.06
    max_depth: int = 4
    max_bin: int = 256
    min_child_weight: float = 5.0
    subsample: float = 0.8
    colsample: float = 0.5
    l2: float = 1.0
    half_life: float = 3.0
    min_examples: int = 20
    threads: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("rounds", "patience", "learning_rate", "max_depth", "half_life", "threads"):
            if getattr(self, name) <= 0:
                raise BaselineError(f"baseline option {name} is {getattr(self, name)}; expected a value above 0")


@dataclass(frozen=True)
class BoostedTrees:
    """Trained trees with the layout of the columns they were trained on.

    ``rounds`` is how many trees per class are used; ``history`` the validation log loss after each round trained.
    """

    booster: xgb.Booster
    layout: "Layout"
    classes: int
    rounds: int
    history: tuple[float, ...]

    def predict(self, columns: InstanceColumns) -> Floats:
        """Returns probabilities, float64 (N, C)."""
        matrix = xgb.DMatrix(self.layout.matrix(columns))
        found = self.booster.predict(matrix, iteration_range=(0, self.rounds)).astype(np.float64)
        return np.stack([1 - found, found], axis=1) if self.classes == 2 else found


def base_rate(labels: npt.ArrayLike, classes: int, examples: int) -> Floats:
    """Returns the rate of each class among the (training) ``labels`` as the prediction of every one of ``examples``."""
    counts = np.bincount(np.asarray(labels, np.int64), minlength=classes)
    if not counts.sum():
        raise BaselineError("no training labels to take the base rate of; check that the split is not empty")
    return np.tile(counts / counts.sum(), (examples, 1))


def train_boosted_trees(
    train: InstanceColumns,
    train_labels: npt.ArrayLike,
    validation: InstanceColumns,
    validation_labels: npt.ArrayLike,
    classes: int = 2,
    options: TreesOptions | None = None,
) -> BoostedTrees:
    """Trains XGBoost (histogram method) on aggregates, stopping early on the validation log loss.

    Examples are not weighted: trees trained on plain log loss are calibrated as they are.

    Raises:
        BaselineError: no examples, labels that do not fit, or one class only.
    """
    options = options or TreesOptions()
    labels, held_out = (
        _checked(part, found, classes) for part, found in ((train, train_labels), (validation, validation_labels))
    )
    if len(np.unique(labels)) < 2:
        raise BaselineError(f"all {len(labels)} training labels are {labels[0]}; expected at least two classes")
    layout = Layout.of(train, options)
    fit = xgb.QuantileDMatrix(layout.matrix(train), labels, max_bin=options.max_bin, nthread=options.threads)
    # Not a QuantileDMatrix: looking a value up in a sparse one made every round several times slower.
    judge = xgb.DMatrix(layout.matrix(validation), held_out, nthread=options.threads)
    several = {"objective": "multi:softprob", "eval_metric": "mlogloss", "num_class": classes}
    parameters = {
        **({"objective": "binary:logistic", "eval_metric": "logloss"} if classes == 2 else several),
        "tree_method": "hist",
        "learning_rate": options.learning_rate,
        "max_depth": options.max_depth,
        "max_bin": options.max_bin,
        "min_child_weight": options.min_child_weight,
        "subsample": options.subsample,
        "colsample_bytree": options.colsample,
        "lambda": options.l2,
        "nthread": options.threads,
        "seed": options.seed,
        "verbosity": 0,
    }
    seen: dict[str, dict[str, list[float]]] = {}
    booster = xgb.train(
        parameters,
        fit,
        options.rounds,
        evals=[(judge, "validation")],
        early_stopping_rounds=options.patience,
        evals_result=seen,
        verbose_eval=False,
    )
    (losses,) = seen["validation"].values()
    return BoostedTrees(booster, layout, classes, booster.best_iteration + 1, tuple(losses))


@dataclass(frozen=True)
class Layout:
    """Which column of the aggregates holds what; learnt from the training examples and the same for all others.

    Attributes:
        bits: int64, the hash bits that are used, ascending.
        step_sizes, metadata_sizes: name -> number of buckets; 0 for a number.
        half_life: of the recency-weighted counts, in events.
    """

    bits: Ints
    step_sizes: Mapping[str, int]
    metadata_sizes: Mapping[str, int]
    half_life: float

    @classmethod
    def of(cls, columns: InstanceColumns, options: TreesOptions) -> "Layout":
        """Learns the layout from training examples."""
        n, size = len(columns.lengths), int(columns.hash_values.max(initial=-1)) + 1
        examples = _counts(_instance_of_bit(columns), columns.hash_values, n, size).getnnz(axis=0)
        bits = np.flatnonzero(examples >= min(options.min_examples, n))
        steps = {name: int(found.max(initial=-1)) + 1 for name, found in columns.steps.items()}
        metadata = {
            name: int(found.max(initial=-1)) + 1 if found.dtype.kind in "iu" else 0
            for name, found in columns.metadata.items()
        }
        return cls(bits, steps, metadata, options.half_life)

    def matrix(self, columns: InstanceColumns) -> sparse.csr_matrix:
        """Returns the aggregates, float32 CSR (N, features); what is absent from a row is absent from the matrix."""
        return sparse.hstack([*self._hash_blocks(columns), *self._dense_blocks(columns)], format="csr")

    def _hash_blocks(self, columns: InstanceColumns) -> Iterator[sparse.spmatrix]:
        """Counts, recency-weighted counts and last event's bits, each (N, bits)."""
        n, lengths = len(columns.lengths), columns.lengths
        back = np.repeat(np.cumsum(lengths), lengths) - 1 - np.arange(int(lengths.sum()))  # events after this one
        column = np.searchsorted(self.bits, columns.hash_values)
        known = column < len(self.bits)
        known[known] = self.bits[column[known]] == columns.hash_values[known]
        row, column = _instance_of_bit(columns)[known], column[known]
        back = np.repeat(back, columns.hash_lengths)[known]
        shape = (n, len(self.bits))
        for weight in (np.ones(len(row)), 0.5 ** (back / self.half_life)):
            yield sparse.coo_matrix((weight.astype(np.float32), (row, column)), shape).tocsr()
        last = back == 0
        yield sparse.coo_matrix((np.ones(int(last.sum()), np.float32), (row[last], column[last])), shape).tocsr()

    def _dense_blocks(self, columns: InstanceColumns) -> Iterator[sparse.spmatrix]:
        """Summaries and histograms of the steps, the number of events, metadata as a number and as one-hot."""
        n, lengths = len(columns.lengths), columns.lengths
        row = np.repeat(np.arange(n), lengths)
        starts, some = np.cumsum(lengths) - lengths, lengths > 0
        yield _column(lengths + 1)
        for name, size in self.step_sizes.items():
            values = columns.steps[name]
            padded = np.append(values, 0)
            first, last = padded[np.minimum(starts, len(values))], padded[np.maximum(starts + lengths - 1, 0)]
            previous = np.where(lengths > 1, padded[np.maximum(starts + lengths - 2, 0)], -1)
            mean = np.bincount(row, values, minlength=n) / np.maximum(lengths, 1)
            low, high = (_reduce(ufunc, values, starts, some) for ufunc in (np.minimum, np.maximum))
            # One is added since 0 is stored nowhere, and what is not stored is "missing" to the trees, not "least".
            for found in (first, last, previous, mean, low, high):
                yield _column(np.where(some, found + 1, 0))
            yield _counts(row, values, n, size)
        for name, size in self.metadata_sizes.items():
            values = columns.metadata[name]
            if not size:
                # NaN is XGBoost's "missing"; a number is moved by one so that 0 is stored.
                yield sparse.csr_matrix(values.astype(np.float32)[:, None] + np.float32(1))
                continue
            yield _column(values + 1)
            if size <= _ONE_HOT_UP_TO:
                yield _counts(np.arange(n), values, n, size)


def _checked(columns: InstanceColumns, labels: npt.ArrayLike, classes: int) -> Ints:
    y = np.asarray(labels)
    if y.shape != columns.lengths.shape or not len(y):
        raise BaselineError(f"{y.shape} labels for {len(columns.lengths)} instances; expected as many, at least one")
    if y.dtype.kind not in "iub" or y.min() < 0 or y.max() >= classes:
        raise BaselineError(f"labels from {y.min()} to {y.max()} ({y.dtype}); expected 0 to {classes - 1}")
    return y.astype(np.int64)


def _instance_of_bit(columns: InstanceColumns) -> Ints:
    return np.repeat(np.repeat(np.arange(len(columns.lengths)), columns.lengths), columns.hash_lengths)


def _column(values: npt.NDArray[Any]) -> sparse.spmatrix:
    return sparse.csr_matrix(values.astype(np.float32)[:, None])


def _counts(row: Ints, values: Ints, n: int, size: int) -> sparse.csr_matrix:
    """How often each bucket below ``size`` occurs in each row; a bucket never seen in training is left out."""
    known = (values >= 0) & (values < size)
    ones = np.ones(int(known.sum()), np.float32)
    return sparse.coo_matrix((ones, (row[known], values[known])), (n, size)).tocsr()


def _reduce(ufunc: np.ufunc, values: Ints, starts: Ints, some: npt.NDArray[np.bool_]) -> Ints:
    found = np.zeros(len(starts), np.int64)
    if some.any():
        found[some] = ufunc.reduceat(values, starts[some])
    return found
