"""A model made by hand, in which one event decides and no other counts: 'Product Added' was seen, or it was not.

The weights are set so that the largest output of the GRU, which alone is read, is 0.5 at such an event and falls after
it; every other event is nothing to it.
"""

import shutil
from pathlib import Path

import numpy as np

from features.hashing import bucket_of
from models.behavior import golden
from models.behavior.export import export
from models.behavior.layout import Layout
from models.behavior.network import BehaviorNetwork
from models.behavior.options import NetworkOptions
from models.behavior.predictor import Predictor
from tests.tiny_model import SPEC, artifact

DECIDES = "Product Added"
UNITS, WIDTH = 4, 3


def write_deciding_model(folder: Path) -> Path:
    """Writes an artifact whose answer is softmax(0, 2) where the event was seen and softmax(0, -2) where it was not."""
    shutil.copytree(artifact(), folder)
    network = BehaviorNetwork(Layout.of(SPEC), NetworkOptions(units=UNITS, embedding_units=WIDTH))
    for variable in network.trainable_variables:
        variable.assign(np.zeros(variable.shape, np.float32))
    table = np.zeros(network.hash_table.shape, np.float32)
    table[bucket_of(f"event={DECIDES}", SPEC.hash.size, SPEC.hash.seed)] = 100.0
    network.hash_table.assign(table)
    [gru] = network.encoders
    kernel = np.zeros(gru.cell.kernel.shape, np.float32)
    kernel[:, 2 * UNITS :] = 1.0  # of the candidate: tanh(300) is 1, and half of it is taken over
    gru.cell.kernel.assign(kernel)
    merge = np.zeros(network.merge.kernel.shape, np.float32)
    merge[2 * UNITS : 3 * UNITS] = np.eye(UNITS)  # the largest outputs
    network.merge.kernel.assign(merge)
    head = np.zeros(network.head.kernel.shape, np.float32)
    head[:, 1] = 2.0  # 4 units of 0.5, twice
    network.head.kernel.assign(head)
    network.head.bias.assign(np.array([0.0, -2.0], np.float32))
    export(network, np.eye(2, dtype=np.float32), np.zeros(2, np.float32), SPEC.fingerprint, folder)
    instances, _ = golden.read(folder)
    golden.write(folder, instances, golden.predict_raw(Predictor.load(folder), instances))
    return folder
