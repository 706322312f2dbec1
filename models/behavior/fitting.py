"""Fitting the network: Adam on weighted cross entropy with early stopping, from a checkpoint where there is one.

Everything random is a function of (seed, epoch) or lives in the checkpoint, so a training that was killed and resumed
ends with the same bits as one that was not.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from models.behavior.layout import Packed
from models.behavior.network import BehaviorNetwork
from models.behavior.options import TrainOptions
from models.checkpoint import TrainingError
from models.progress import Progress

_POOL_BATCHES = 32
_AVERAGING = 0.998
_PREDICT_BATCH = 4096


class Labelled(NamedTuple):
    """Instances and their classes, int64 (N,)."""

    packed: Packed
    labels: npt.NDArray[np.int64]


@dataclass
class FitState:
    """Where a training stands after an epoch: with the weights and Adam's moments, all that the next epoch needs.

    Attributes:
        history: one entry per epoch.
        best_loss: lowest validation loss so far, with the weights of its epoch in ``best``.
        waited: epochs since then.
        finished: early stopping, or the last epoch, has ended the training.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    best_loss: float = math.inf
    waited: int = 0
    finished: bool = False
    best: list[npt.NDArray[Any]] = field(default_factory=list)


class Fitter:
    """Trains one network; what is judged and kept is the running average of its weights (Polyak & Juditsky 1992).

    The network's own logits stay honest: the loss sees them shifted by the logarithm of the class weights, because the
    minimiser of weighted cross entropy is the true distribution times the weights (Elkan 2001, "The foundations of
    cost-sensitive learning"). Without the shift a weight of 20 would show up as 20-fold odds.
    """

    def __init__(self, network: BehaviorNetwork, train: Labelled, validation: Labelled, options: TrainOptions) -> None:
        self.network, self.train, self.validation, self.options = network, train, validation, options
        counts = np.bincount(train.labels, minlength=network.layout.classes)
        self.weights = options.weights(counts)
        self.state = FitState()
        network.head.bias.assign(np.log(counts / counts.sum()))  # start at the base rates
        # With its usual epsilon of 1e-7 Adam moves a weight that sees only noise as fast as one that matters.
        self.optimizer = keras.optimizers.Adam(options.learning_rate, epsilon=1e-4)
        self.optimizer.build(network.trainable_variables)
        self.averages = [tf.Variable(variable.value, trainable=False) for variable in network.trainable_variables]
        batch, labels = _signature(network), tf.TensorSpec([None], tf.int64)
        self._step = tf.function(self._train_step, input_signature=[batch, labels])
        self._logits = tf.function(network, input_signature=[batch])

    @property
    def variables(self) -> list[keras.Variable | tf.Variable]:
        """Everything that changes in training: weights, the counters of dropout, averages, Adam's moments."""
        return [*self.network.variables, *self.averages, *self.optimizer.variables]

    def run(self, after_epoch: Callable[[FitState], None], progress: Progress) -> None:
        """Trains until early stopping or the last epoch, then restores the weights of the best epoch.

        Args:
            after_epoch: called after each epoch; saves the checkpoint, writes logs, may raise to end the training.
            progress: told of the steps done.

        Raises:
            TrainingError: the loss is no longer a number.
        """
        while not self.state.finished:
            self.run_epoch(progress)
            after_epoch(self.state)
        _assign(self.network.trainable_variables, self.state.best)

    def run_epoch(self, progress: Progress) -> None:
        """Trains for one epoch and judges it on the validation examples."""
        state, options = self.state, self.options
        epoch = len(state.history)
        batches = epoch_batches(self.train.packed.lengths, options.batch_size, options.seed, epoch)
        total, note = tf.zeros(()), f"epoch {epoch + 1}"
        for index, rows in enumerate(batches):
            total += self._step(_tensors(self.train.packed.take(rows)), tf.constant(self.train.labels[rows]))
            if index % 10 == 0 or index + 1 == len(batches):
                progress("train", index + 1, len(batches), note)
        weights = [variable.numpy() for variable in self.network.trainable_variables]
        averages = [variable.numpy() for variable in self.averages]
        _assign(self.network.trainable_variables, averages)
        loss = cross_entropy(self.predict(self.validation.packed), self.validation.labels)
        _assign(self.network.trainable_variables, weights)
        if not math.isfinite(loss):
            raise TrainingError(
                f"the validation loss is {loss} after epoch {epoch + 1}; lower --learning-rate "
                f"(now {options.learning_rate:g})"
            )
        state.history.append(
            {
                "epoch": epoch + 1,
                "train_loss": float(total) / len(self.train.labels),
                "validation_loss": loss,
            }
        )
        if loss < state.best_loss:
            state.best_loss, state.waited, state.best = loss, 0, averages
        else:
            state.waited += 1
        state.finished = state.waited >= options.patience or epoch + 1 >= options.max_epochs

    def predict(self, packed: Packed) -> npt.NDArray[np.float32]:
        """Returns the logits, float32 (N, C)."""
        logits = np.empty((len(packed), self.network.layout.classes), np.float32)
        order = np.argsort(packed.lengths, kind="stable")
        for start in range(0, len(order), _PREDICT_BATCH):
            rows = order[start : start + _PREDICT_BATCH]
            logits[rows] = self._logits(_tensors(packed.take(rows))).numpy()
        return logits

    def _train_step(self, batch: dict[str, tf.Tensor], labels: tf.Tensor) -> tf.Tensor:
        """Takes one step of Adam; returns the sum of the weighted losses of the batch, float32 ()."""
        with tf.GradientTape() as tape:
            logits = self.network(batch, training=True) + np.log(self.weights)  # (B, C)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)  # (B,)
            losses *= tf.gather(tf.constant(self.weights), labels)
            loss = tf.reduce_mean(losses) + self.network.penalty()
        variables = self.network.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        steps = tf.cast(self.optimizer.iterations, tf.float32)
        keep = tf.minimum(_AVERAGING, steps / (steps + 10))  # the first steps are forgotten soon
        for average, variable in zip(self.averages, variables, strict=True):
            average.assign(keep * average + (1 - keep) * variable.value)
        return tf.reduce_sum(losses)


