import json

import numpy as np
import pytest
import tensorflow as tf

from models.behavior.export import export
from models.behavior.fitting import softmax
from models.behavior.layout import Layout, pack
from models.behavior.network import BehaviorNetwork
from models.behavior.options import NetworkOptions
from models.behavior.predictor import Predictor


@pytest.fixture(scope="module", params=["gru", "cnn"])
def exported(request, make, tmp_path_factory):
    """A network, its calibrator and the folder that it was exported to."""
    folder = tmp_path_factory.mktemp("export")
    network = BehaviorNetwork(Layout.of(make.spec), NetworkOptions(encoder=request.param, units=16), seed=5)
    weight = np.array([[1.5, -0.25], [0.5, 1.25]], np.float32)
    bias = np.array([0.1, -0.3], np.float32)
    export(network, weight, bias, make.spec.fingerprint, folder)
    (folder / "feature_spec.json").write_text(make.spec.to_json())
    return network, weight, bias, folder


def test_the_frozen_graph_answers_as_the_network_and_its_calibrator(exported, make) -> None:
    network, weight, bias, folder = exported
    coded = make.raw_instances(50, seed=4).coded
    batch = {name: tf.constant(values) for name, values in pack(coded, network.layout).arrays().items()}
    expected = softmax(network(batch).numpy() @ weight.T + bias)
    found = Predictor.load(folder).predict(coded)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)


def test_bits_do_not_depend_on_what_else_is_asked(exported, make) -> None:
    predictor = Predictor.load(exported[-1])
    coded = make.raw_instances(40, seed=4).coded
    together = predictor.predict(coded)
    rows = np.random.default_rng(0).permutation(40)
    np.testing.assert_array_equal(predictor.predict(coded.take(rows)).view(np.uint32), together[rows].view(np.uint32))
    again = Predictor.load(exported[-1]).predict(coded)
    np.testing.assert_array_equal(again.view(np.uint32), together.view(np.uint32))


def test_no_instances_no_predictions(exported, make) -> None:
    coded = make.raw_instances(3, seed=4).coded.take(np.zeros(0, np.int64))
    assert Predictor.load(exported[-1]).predict(coded).shape == (0, 2)


def test_the_description_says_what_goes_in_and_out(exported, make) -> None:
    description = json.loads((exported[-1] / "model.json").read_text())
    assert description["fingerprint"] == make.spec.fingerprint
    assert {item["name"]: (item["dtype"], item["shape"]) for item in description["inputs"]} == {
        "categories": ("int32", [9]),
        "hash_lengths": ("int32", [None]),
        "hash_values": ("int32", [None]),
        "numbers": ("float32", [1]),
        "steps": ("int32", [None, 4]),
    }
    assert [(item["name"], item["shape"]) for item in description["outputs"]] == [("probabilities", [2])]


def test_the_graph_holds_no_variables_and_nothing_to_run_at_start(exported) -> None:
    graph = tf.compat.v1.GraphDef.FromString((exported[-1] / "model.pb").read_bytes())
    operations = {node.op for function in graph.library.function for node in function.node_def}
    operations |= {node.op for node in graph.node}
    assert not {name for name in operations if "Variable" in name or name in ("PyFunc", "ReadFile", "WriteFile")}
