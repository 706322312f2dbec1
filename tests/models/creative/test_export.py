import json

import numpy as np
import pytest
import torch

from features.creative_spec import CreativeSpec
from models import onnx_export
from models.artifact import PredictorError
from models.creative.export import compare, export
from models.creative.network import ServedNetwork, VariantNetwork
from models.creative.options import NetworkOptions
from models.creative.recognizer import Recognizer, probabilities
from models.onnx_export import ExportError

SPEC = CreativeSpec(width=48, height=48)


def trained(backbone="resnet18", **changes) -> VariantNetwork:
    """A network whose norms are not those that training begins with."""
    torch.manual_seed(0)
    network = VariantNetwork(NetworkOptions(backbone=backbone, **changes), 6)
    with torch.no_grad():
        network.train()(torch.randint(0, 256, (8, 3, 48, 48)))
    return network.eval()


def images(count: int):
    return np.random.default_rng(3).integers(0, 256, (count, 48, 48, 3), np.uint8)


@pytest.mark.parametrize("changes", [{}, {"image_size": 32, "tones": 0}, {"backbone": "resnet50"}])
def test_the_graph_answers_as_torch_does_for_any_batch(changes, tmp_path) -> None:
    network = trained(**changes)
    found = export(network, SPEC, tmp_path, list(images(3)))
    assert found.logits_max_abs <= 1e-4
    assert found.features_max_abs <= 1e-4
    assert compare(ServedNetwork(network), tmp_path / "model.onnx", images(1)).logits_max_abs <= 1e-4
    described = json.loads((tmp_path / "model.json").read_text())
    assert described["outputs"][0] == {"name": "logits", "dtype": "float32", "shape": [None, 6]}
    assert described["outputs"][1]["shape"] == [None, network.dimension]


def test_a_graph_that_answers_differently_is_refused(tmp_path, monkeypatch) -> None:
    network = trained()
    export(network, SPEC, tmp_path)
    with torch.no_grad():
        network.head.bias.add_(0.5)
    found = compare(ServedNetwork(network), tmp_path / "model.onnx", images(1))
    assert found.logits_max_abs == pytest.approx(0.5, abs=1e-3)
    assert found.features_max_abs < 1e-3
    monkeypatch.setattr(onnx_export, "PARITY", 0.0)
    with pytest.raises(ExportError, match="logits differ from torch's by .*; expected at most 0"):
        export(network, SPEC, tmp_path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("recognizer")
    export(trained(), SPEC, made)
    (made / "creative_spec.json").write_text(SPEC.to_json())
    return made


def test_the_recognizer_gives_torchs_vectors(folder) -> None:
    recognizer = Recognizer.load(folder, threads=1)
    found = recognizer.embed(images(3))
    with torch.no_grad():
        logits, features = ServedNetwork(trained())(torch.from_numpy(images(3)))
    np.testing.assert_allclose(found.logits, logits.numpy(), atol=1e-4)
    np.testing.assert_allclose(found.features, features.numpy(), atol=1e-4)
    assert (recognizer.dimension, recognizer.variants) == (576, SPEC.variant_names)
    assert recognizer.embed(images(0)).features.shape == (0, 576)


def test_a_vectors_bits_do_not_depend_on_the_batch(folder) -> None:
    recognizer = Recognizer.load(folder)
    together, alone = recognizer.embed(images(5)), [recognizer.embed(images(5)[row : row + 1]) for row in range(5)]
    assert together.features.tobytes() == b"".join(vectors.features.tobytes() for vectors in alone)
    assert together.logits.tobytes() == b"".join(vectors.logits.tobytes() for vectors in alone)


@pytest.mark.parametrize("wrong", [images(1)[0], images(1).astype(np.float32), images(1)[:, :, :40]])
def test_images_of_another_form_are_refused(wrong, folder) -> None:
    with pytest.raises(PredictorError, match=r"expected uint8 \(B, 48, 48, 3\): make them with"):
        Recognizer.load(folder).embed(wrong)


def test_another_spec_is_refused(folder) -> None:
    with pytest.raises(PredictorError, match="the spec in use has"):
        Recognizer.load(folder, CreativeSpec(width=64, height=64))


def test_what_is_no_graph_is_one_line(folder, tmp_path) -> None:
    for name in ("model.json", "creative_spec.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "model.onnx").write_bytes(b"nothing")
    with pytest.raises(PredictorError, match="is no ONNX graph that can be run") as e:
        Recognizer.load(tmp_path)
    assert "\n" not in str(e.value)


def test_a_graph_of_other_sizes_is_refused(tmp_path) -> None:
    export(trained(), SPEC, tmp_path)
    model = (tmp_path / "model.onnx").read_bytes()
    with pytest.raises(PredictorError, match=r"the graph takes .*48, 48, 3.*; expected images, uint8 \(B, 64, 64, 3\)"):
        Recognizer(CreativeSpec(width=64, height=64), model)
    two = CreativeSpec(width=48, height=48, variants=SPEC.variants[:2])
    with pytest.raises(PredictorError, match=r"expected logits \(B, 2\) and features \(B, D\)"):
        Recognizer(two, model)


def test_probabilities_are_the_softmax() -> None:
    logits = np.log(np.array([[1.0, 2.0, 5.0], [1000.0, 1000.0, 1000.0]])).astype(np.float32)
    np.testing.assert_allclose(probabilities(logits), [[0.125, 0.25, 0.625], [1 / 3] * 3], rtol=1e-6)
