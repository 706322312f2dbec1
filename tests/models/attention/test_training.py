import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from features.storage import StorageError
from models.attention.card import measured_fixations
from models.attention.golden import replay
from models.attention.options import OptionError, TrainOptions
from models.attention.train import main
from models.attention.training import train
from models.attention.weights import load_network
from models.checkpoint import TrainingError
from models.examples_folder import DatasetError
from models.fit_run import choose_device
from models.weights import WeightsError

ROOT = Path(__file__).resolve().parents[3]


def test_the_artifact_is_complete(artifact) -> None:
    assert sorted(str(path.relative_to(artifact)) for path in artifact.rglob("*") if path.is_file()) == [
        "attention_spec.json",
        "dataset_card.json",
        "evaluation.json",
        "golden/images.parquet",
        "golden/predictions.npy",
        "model.int8.onnx",
        "model.json",
        "model.onnx",
        "model_card.json",
        "report.html",
        "weights.npz",
    ]
    assert not [name for name in os.listdir(artifact.parent) if name.startswith(".")]


def test_the_card_tells_where_the_model_comes_from(artifact, examples) -> None:
    card = json.loads((artifact / "model_card.json").read_text())
    assert card["family"] == "attention"
    assert card["sets"] == ["one", "two"]
    assert card["examples"] == str(examples)
    assert card["arguments"]["width"] == 4
    assert len(card["history"]) == 3
    evaluation = json.loads((artifact / "evaluation.json").read_text())
    assert card["metrics"] == evaluation["metrics"]
    assert {"nss", "auc", "cc", "sim", "kld"} <= card["metrics"].keys()
    assert card["parity"]["logits_max_abs"] <= 1e-4
    assert card["int8"]["mean_cc"] > 0.9
    assert card["regions"].keys() == {"effective_fixations", "coverage", "level", "mean_error", "boxes"}
    assert card["regions"]["boxes"] == 6 * 20  # of the validation images
    assert measured_fixations(artifact) == card["regions"]["effective_fixations"]
    assert "How far shares of regions can be trusted" in (artifact / "report.html").read_text()


def test_the_model_stands_beside_the_baselines_and_people(artifact) -> None:
    evaluation = json.loads((artifact / "evaluation.json").read_text())
    assert set(evaluation["figures"]) == {"model", "centre_prior", "spectral_residual", "people"}
    assert (evaluation["images_judged"], evaluation["without_fixations"]) == (5, 1)
    assert (artifact / "report.html").read_text().startswith("<!")


def test_the_checkpoint_goes_and_the_curves_stay(artifact) -> None:
    work = artifact.parent / "artifact.work"
    (log,) = (work / "tensorboard").iterdir()
    assert log.read_bytes().count(b"validation_loss") == 3
    assert not (work / "checkpoint.npz").exists()


_KILLED = """
import os, signal, sys
from models.attention.options import TrainOptions
from models.attention.training import train

def progress(stage, done, total, note):
    if stage == "epoch" and done == 2:
        os.kill(os.getpid(), signal.SIGKILL)

train(TrainOptions.from_dict(eval(sys.argv[1])), progress)
"""


def test_a_killed_training_resumes_to_the_same_artifact(artifact, examples, make, tmp_path) -> None:
    options = TrainOptions(examples=str(examples), output=str(tmp_path / "model"), int8=True, **make.small)
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, repr(options.to_dict())], cwd=ROOT, capture_output=True, text=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["model.work"]

    with pytest.raises(TrainingError, match=r"was made with width 4, now it is 5; go back to that or train without"):
        train(TrainOptions.from_dict(options.to_dict() | {"resume": True, "width": 5}))

    resumed = train(TrainOptions.from_dict(options.to_dict() | {"resume": True}))
    for name in ("golden/predictions.npy", "model.onnx"):
        assert (resumed / name).read_bytes() == (artifact / name).read_bytes(), name
    cards = [json.loads((folder / "model_card.json").read_text()) for folder in (resumed, artifact)]
    assert cards[0]["history"] == cards[1]["history"]
    assert cards[0]["metrics"] == cards[1]["metrics"]


