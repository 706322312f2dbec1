import json
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from features.attention_spec import AttentionSpec
from models.attention.dataset import ExamplesFolder
from models.attention.golden import choose, replay
from models.attention.predictor import Predictor, PredictorError
from models.golden import GoldenError

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def own(artifact, tmp_path):
    return shutil.copytree(artifact, tmp_path / "artifact")


def test_a_density_of_the_images_own_size(artifact) -> None:
    predictor = Predictor.load(artifact)
    image = np.random.default_rng(0).integers(0, 256, (70, 50, 3), np.uint8)
    found = predictor.predict(image)
    assert found.shape == (70, 50)
    assert found.dtype == np.float32
    assert found.sum(dtype=np.float64) == pytest.approx(1, abs=1e-5)
    assert (found >= 0).all()


def test_the_density_is_the_softmax_of_the_logits(artifact) -> None:
    predictor = Predictor.load(artifact)
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    logits = predictor.logits(image).astype(np.float64)
    expected = np.exp(logits - logits.max())
    np.testing.assert_allclose(predictor.density(image), expected / expected.sum(), rtol=1e-4)


def test_the_bits_do_not_depend_on_the_threads(artifact) -> None:
    one, two = Predictor.load(artifact, threads=1), Predictor.load(artifact, threads=2)
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    assert one.density(image).tobytes() == two.density(image).tobytes()


def test_predicting_needs_no_torch(artifact) -> None:
    code = (
        "import sys, numpy as np; from models.attention.predictor import Predictor; "
        "Predictor.load(sys.argv[1]).predict(np.zeros((9, 9, 3), np.uint8)); print('torch' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code, str(artifact)], cwd=ROOT, capture_output=True, text=True)
    assert found.stdout == "False\n", found.stderr


def test_the_small_graph_answers_too(artifact) -> None:
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    found = Predictor.load(artifact, int8=True).density(image)
    assert found.sum() == pytest.approx(1, abs=1e-4)
    assert (artifact / "model.int8.onnx").stat().st_size > 0


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (0, 4, 3)])
def test_what_is_no_image_is_refused(shape, artifact) -> None:
    with pytest.raises(PredictorError, match=r"expected uint8 \(H, W, 3\): decode it first"):
        Predictor.load(artifact).predict(np.zeros(shape, np.uint8))
    with pytest.raises(PredictorError, match="the image is float32"):
        Predictor.load(artifact).predict(np.zeros((4, 4, 3), np.float32))
    with pytest.raises(PredictorError, match=r"has shape \(4, 4, 3\); expected \(48, 64, 3\): letterbox it first"):
        Predictor.load(artifact).density(np.zeros((4, 4, 3), np.uint8))


def test_another_spec_is_refused(artifact) -> None:
    with pytest.raises(PredictorError, match="the spec in use has .*must be prepared by the spec"):
        Predictor.load(artifact, AttentionSpec())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "tensorflow.GraphDef"}, "format is 'tensorflow.GraphDef'; expected 'onnx'"),
        ({"fingerprint": "abc"}, "attention_spec.json has fingerprint .*, model.json has abc"),
    ],
)
def test_a_description_of_something_else_is_refused(change, message, own) -> None:
    path = own / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(PredictorError, match=message):
        Predictor.load(own)


def test_a_damaged_graph_is_refused(own) -> None:
    (own / "model.onnx").write_bytes(b"nonsense")
    with pytest.raises(PredictorError, match=r"model.onnx is no ONNX graph that can be run .*; train again"):
        Predictor.load(own)
    (own / "model.json").write_text("[]")
    with pytest.raises(PredictorError, match="model.json does not describe a model"):
        Predictor.load(own)


def test_files_give_the_bits_that_training_computed(artifact) -> None:
    found = replay(artifact)
    assert (found.total, found.identical, found.differing) == (4, 4, ())


def test_one_changed_bit_is_found_and_named(own) -> None:
    path = own / "golden/predictions.npy"
    maps = np.load(path)
    maps[2, 5, 5] = np.nextafter(maps[2, 5, 5], np.float32(1))
    np.save(path, maps)
    found = replay(own)
    assert (found.total, found.identical) == (4, 3)
    assert found.differing[0].endswith(".png")


def test_another_graph_is_noticed(own) -> None:
    assert replay(own, Predictor.load(own, int8=True)).identical < 4


def test_a_missing_golden_set_is_said(own) -> None:
    shutil.rmtree(own / "golden")
    with pytest.raises(GoldenError, match=r"holds no readable golden set \(.*\); open the version again"):
        replay(own)


def test_pickles_are_never_loaded(own) -> None:
    np.save(own / "golden/predictions.npy", np.array([{"a": 1}], object))
    with pytest.raises(GoldenError, match="no readable golden set"):
        replay(own)


def test_maps_of_another_shape_are_refused(own) -> None:
    np.save(own / "golden/predictions.npy", np.zeros((3, 2), np.float32))
    with pytest.raises(GoldenError, match=r"holds float32 \(3, 2\); expected float32 \(4, 48, 64\)"):
        replay(own)


def test_the_choice_depends_on_nothing_but_the_ids(examples) -> None:
    split = ExamplesFolder.open(str(examples)).read("test")
    backwards = type(split)(split.name, split.spec, split.stored[::-1])
    assert [i.image_id for i in choose(split, 3)] == [i.image_id for i in choose(backwards, 3)]
    assert len(choose(split, 100)) == 6


def test_a_device_that_is_not_there_is_refused_not_replaced(artifact) -> None:
    assert Predictor.load(artifact).exact
    with pytest.raises(PredictorError, match="device is 'tpu'; expected one of cpu, cuda"):
        Predictor.load(artifact, device="tpu")
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    with pytest.raises(PredictorError, match="install onnxruntime-gpu in the place of onnxruntime"):
        Predictor.load(artifact, device="cuda")


def test_a_gpu_that_onnx_runtime_cannot_use_is_refused_too(artifact, monkeypatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the provider is not there, which the real library says otherwise
        with pytest.raises(PredictorError, match="device 'cuda' cannot be used here"):
            Predictor.load(artifact, device="cuda")
