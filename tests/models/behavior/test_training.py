import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from features.spec import FeatureSpec
from features.storage import StorageError
from models.behavior.calibration import MatrixScaling, fit_matrix_scaling
from models.behavior.dataset import ExamplesFolder
from models.behavior.fitting import Fitter, Labelled, TrainingError
from models.behavior.golden import replay
from models.behavior.layout import Layout, pack
from models.behavior.network import BehaviorNetwork
from models.behavior.options import TrainOptions
from models.behavior.train import main
from models.behavior.training import train
from models.checkpoint import identity_of
from models.examples_folder import DatasetError

ROOT = Path(__file__).resolve().parents[3]


def test_the_artifact_is_complete(artifact) -> None:
    assert sorted(str(path.relative_to(artifact)) for path in artifact.rglob("*") if path.is_file()) == [
        "calibration.json",
        "dataset_card.json",
        "evaluation.json",
        "feature_spec.json",
        "golden/instances.parquet",
        "golden/predictions.npy",
        "model.json",
        "model.pb",
        "model_card.json",
        "predictions.parquet",
        "report.html",
    ]
    assert not [name for name in os.listdir(artifact.parent) if name.startswith(".")]


def test_the_cards_tell_where_the_model_comes_from(artifact, examples) -> None:
    card = json.loads((artifact / "model_card.json").read_text())
    assert card["family"] == "behavior"
    assert card["window"] == {"start_us": 1_700_000_000_000_000, "end_us": 1_800_000_000_000_000}
    assert card["arguments"]["units"] == 8
    assert card["examples"] == str(examples)
    assert card["code_version"]
    assert 0.5 < card["metrics"]["auc"] < 1
    assert (artifact / "dataset_card.json").read_text().count("fingerprint") == 1
    spec = FeatureSpec.from_json((artifact / "feature_spec.json").read_text())
    assert card["fingerprint"] == spec.fingerprint


def test_the_model_stands_beside_the_baselines(artifact) -> None:
    evaluation = json.loads((artifact / "evaluation.json").read_text())
    assert set(evaluation["figures"]) == {"model", "trees", "base_rate"}
    assert len(evaluation["history"]) == 3
    assert (artifact / "report.html").read_text().startswith("<!")


def test_importance_can_be_left_out_and_is_nothing_that_a_checkpoint_depends_on(examples, make, tmp_path) -> None:
    without = TrainOptions(examples=str(examples), output=str(tmp_path / "model"), importance_examples=0, **make.small)
    folder = train(without)
    assert json.loads((folder / "evaluation.json").read_text())["importance"] is None
    assert "What does it look at?" not in (folder / "report.html").read_text()
    assert identity_of(without, {}) == identity_of(replace(without, importance_examples=50), {})


def test_the_test_predictions_can_be_joined_with_the_truth(artifact) -> None:
    table = pq.read_table(artifact / "predictions.parquet")
    assert table.column_names == ["visitor", "time_us", "example_id", "label", "model", "trees", "base_rate"]
    assert table.num_rows == 200
    assert table["visitor"][0].as_py() == "v2-000000"
    chance = table["model"].to_numpy()
    assert ((chance > 0) & (chance < 1)).all()


def test_tensorboard_can_show_the_epochs(artifact) -> None:
    logs = list((artifact.parent / "artifact.work" / "tensorboard").iterdir())
    assert len(logs) == 1
    assert b"validation_loss" in logs[0].read_bytes()
    assert not (artifact.parent / "artifact.work" / "checkpoint.npz").exists()


def test_the_calibrator_is_judged_on_visitors_that_it_was_not_fitted_on(artifact, examples, make) -> None:
    """Fitted once more by hand on the same logits, with the visitors as groups."""
    folder = ExamplesFolder.open(str(examples))
    layout = Layout.of(folder.spec)
    parts = {split: folder.read(split) for split in ("train", "validation")}
    data = {split: Labelled(pack(part.coded, layout), part.labels) for split, part in parts.items()}
    options = TrainOptions(examples="data", output="model", **make.small)
    fitter = Fitter(BehaviorNetwork(layout, options, options.seed), data["train"], data["validation"], options)
    fitter.run(lambda _: None, lambda *_: None)
    visitors = parts["validation"].visitor.to_pylist()
    expected = fit_matrix_scaling(fitter.predict(data["validation"].packed), data["validation"].labels, groups=visitors)
    found = MatrixScaling.from_json((artifact / "calibration.json").read_text())
    assert found.reason == expected.reason
    np.testing.assert_array_equal(found.weight, expected.weight)


def test_three_classes(make, tmp_path) -> None:
    folder = make.write_examples(tmp_path / "examples", {"train": 300, "validation": 120, "test": 120}, classes=3)
    output = train(TrainOptions(examples=str(folder), output=str(tmp_path / "model"), encoder="cnn", **make.small))
    assert replay(output).identical == 80
    assert np.load(output / "golden/predictions.npy").shape == (80, 3)
    assert {"model_0", "model_1", "model_2"} < set(pq.read_table(output / "predictions.parquet").column_names)