@pytest.mark.parametrize("content", [b"no archive", b"", None])
def test_a_checkpoint_that_cannot_be_read_is_said_in_one_line(content, examples, make, tmp_path) -> None:
    path = tmp_path / "model.work" / "checkpoint.npz"
    path.parent.mkdir()
    np.savez(path, state=np.array([{"a": 1}], object)) if content is None else path.write_bytes(content)
    options = TrainOptions(examples=str(examples), output=str(tmp_path / "model"), resume=True, **make.small)
    with pytest.raises(TrainingError, match=r"cannot read the checkpoint .*checkpoint.npz .*; train without --resume"):
        train(options)


def test_options_reach_the_model(examples, make, tmp_path) -> None:
    changes = {"prior": "per_set", "export_set": "two", "coordinates": "ij", "mirror": True, "max_epochs": 1}
    options = {**make.small, **changes, "loss": "dice=1,bce=1", "methods": "eye"}
    output = train(TrainOptions(examples=str(examples), output=str(tmp_path / "model"), **options))
    description = json.loads((output / "model.json").read_text())
    assert (description["set"], description["mirror"]) == ("two", True)
    assert replay(output).identical == 4
    assert load_network(output).options.coordinates == "ij"


def test_an_artifact_is_never_replaced(artifact, examples) -> None:
    with pytest.raises(TrainingError, match="artifact exists already; choose another --output, or remove it"):
        train(TrainOptions(examples=str(examples), output=str(artifact)))


def test_a_set_that_is_not_there_is_refused(examples, tmp_path) -> None:
    options = TrainOptions(examples=str(examples), output=str(tmp_path / "m"), prior="per_set", export_set="three")
    with pytest.raises(OptionError, match="export_set is 'three'; expected one of one, two"):
        train(options)


def test_test_images_without_fixations_are_said_before_the_work(make, tmp_path) -> None:
    folder = make.write(tmp_path / "examples", fixations=0, method="mask")
    with pytest.raises(DatasetError, match="no image of test has fixations to measure a model by; add a set that has"):
        train(TrainOptions(examples=str(folder), output=str(tmp_path / "m"), **make.small))
    assert not (tmp_path / "m.work").exists()


def test_a_device_that_is_not_there_is_refused() -> None:
    assert choose_device("cpu").type == "cpu"
    with pytest.raises(OptionError, match=r"device is 'cuda:99', which this machine does not offer"):
        choose_device("cuda:99")


def test_a_full_disk_is_said_in_one_line(examples, make, tiny_disk, tmp_path) -> None:
    output = tiny_disk / "model"
    options = TrainOptions(examples=str(examples), output=str(output), work_dir=str(tmp_path / "work"), **make.small)
    with pytest.raises(StorageError, match="cannot write .*model.*: the disk is full; free some space"):
        train(options)
    assert not list(tiny_disk.iterdir())


def test_the_trained_weights_make_the_network_again(artifact, tmp_path) -> None:
    network = load_network(artifact)
    assert not network.training
    for name in ("attention_spec.json", "model_card.json"):
        (tmp_path / name).write_bytes((artifact / name).read_bytes())
    (tmp_path / "weights.npz").write_bytes(b"nonsense")
    with pytest.raises(WeightsError, match="weights.npz and model_card.json make no network"):
        load_network(tmp_path)


def test_the_command_trains(examples, tmp_path, capsys) -> None:
    output = tmp_path / "model"
    flags = ["--encoder", "plain", "--depth", "2", "--width", "4", "--output-stride", "2", "--max_epochs=1"]
    assert main(["--examples", str(examples), "--output", str(output), "--threads=1", *flags]) == 0
    assert capsys.readouterr().out.startswith(f"{output}: ")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--examples", "a", "--output", "b", "--dept", "4"], "error: unrecognized arguments: --dept 4; see --help\n"),
        (["--output", "b"], "error: examples is missing; name a folder with --examples\n"),
        (["--examples", "/nowhere", "--output", "nowhere/none"], "error: /nowhere is not a complete examples folder: "),
    ],
)
def test_the_command_refuses_in_one_line(argv, message, capsys) -> None:
    assert main(argv) == 1
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
