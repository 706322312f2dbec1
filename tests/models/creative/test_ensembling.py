import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models.checkpoint import TrainingError
from models.creative import golden
from models.creative.dataset import ExamplesFolder
from models.creative.ensemble import main
from models.creative.ensembling import combine
from models.creative.options import EnsembleOptions, TrainOptions
from models.creative.recognizer import Recognizer
from models.creative.training import train
from models.examples_folder import DatasetError
from tests.tutorials import ROOT, steps


@pytest.fixture(scope="module")
def second(make, examples):
    options = {**make.small, "seed": 1, "max_epochs": 1}
    return train(TrainOptions(examples=str(examples), output=str(examples.parent / "second"), **options))


@pytest.fixture(scope="module")
def ensemble(artifact, second, examples):
    """Of the tests' recogniser, twice, and another."""
    members = f"{artifact},{second},{artifact}"
    output = str(examples.parent / "ensemble")
    return combine(EnsembleOptions(members=members, examples=str(examples), output=output, golden_products=2))


def test_its_graph_says_the_mean_of_what_its_members_say(ensemble, artifact, second, examples) -> None:
    images = ExamplesFolder.open(str(examples)).read("test").batch(range(6)).images
    one, two, all_three = (Recognizer.load(folder).embed(images) for folder in (artifact, second, ensemble))
    np.testing.assert_allclose(all_three.logits, (2 * one.logits + two.logits) / 3, atol=1e-4)
    expected = np.concatenate([one.features, two.features, one.features], 1)
    np.testing.assert_allclose(all_three.features, expected, atol=1e-4)


def test_its_artifact_has_what_a_trained_one_has(ensemble, artifact, second) -> None:
    files = [{str(path.relative_to(folder)) for path in folder.rglob("*")} for folder in (ensemble, artifact)]
    assert files[0] == files[1]
    assert golden.replay(ensemble).differing == ()
    card = json.loads((ensemble / "model_card.json").read_text())
    assert [member["artifact"] for member in card["members"]] == [str(artifact), str(second), str(artifact)]
    theirs = json.loads((second / "model_card.json").read_text())
    assert card["members"][1]["arguments"] == theirs["arguments"]
    assert card["metrics"] == json.loads((ensemble / "evaluation.json").read_text())["metrics"]
    assert "history" not in card
    assert str(second) in (ensemble / "report.html").read_text()


def test_an_ensemble_is_no_member(ensemble, artifact, examples, tmp_path, capsys) -> None:
    argv = [f"--members={artifact},{ensemble}", f"--examples={examples}", f"--output={tmp_path / 'model'}"]
    assert main(argv) == 1
    said = capsys.readouterr().err
    assert "name the artifact of one recogniser" in said and said.count("\n") == 1
    assert not (tmp_path / "model").exists()


def test_a_member_that_was_tested_on_other_products_is_refused(artifact, make, tmp_path) -> None:
    others = make.write(tmp_path / "others", named=lambda split, count: [f"{split}-other{n}" for n in range(count)])
    options = EnsembleOptions(members=f"{artifact},{artifact}", examples=str(others), output=str(tmp_path / "model"))
    with pytest.raises(DatasetError, match=r"was tested on other products .*test-\w+\.\.\., not test-other\d"):
        combine(options)


def test_an_output_that_exists_is_kept(ensemble, artifact, examples) -> None:
    options = EnsembleOptions(members=f"{artifact},{artifact}", examples=str(examples), output=str(ensemble))
    with pytest.raises(TrainingError, match="exists already"):
        combine(options)


def test_the_commands_of_the_guide(make, tmp_path: Path) -> None:
    counts = {"train": 2, "validation": 1, "test": 1}
    make.write(tmp_path / "small", counts)
    make.write(tmp_path / "examples", counts, make.spec(width=64, height=64))
    more = "--max-epochs 1 --golden-products 2 --threads 1 --batch-size 12"
    commands = [step for step in steps(ROOT / "docs" / "creative-model.md") if " first" in step.command]
    assert len(commands) == 3
    for step in commands:
        given = step.command.removeprefix("augury ").replace("--image-size 128", "--image-size 48")
        given += " --golden-products 2" if "ensemble" in given else f" {more}"
        done = subprocess.run(
            [sys.executable, "-m", "augury.cli", *shlex.split(given)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    shown = step.shown.partition("\naugury ")[0]
    printed, shown = (re.sub(r"[\d.]+", "N", text).strip() for text in (done.stdout, shown))
    assert printed == shown