_KILLED = """
import os, signal, sys
from models.behavior.options import TrainOptions
from models.behavior.training import train

def progress(stage, done, total, note):
    if stage == "epoch" and done == 2:
        os.kill(os.getpid(), signal.SIGKILL)

train(TrainOptions.from_dict(eval(sys.argv[1])), progress)
"""


def test_a_killed_training_resumes_to_the_same_artifact(artifact, examples, make, tmp_path) -> None:
    options = TrainOptions(examples=str(examples), output=str(tmp_path / "model"), **make.small)
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, repr(options.to_dict())], cwd=ROOT, capture_output=True, text=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["model.work"]

    resumed = train(TrainOptions.from_dict(options.to_dict() | {"resume": True}))
    for name in ("golden/predictions.npy", "calibration.json", "evaluation.json"):
        assert (resumed / name).read_bytes() == (artifact / name).read_bytes(), name


@pytest.mark.parametrize("content", [b"no archive", b"", None])
def test_a_checkpoint_that_cannot_be_read_is_said_in_one_line(content, examples, make, tmp_path) -> None:
    path = tmp_path / "model.work" / "checkpoint.npz"
    path.parent.mkdir()
    np.savez(path, state=np.array([{"a": 1}], object)) if content is None else path.write_bytes(content)
    options = TrainOptions(examples=str(examples), output=str(tmp_path / "model"), resume=True, **make.small)
    with pytest.raises(TrainingError, match=r"cannot read the checkpoint .*checkpoint.npz .*; train without --resume"):
        train(options)


def test_an_artifact_is_never_replaced(artifact, examples) -> None:
    with pytest.raises(TrainingError, match="artifact exists already; choose another --output, or remove it"):
        train(TrainOptions(examples=str(examples), output=str(artifact)))


def test_nothing_is_left_behind_by_a_failure(own_examples, make, tmp_path) -> None:
    """The golden candidates name an example that is not there: noticed last, when all else is written."""
    path = next(own_examples.glob("golden/*.parquet"))
    table = pq.read_table(path)
    names = ["nobody/0/0", *table["example_id"].to_pylist()[1:]]
    pq.write_table(table.set_column(0, "example_id", [names]), path)
    output = tmp_path / "out" / "model"
    with pytest.raises(DatasetError, match="golden candidate nobody/0/0 is not among the examples"):
        train(TrainOptions(examples=str(own_examples), output=str(output), **make.small))
    assert [path.name for path in output.parent.iterdir()] == ["model.work"]


def test_a_full_disk_is_said_in_one_line(examples, make, tiny_disk, tmp_path) -> None:
    output = tiny_disk / "model"
    options = TrainOptions(examples=str(examples), output=str(output), work_dir=str(tmp_path / "work"), **make.small)
    with pytest.raises(StorageError, match="cannot write .*model: the disk is full; free some space"):
        train(options)
    assert not list(tiny_disk.iterdir())


def test_a_work_folder_that_cannot_be_written_is_said_in_one_line(examples, make, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    work = str(tmp_path / "file" / "work")
    options = TrainOptions(examples=str(examples), output=str(tmp_path / "model"), work_dir=work, **make.small)
    with pytest.raises(StorageError, match=r"cannot write TensorBoard logs \(.*\); free some space, .*--work-dir") as e:
        train(options)
    assert "\n" not in str(e.value)


def test_the_command_trains(examples, tmp_path, capsys) -> None:
    output = tmp_path / "model"
    flags = ["--units", "4", "--embedding-units", "4", "--max_epochs=1", "--batch-size=128", "--encoder", "cnn"]
    assert main(["--examples", str(examples), "--output", str(output), *flags]) == 0
    assert capsys.readouterr().out.startswith(f"{output}: auc 0.")
    assert json.loads((output / "model_card.json").read_text())["arguments"]["max_epochs"] == 1


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--examples", "a", "--output", "b", "--unit", "4"], "error: unrecognized arguments: --unit 4; see --help\n"),
        (["--examples", "a", "--output", "b", "--units", "x"], "error: argument --units: invalid int value: 'x'"),
        (["--output", "b"], "error: examples is missing; name a folder with --examples\n"),
        (["--examples", "/nowhere", "--output", "nowhere/none"], "error: /nowhere is not a complete examples folder: "),
    ],
)
def test_the_command_refuses_in_one_line(argv, message, capsys) -> None:
    assert main(argv) == 1
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_the_help_names_every_option(capsys) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    assert all(f"--{name.replace('_', '-')}" in said for name in TrainOptions.__dataclass_fields__)
