"""The network: events embedded and encoded in order, metadata beside them, merged into one logit per class.

The events of an instance are read by a GRU (Cho et al. 2014, https://arxiv.org/abs/1406.1078) or by 1-D convolutions
(Kim 2014, https://arxiv.org/abs/1408.5882). Shapes: B instances of at most T steps, S steps in all, K set hash bits in
all, F features a step, M categorical and V numeric features an instance, E embedding units, U units, C classes.
"""

import math
from collections.abc import Collection, Iterator, Mapping

import keras
import numpy as np
import tensorflow as tf

from models.behavior.layout import Layout
from models.behavior.options import NetworkOptions


class BehaviorNetwork(keras.Model):
    """Maps the arrays of ``Packed`` to logits, float32 (B, C).

    No result depends on what else is in the batch: padding is masked everywhere.
    """

    def __init__(self, layout: Layout, options: NetworkOptions, seed: int = 0) -> None:
        super().__init__(name="behavior")
        seeds = iter(np.random.SeedSequence(seed).generate_state(32).tolist())
        self.layout = layout
        self.l2 = options.l2
        # A step is the sum of the rows it sets, one per hash bucket and one per feature: its multi-hot vector times a
        # matrix, without ever being 1,024 wide.
        self.hash_table = self.add_weight(
            (layout.hash_size, options.embedding_units), _normal(0.1, seeds), name="hash_table"
        )
        self.step_table = self.add_weight(
            (sum(layout.steps.values()), options.embedding_units), _normal(0.03, seeds), name="step_table"
        )
        self.category_table = self.add_weight(
            (sum(layout.categories.values()), options.units), _normal(0.1, seeds), name="category_table"
        )
        # oneDNN aborts the process on a matrix without columns, so without numbers there is nothing to multiply with.
        self.numbers = _dense(len(layout.numbers), options.units, None, seeds) if layout.numbers else None
        self.metadata = _dense(options.units, options.units, "relu", seeds)
        self.encoders = _encoders(options, seeds)
        self.merge = _dense(4 * options.units, options.units, "relu", seeds)
        self.drop_events = keras.layers.Dropout(options.dropout, seed=next(seeds))
        self.drop_merged = keras.layers.Dropout(options.dropout, seed=next(seeds))
        self.head = _dense(options.units, layout.classes, None, seeds)

    def call(self, batch: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Returns logits, float32 (B, C)."""
        events = self.embed(batch)  # (S, E)
        events = tf.RaggedTensor.from_row_lengths(events, batch["lengths"], validate=False).to_tensor()  # (B, T, E)
        mask = tf.sequence_mask(batch["lengths"])  # (B, T)
        events = self.drop_events(events, training=training)
        sequence = self.encode(events, mask)  # (B, 3 U)
        metadata = self.metadata(self.describe(batch))  # (B, U)
        merged = self.merge(tf.concat([sequence, metadata], axis=1))  # (B, U)
        return self.head(self.drop_merged(merged, training=training))  # (B, C)

    def embed(self, batch: dict[str, tf.Tensor]) -> tf.Tensor:
        """Returns the sum of the rows that each step sets, float32 (S, E)."""
        steps = tf.shape(batch["steps"])[0]
        of_step = tf.repeat(tf.range(steps), batch["hash_lengths"])  # (K,)
        bits = tf.gather(self.hash_table, batch["hash_values"])  # (K, E)
        events = tf.math.unsorted_segment_sum(bits, of_step, steps)  # (S, E)
        sizes = self.layout.steps
        return events + _sum_rows(self.step_table, batch["steps"], sizes, frozenset(sizes))

    def describe(self, batch: dict[str, tf.Tensor]) -> tf.Tensor:
        """Returns one-hots and numbers of each instance times a matrix, float32 (B, U)."""
        layout = self.layout
        described = _sum_rows(self.category_table, batch["categories"], layout.categories, layout.ordered)
        return described if self.numbers is None else described + self.numbers(batch["numbers"])

    def encode(self, events: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """Returns the last output, the mean and the maximum of the encoder's real outputs, float32 (B, 3 U)."""
        real = tf.cast(mask, tf.float32)[:, :, None]  # (B, T, 1)
        for encoder in self.encoders:
            recurrent = isinstance(encoder, keras.layers.GRU)
            # Convolutions see zeros beyond the end, as they do before the start.
            events = encoder(events, mask=mask) if recurrent else encoder(events * real)  # (B, T, U)
        count = tf.reduce_sum(real, axis=1)  # (B, 1)
        last = tf.gather(events, tf.cast(count[:, 0], tf.int32) - 1, axis=1, batch_dims=1)  # (B, U)
        mean = tf.reduce_sum(events * real, axis=1) / count
        largest = tf.reduce_max(tf.where(real > 0, events, -math.inf), axis=1)
        return tf.concat([last, mean, largest], axis=1)

    def penalty(self) -> tf.Tensor:
        """Returns the L2 term of the loss, float32 (): ``l2`` times the sum of squared weights, biases left out."""
        return self.l2 * tf.add_n([tf.reduce_sum(tf.square(v)) for v in self.trainable_variables if v.ndim > 1])


Seeds = Iterator[int]


def _sum_rows(table: tf.Tensor, values: tf.Tensor, sizes: Mapping[str, int], ordered: Collection[str]) -> tf.Tensor:
    """Returns the sum of the rows that the values of each feature choose, float32 (N, width).

    Bucket k of a number stands for the sum of rows 0 to k ("thermometer" coding), so that a row is the step from one
    bucket to the next, and the penalty on rows makes neighbouring buckets alike. A category has a row of its own.

    Args:
        table: float32 (sum of sizes, width).
        values: int32 (N, features).
        sizes: name -> number of values, in the order of the columns.
        ordered: names of the features that are buckets of a number.
    """
    if not sizes:
        return tf.zeros([tf.shape(values)[0], table.shape[1]])
    parts = tf.split(tf.convert_to_tensor(table), list(sizes.values()))
    rows = tf.concat([tf.cumsum(part) if name in ordered else part for name, part in zip(sizes, parts, strict=True)], 0)
    starts = np.cumsum([0, *sizes.values()], dtype=np.int32)[:-1]
    return tf.reduce_sum(tf.gather(rows, values + starts), axis=1)


def _normal(scale: float, seeds: Seeds) -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=scale, seed=next(seeds))


def _dense(inputs: int, units: int, activation: str | None, seeds: Seeds) -> keras.layers.Dense:
    initial = keras.initializers.GlorotUniform(next(seeds))
    layer = keras.layers.Dense(units, activation=activation, kernel_initializer=initial)
    layer.build((None, inputs))
    return layer


def _encoders(options: NetworkOptions, seeds: Seeds) -> list[keras.layers.Layer]:
    """Returns one GRU, or two convolutions that together see five events."""
    initial, seed = keras.initializers.GlorotUniform(next(seeds)), next(seeds)
    if options.encoder == "gru":
        square = keras.initializers.Orthogonal(seed=next(seeds))
        layers = [
            keras.layers.GRU(
                options.units,
                return_sequences=True,
                kernel_initializer=initial,
                recurrent_initializer=square,
                seed=seed,  # of dropout inside the cell, of which there is none; but the counter is a variable
            )
        ]
    else:
        layers = [
            keras.layers.Conv1D(options.units, 3, padding="same", activation="relu", kernel_initializer=kernel)
            for kernel in (initial, keras.initializers.GlorotUniform(next(seeds)))
        ]
    width = options.embedding_units
    for layer in layers:
        layer.build((None, None, width))
        width = options.units
    return layers
