"""Predictor: the frozen graph of an artifact, asked one instance at a time. No Keras, no training code."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from google.protobuf.message import DecodeError

from features.coding import CodedInstances
from features.spec import FeatureSpec
from features.storage import read_bytes
from models.artifact import DESCRIPTION_FILE, PredictorError, read_description
from models.behavior.layout import Layout, Packed, pack

__all__ = ["Predictor", "PredictorError"]

_FORMAT = "tensorflow.GraphDef"


class Predictor:
    """A loaded model; safe to call from several threads.

    Attributes:
        spec: the feature spec that instances must be coded with.
        classes: number of classes C.
    """

    def __init__(self, spec: FeatureSpec, graph: tf.Graph, inputs: list[dict[str, str]], output: str) -> None:
        self.spec = spec
        self.classes = spec.classes
        self._layout = Layout.of(spec)
        self._names = [item["name"] for item in inputs]
        # One graph call is too small to share out among threads, and rewriting the graph at load time (Grappler) works
        # against a clock: without it the same file always runs as the same operations.
        config = tf.compat.v1.ConfigProto(inter_op_parallelism_threads=1, intra_op_parallelism_threads=1)
        config.graph_options.rewrite_options.disable_meta_optimizer = True
        session = tf.compat.v1.Session(graph=graph, config=config)
        self._call = session.make_callable(output, [item["tensor"] for item in inputs])

    @classmethod
    def load(cls, folder: str | Path, expected: FeatureSpec | None = None) -> "Predictor":
        """Loads the model of an artifact.

        Args:
            folder: of the artifact.
            expected: the spec that instances will be coded with, where it does not come from the artifact.

        Raises:
            PredictorError: the model belongs to another feature spec, or is not one.
            StorageError: a file is missing.
        """
        spec, description = read_description(folder, FeatureSpec, _FORMAT, expected)
        definition = tf.compat.v1.GraphDef()
        try:
            definition.ParseFromString(read_bytes(f"{folder}/model.pb"))
            with tf.Graph().as_default() as graph:
                tf.import_graph_def(definition, name="")
            return cls(spec, graph, description["inputs"], description["outputs"][0]["tensor"])
        except (DecodeError, ValueError, LookupError, TypeError) as e:
            raise PredictorError(
                f"{folder}/model.pb is not the graph that {DESCRIPTION_FILE} describes ({e}); train again"
            ) from e

    def predict(self, coded: CodedInstances) -> npt.NDArray[np.float32]:
        """Returns probabilities, float32 (N, C); each instance is a graph call of its own.

        Args:
            coded: N instances, coded by a ``FeatureCoder`` with this predictor's ``spec``.
        """
        return self.predict_packed(pack(coded, self._layout))

    def predict_packed(self, packed: Packed) -> npt.NDArray[np.float32]:
        """Returns probabilities, float32 (N, C), of packed instances."""
        found = np.empty((len(packed), self.classes), np.float32)
        step_ends = np.cumsum(packed.lengths)
        bit_ends = np.cumsum(packed.hash_lengths)
        first_step = first_bit = 0
        for row, last_step in enumerate(step_ends):
            last_bit = bit_ends[last_step - 1]
            instance = {
                "hash_lengths": packed.hash_lengths[first_step:last_step],
                "hash_values": packed.hash_values[first_bit:last_bit],
                "steps": packed.steps[first_step:last_step],
                "categories": packed.categories[row],
                "numbers": packed.numbers[row],
            }
            found[row] = self._call(*(instance[name] for name in self._names))
            first_step, first_bit = last_step, last_bit
        return found
