"""Boosted trees of one target: an ensemble for every draw of the products, so that answers say how sure they are.

A row is a binomial count: ``count`` of ``among`` messages. Its log likelihood is
``among * (y log p + (1 - y) log(1 - p))`` with ``y = count / among``, so one row with the label ``y`` and the weight
``among`` has the gradient ``among * (p - y)`` and the second derivative ``among * p (1 - p)`` that ``count`` rows with
label 1 and ``among - count`` rows with label 0 would have together.

The members are trained on products drawn with replacement (the cluster bootstrap: Davison and Hinkley, "Bootstrap
methods and their application", 1997, section 3.8). Every member grows ``GROWN_ON`` times as many trees as predict best:
the mean of the margins of the first ones is the answer (bagging: Breiman, "Bagging predictors", 1996); the spread of
all is its uncertainty. Where trees stop as soon as they predict best, what they have not learnt yet is as large as
their spread, and intervals made of that hold the truth too seldom; further on it is small (undersmoothing: Hall, "The
bootstrap and Edgeworth expansion", 1992, section 4.4). docs/conversion-model.md has the measured coverage.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xgboost as xgb

from models.artifact import PredictorError

Floats = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

GROWN_ON = 3


@dataclass(frozen=True)
class TreeOptions:
    """What a search may choose; as in XGBoost, ``min_child_weight`` in messages times p (1 - p)."""

    max_depth: int = 4
    learning_rate: float = 0.08
    min_child_weight: float = 5.0
    subsample: float = 0.8
    colsample: float = 0.8
    l2: float = 1.0


@dataclass(frozen=True, eq=False)
class Counts:
    """The rows of a target.

    Attributes:
        matrix: float32 (N, F), what the trees see; NaN is missing.
        kinds: (F,) "q" for a number, "c" for the code of a category.
        count: int64 (N,).
        among: int64 (N,), above 0.
        product: int64 (N,), whose row it is: 0 to P - 1, each of them there.
    """

    matrix: Matrix
    kinds: Sequence[str]
    count: Ints
    among: Ints
    product: Ints

    @property
    def rate(self) -> float:
        """The share of all."""
        return float(self.count.sum() / self.among.sum())


@dataclass(frozen=True)
class Stopping:
    """When to stop: after ``patience`` rounds without a lower validation loss, and after ``rounds`` at the latest."""

    rounds: int
    patience: int


class Grower:
    """Grows trees on the rows of a target; the bins of the columns are found once.

    Args:
        train: to learn from.
        validation: other products, which say when to stop.
        stopping: when.
        seed: of the samples of rows and columns.
        threads: of the CPU.
    """

    def __init__(self, train: Counts, validation: Counts, stopping: Stopping, seed: int, threads: int) -> None:
        self.train, self.validation = train, validation
        self.stopping, self.seed, self.threads = stopping, seed, threads
        self._fit = self._matrix(train)
        self._judge = self._matrix(validation, self._fit)

    def _matrix(self, rows: Counts, like: xgb.QuantileDMatrix | None = None) -> xgb.QuantileDMatrix:
        return xgb.QuantileDMatrix(
            rows.matrix,
            label=(rows.count / rows.among).astype(np.float32),
            weight=rows.among.astype(np.float32),
            feature_types=list(rows.kinds),
            enable_categorical=True,
            ref=like,
            nthread=self.threads,
        )

    def _parameters(self, options: TreeOptions, seed: int) -> dict[str, Any]:
        given = asdict(options)
        renamed = {"colsample_bytree": given.pop("colsample"), "lambda": given.pop("l2")}
        fixed = {"objective": "binary:logistic", "eval_metric": "logloss", "tree_method": "hist", "verbosity": 0}
        return {**fixed, **given, **renamed, "base_score": self.train.rate, "nthread": self.threads, "seed": seed}

    def judge(self, options: TreeOptions) -> tuple[float, int]:
        """Returns the lowest validation log loss for each message, and the rounds it took."""
        seen: dict[str, dict[str, list[float]]] = {}
        xgb.train(
            self._parameters(options, self.seed),
            self._fit,
            self.stopping.rounds,
            evals=[(self._judge, "validation")],
            early_stopping_rounds=self.stopping.patience,
            evals_result=seen,
            verbose_eval=False,
        )
        losses = seen["validation"]["logloss"]
        best = int(np.argmin(losses))
        return losses[best], best + 1

    def members(self, options: TreeOptions, rounds: int, members: int) -> "Trees":
        """Returns an ensemble for ``members`` draws of the training products; ``rounds`` trees of each answer."""
        grown = []
        products = int(self.train.product.max()) + 1
        try:
            for member in range(members):
                random = np.random.default_rng([self.seed, member])
                drawn = random.multinomial(products, np.full(products, 1 / products))
                self._fit.set_weight((self.train.among * drawn[self.train.product]).astype(np.float32))
                grown.append(xgb.train(self._parameters(options, self.seed + member), self._fit, rounds * GROWN_ON))
        finally:
            self._fit.set_weight(self.train.among.astype(np.float32))
        return Trees(grown, rounds)


class Trees:
    """The trained members of one target.

    Args:
        members: at least two.
        rounds: trees of each that the answer is made of; the others tell of its uncertainty.
    """

    def __init__(self, members: Sequence[xgb.Booster], rounds: int) -> None:
        self._members, self.rounds = list(members), rounds

    def __len__(self) -> int:
        return len(self._members)

    def answer(self, matrix: Matrix) -> Floats:
        """Returns the log odds of rows, float64 (N,), of what the trees see, float32 (N, F).

        A row's bits do not depend on the rows beside it; so for ``margins``.
        """
        return np.asarray(self._margins(matrix, self.rounds).mean(axis=0))

    def margins(self, matrix: Matrix) -> Floats:
        """Returns the log odds that each member gives with all its trees, float64 (B, N)."""
        return self._margins(matrix, 0)

    def _margins(self, matrix: Matrix, rounds: int) -> Floats:
        if not len(matrix):
            return np.zeros((len(self), 0))
        used = {"iteration_range": (0, rounds), "predict_type": "margin"}
        return np.stack([member.inplace_predict(matrix, **used) for member in self._members]).astype(np.float64)

    def save(self, folder: Path) -> None:
        """Writes every member as a file in XGBoost's binary JSON (UBJSON)."""
        folder.mkdir(parents=True)
        for index, member in enumerate(self._members):
            (folder / f"member-{index:03d}.ubj").write_bytes(bytes(member.save_raw("ubj")))

    @classmethod
    def load(cls, folder: Path, members: int, rounds: int, columns: int) -> "Trees":
        """Reads what ``save`` wrote.

        Raises:
            PredictorError: a file is missing, is no model, or is one of other columns or fewer trees.
        """
        found = []
        for index in range(members):
            path = folder / f"member-{index:03d}.ubj"
            booster = xgb.Booster({"nthread": 1})
            try:
                booster.load_model(bytearray(path.read_bytes()))
            except (OSError, ValueError, xgb.core.XGBoostError) as e:
                reason = " ".join(str(e).split())[:200]
                raise PredictorError(
                    f"cannot read the trees {path} ({reason}); open the version again, or train again"
                ) from e
            if booster.num_features() != columns or booster.num_boosted_rounds() < rounds:
                raise PredictorError(
                    f"{path} has {booster.num_boosted_rounds()} trees on {booster.num_features()} columns; expected at "
                    f"least {rounds} on {columns}: open the version again, or train again"
                )
            found.append(booster)
        return cls(found, rounds)


def tree_options(values: Mapping[str, Any]) -> TreeOptions:
    """Returns the options of trees among other options."""
    return TreeOptions(**{name: values[name] for name in TreeOptions.__dataclass_fields__})
