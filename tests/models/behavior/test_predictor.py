import dataclasses
import json
import shutil

import numpy as np
import pytest

from features.spec import HashSpec
from features.storage import StorageError
from models.behavior.export import export
from models.behavior.layout import Layout
from models.behavior.network import BehaviorNetwork
from models.behavior.options import NetworkOptions
from models.behavior.predictor import Predictor, PredictorError


@pytest.fixture(scope="module")
def kept(make, tmp_path_factory):
    folder = tmp_path_factory.mktemp("artifact")
    network = BehaviorNetwork(Layout.of(make.spec), NetworkOptions(encoder="cnn", units=4, embedding_units=3))
    export(network, np.eye(2, dtype=np.float32), np.zeros(2, np.float32), make.spec.fingerprint, folder)
    (folder / "feature_spec.json").write_text(make.spec.to_json())
    return folder


@pytest.fixture
def artifact(kept, tmp_path):
    return shutil.copytree(kept, tmp_path / "artifact")


def test_it_says_what_to_code_with(artifact, make) -> None:
    predictor = Predictor.load(artifact, expected=make.spec)
    assert predictor.spec == make.spec
    assert predictor.classes == 2


def test_a_coder_with_another_spec_is_refused(artifact, make) -> None:
    other = dataclasses.replace(make.spec, hash=HashSpec(size=128))
    with pytest.raises(PredictorError, match=r"fingerprint \w{12}, the spec in use has \w{12}; what the model"):
        Predictor.load(artifact, expected=other)


def test_a_model_of_another_spec_is_refused(artifact, make) -> None:
    other = dataclasses.replace(make.spec, hash=HashSpec(size=128))
    (artifact / "feature_spec.json").write_text(other.to_json())
    with pytest.raises(PredictorError, match=r"feature_spec.json has fingerprint \w{12}, model.json has \w{12}"):
        Predictor.load(artifact)


def test_another_format_is_refused(artifact) -> None:
    path = artifact / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": "onnx"}))
    with pytest.raises(PredictorError, match="format is 'onnx'; expected 'tensorflow.GraphDef'"):
        Predictor.load(artifact)


@pytest.mark.parametrize("text", ["not json", "{}", "[]"])
def test_a_description_that_is_none_is_refused(artifact, text) -> None:
    (artifact / "model.json").write_text(text)
    with pytest.raises(PredictorError, match="model.json does not describe a model"):
        Predictor.load(artifact)


def test_a_damaged_graph_is_refused(artifact) -> None:
    (artifact / "model.pb").write_bytes(b"\xff" * 100)
    with pytest.raises(PredictorError, match="model.pb is not the graph that model.json describes"):
        Predictor.load(artifact)


def test_a_missing_file_is_named(artifact) -> None:
    (artifact / "model.pb").unlink()
    with pytest.raises(StorageError, match="cannot read .*model.pb: no such file"):
        Predictor.load(artifact)