def epoch_batches(
    lengths: npt.NDArray[np.int32], batch_size: int, seed: int, epoch: int
) -> list[npt.NDArray[np.int64]]:
    """Returns the rows of each batch of an epoch: every row once, in an order that (seed, epoch) decides.

    Rows are shuffled, then sorted by length within pools of 32 batches, so that a batch holds instances of like
    length and little padding.

    Args:
        lengths: int32 (N,) steps of each instance.
        batch_size: rows in a batch; the last one may be smaller.
        seed: of the training.
        epoch: counted from 0.
    """
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(lengths))
    pool = batch_size * _POOL_BATCHES
    batches = []
    for start in range(0, len(order), pool):
        rows = order[start : start + pool]
        rows = rows[np.argsort(lengths[rows], kind="stable")]
        batches += np.split(rows, range(batch_size, len(rows), batch_size))
    return [batches[index] for index in random.permutation(len(batches))]


def softmax(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Returns probabilities, float64 (N, C), of logits (N, C)."""
    exponentials = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def cross_entropy(logits: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> float:
    """Returns the mean of -log p(label), in nats, without class weights."""
    chances = softmax(logits)[np.arange(len(labels)), labels]
    return float(np.mean(-np.log(np.maximum(chances, np.finfo(np.float64).tiny))))


def _assign(variables: Sequence[keras.Variable], values: Sequence[npt.NDArray[Any]]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _tensors(packed: Packed) -> dict[str, tf.Tensor]:
    return {name: tf.constant(values) for name, values in packed.arrays().items()}


def _signature(network: BehaviorNetwork) -> dict[str, tf.TensorSpec]:
    layout = network.layout
    return {
        "lengths": tf.TensorSpec([None], tf.int32),
        "hash_lengths": tf.TensorSpec([None], tf.int32),
        "hash_values": tf.TensorSpec([None], tf.int32),
        "steps": tf.TensorSpec([None, len(layout.steps)], tf.int32),
        "categories": tf.TensorSpec([None, len(layout.categories)], tf.int32),
        "numbers": tf.TensorSpec([None, len(layout.numbers)], tf.float32),
    }
