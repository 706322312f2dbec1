"""Export: network and calibrator as one frozen TensorFlow graph that answers one instance a call.

One instance a call, because a batch of another size may be added up in another order: so the bits of a prediction never
depend on what it was asked together with.
"""

from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from models.artifact import DESCRIPTION_FILE, write_json
from models.behavior.network import BehaviorNetwork

MODEL_FILE = "model.pb"
FORMAT = "tensorflow.GraphDef"


def export(
    network: BehaviorNetwork,
    weight: npt.NDArray[np.float32],
    bias: npt.NDArray[np.float32],
    fingerprint: str,
    folder: Path,
) -> None:
    """Writes ``model.pb``, the frozen graph, and ``model.json``, which says what goes in and comes out.

    Args:
        network: trained.
        weight: float32 (C, C) of matrix scaling; the identity where it was not kept.
        bias: float32 (C,) of matrix scaling.
        fingerprint: of the feature spec that the instances are coded with.
        folder: where to write.
    """
    layout = network.layout
    signature = {
        "hash_lengths": tf.TensorSpec([None], tf.int32, "hash_lengths"),  # (S,)
        "hash_values": tf.TensorSpec([None], tf.int32, "hash_values"),  # (K,)
        "steps": tf.TensorSpec([None, len(layout.steps)], tf.int32, "steps"),  # (S, F)
        "categories": tf.TensorSpec([len(layout.categories)], tf.int32, "categories"),  # (M,)
        "numbers": tf.TensorSpec([len(layout.numbers)], tf.float32, "numbers"),  # (V,)
    }

    @tf.function(input_signature=[signature])
    def answer(instance: dict[str, tf.Tensor]) -> tf.Tensor:
        alone = {
            **instance,
            "lengths": tf.shape(instance["hash_lengths"]),  # (1,)
            "categories": instance["categories"][None],
            "numbers": instance["numbers"][None],
        }
        logits = network(alone)  # (1, C)
        return tf.nn.softmax(tf.matmul(logits, weight, transpose_b=True) + bias)[0]  # (C,)

    # The while loop of the GRU stays functional: a third faster than the lowered form in one session call.
    frozen = convert_variables_to_constants_v2(answer.get_concrete_function(), lower_control_flow=False)
    (folder / MODEL_FILE).write_bytes(frozen.graph.as_graph_def().SerializeToString(deterministic=True))
    description = {
        "format": FORMAT,
        "tensorflow": version("tensorflow"),
        "fingerprint": fingerprint,
        "inputs": [_describe(tensor.name.partition(":")[0], tensor) for tensor in frozen.inputs],
        "outputs": [_describe("probabilities", frozen.outputs[0])],
    }
    write_json(folder / DESCRIPTION_FILE, description)


def _describe(name: str, tensor: tf.Tensor) -> dict[str, object]:
    return {"name": name, "tensor": tensor.name, "dtype": tensor.dtype.name, "shape": tensor.shape.as_list()}
