"""Vectors at scale, with a recogniser that needs no training and no torch: features are the mean colour."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import onnx
import pyarrow.parquet as pq
import pytest
from onnx import TensorProto, helper

from features.creative_spec import SPEC, CreativeSpec
from features.errors import AuguryError
from features.storage import StorageError
from models.artifact import PredictorError
from models.creative.recognizer import Recognizer
from models.records import frame, make_example
from pipelines.creative_embeddings import make_creative_embeddings, run
from pipelines.embeddings_options import CreativeEmbeddingsOptions, EmbeddingOptionError
from transforms import embed_images
from transforms.staging import OutputExistsError

SPEC_32 = CreativeSpec(width=32, height=32)
COUNTS = {"train": 13, "validation": 3, "test": 2}


def write_recognizer(folder: Path, spec: CreativeSpec = SPEC_32) -> Path:
    """Writes a recogniser: features are the mean of R, G and B, logits a linear function of them."""
    folder.mkdir(parents=True)
    nodes = [
        helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats"], ["features"], axes=[1, 2], keepdims=0),
        helper.make_node("Gemm", ["features", "weight"], ["logits"]),
    ]
    weight = np.arange(18, dtype=np.float32).reshape(3, 6) / 100
    size = ["batch", spec.height, spec.width, 3]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, size)],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 6]),
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", 3]),
        ],
        [helper.make_tensor("weight", TensorProto.FLOAT, [3, 6], weight.ravel())],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    (folder / "model.json").write_text(json.dumps({"format": "onnx", "fingerprint": spec.fingerprint}))
    (folder / SPEC).write_text(spec.to_json())
    return folder


def image_of(split: str, product: int, variant: int):
    return np.random.default_rng([len(split), product, variant]).integers(0, 256, (32, 32, 3), np.uint8)


def write_examples(folder: Path, **changes) -> Path:
    for split, count in COUNTS.items():
        (folder / split).mkdir(parents=True)
        for part in range(2):
            records = [
                make_example(
                    {
                        "image/encoded": [cv2.imencode(".png", image_of(split, product, v)[:, :, ::-1])[1].tobytes()],
                        "image/id": [f"{split}{product}".encode()],
                        "variant": [variant.encode()],
                        "product": [f"{split}-{product}".encode()],
                        **changes,
                    }
                )
                for product in range(part, count, 2)
                for v, variant in enumerate(SPEC_32.variant_names)
            ]
            (folder / split / f"examples-{part:05d}.tfrecord").write_bytes(b"".join(map(frame, records)))
    splits = {split: {"examples": count * 6} for split, count in COUNTS.items()}
    (folder / SPEC).write_text(SPEC_32.to_json())
    (folder / "dataset_card.json").write_text(json.dumps({"fingerprint": SPEC_32.fingerprint, "splits": splits}))
    return folder


@pytest.fixture(scope="module")
def given(tmp_path_factory) -> tuple[str, str]:
    base = tmp_path_factory.mktemp("embeddings")
    return str(write_examples(base / "examples")), str(write_recognizer(base / "recognizer"))


def rows_of(output: Path, split: str) -> list[dict]:
    return [
        row for path in sorted((output / split).glob("embeddings-*.parquet")) for row in pq.read_table(path).to_pylist()
    ]


def test_every_image_gets_the_recognizers_own_vectors(given, tmp_path) -> None:
    examples, recognizer = given
    output = tmp_path / "vectors"
    card = make_creative_embeddings(CreativeEmbeddingsOptions(examples, recognizer, str(output), batch_size=5))
    assert card["splits"] == {split: {"examples": count * 6} for split, count in COUNTS.items()}
    assert card["recognizer"]["dimension"] == 3
    assert card == json.loads((output / "dataset_card.json").read_text())
    asked = Recognizer.load(recognizer)
    for split, count in COUNTS.items():
        rows = rows_of(output, split)
        assert len({(row["product"], row["variant"]) for row in rows}) == len(rows) == count * 6
        for row in rows:
            product, variant = int(row["product"].split("-")[1]), SPEC_32.variant_names.index(row["variant"])
            assert row["image_id"] == f"{split}{product}"
            expected = asked.embed(image_of(split, product, variant)[None])
            np.testing.assert_array_equal(np.array(row["logits"], np.float32), expected.logits[0])
            np.testing.assert_array_equal(np.array(row["features"], np.float32), expected.features[0])
            np.testing.assert_allclose(row["features"], image_of(split, product, variant).mean((0, 1)), rtol=1e-5)


def test_files_are_small_and_tell_which_rows_they_hold(given, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(embed_images, "MOST_ROWS", 10)
    output = tmp_path / "vectors"
    make_creative_embeddings(CreativeEmbeddingsOptions(*given, str(output)))
    names = sorted(path.name for path in (output / "train").iterdir())
    assert names[:3] == [f"embeddings-{0:05d}-{row:08d}.parquet" for row in (0, 10, 20)] or len(names) == 9
    assert sum(pq.read_metadata(path).num_rows for path in (output / "train").iterdir()) == 78
    assert max(pq.read_metadata(path).num_rows for path in (output / "train").iterdir()) <= 10


def test_two_processes_give_the_same_rows(given, tmp_path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    make_creative_embeddings(CreativeEmbeddingsOptions(*given, str(one)))
    make_creative_embeddings(CreativeEmbeddingsOptions(*given, str(two), processes=2))
    for split in COUNTS:
        assert rows_of(one, split) == rows_of(two, split)


def test_an_output_that_exists_is_kept(given, tmp_path) -> None:
    options = CreativeEmbeddingsOptions(*given, str(tmp_path / "vectors"))
    make_creative_embeddings(options)
    with pytest.raises(OutputExistsError, match="holds files already"):
        make_creative_embeddings(options)
    make_creative_embeddings(CreativeEmbeddingsOptions(*given, str(tmp_path / "vectors"), overwrite=True))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image/encoded": [b"no image"]}, "cannot be decoded; write the examples again"),
        ({"product": []}, "examples do not hold one image/encoded, one product"),
    ],
)
def test_examples_that_cannot_be_embedded_leave_nothing(changes, message, given, tmp_path) -> None:
    examples = write_examples(tmp_path / "examples", **changes)
    with pytest.raises(AuguryError, match=message) as e:
        make_creative_embeddings(CreativeEmbeddingsOptions(str(examples), given[1], str(tmp_path / "vectors")))
    assert "\n" not in str(e.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["examples"]


def test_damaged_and_missing_files_are_noticed(given, tmp_path) -> None:
    examples = tmp_path / "examples"
    shutil.copytree(given[0], examples)
    options = CreativeEmbeddingsOptions(str(examples), given[1], str(tmp_path / "vectors"))
    damaged = examples / "train" / "examples-00001.tfrecord"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-3])
    with pytest.raises(AuguryError, match=r"examples-00001.tfrecord: record 35 is damaged; write the examples again"):
        make_creative_embeddings(options)
    damaged.unlink()
    with pytest.raises(AuguryError, match=r"holds .*'train': 42.* examples, its card says .*'train': 78"):
        make_creative_embeddings(options)
    (examples / "dataset_card.json").unlink()
    with pytest.raises(EmbeddingOptionError, match="is not a complete examples folder"):
        make_creative_embeddings(options)


def test_a_recognizer_of_another_spec_is_refused_before_any_work(given, tmp_path) -> None:
    other = write_recognizer(tmp_path / "recognizer", CreativeSpec(width=48, height=48))
    with pytest.raises(PredictorError, match="must be prepared by the spec that it was trained with"):
        make_creative_embeddings(CreativeEmbeddingsOptions(given[0], str(other), str(tmp_path / "vectors")))
    with pytest.raises(StorageError):
        make_creative_embeddings(CreativeEmbeddingsOptions(given[0], str(tmp_path / "none"), str(tmp_path / "v")))


@pytest.mark.parametrize("changes", [{"batch_size": 0}, {"processes": 0}])
def test_impossible_options_are_refused(changes) -> None:
    with pytest.raises(EmbeddingOptionError, match="expected 1 to"):
        CreativeEmbeddingsOptions("e", "r", "o", **changes)


def test_it_runs_from_flags(given, tmp_path, capsys) -> None:
    run(["--examples", given[0], "--recognizer", given[1], "--output", str(tmp_path / "v")])
    assert json.loads(capsys.readouterr().out)["variants"] == list(SPEC_32.variant_names)


def test_beam_can_measure_its_memory_without_torch() -> None:
    from apache_beam.ml.inference import base

    assert base.resource is not None
