"""``augury report attention``, on an artifact that needs no torch."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from augury import cli
from models.attention.evaluation import Case, evaluate
from models.registry import Registry
from tests.tiny_attention import write_attention_artifact


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    folder = write_attention_artifact(tmp_path / "model", examples="gone")
    cases = []
    for index in range(4):
        rng = np.random.default_rng(index)
        maps = {"model": rng.random((12, 16)), "centre_prior": np.ones((12, 16))}
        cases.append(Case(f"{index}.jpg", [3.0], [4.0], rng.random((12, 16)), maps, "bright", "page"))
    (folder / "evaluation.json").write_text(json.dumps(evaluate(cases)))
    (folder / "dataset_card.json").write_text("{}")
    return folder


def run(*argv: Any, code: int = 0) -> tuple[str, str]:
    done = CliRunner().invoke(cli.app, ["report", "attention", *map(str, argv)], env={"COLUMNS": "200"})
    assert done.exit_code == code, done.output
    return done.stdout, done.stderr


def test_a_report_of_an_artifact(artifact: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.html"
    rows = [f"--ablation={name}={artifact}" for name in ("plain", "same")]
    said, noted = run("--artifact", artifact, "-o", out, *rows)
    assert said == f"{out}: {artifact} unpublished\n"
    assert noted.startswith("no pictures: gone is not a complete examples folder")
    text = out.read_text()
    assert "What each part brings" in text and ">same<" in text.replace("\n", "")


def test_a_report_of_a_version(artifact: Path, tmp_path: Path) -> None:
    root, out = tmp_path / "registry", tmp_path / "r.html"
    version = Registry(str(root)).publish(artifact, "attention", "pages")
    said, _ = run("--registry", root, "--model-version", "latest", "-o", out)
    assert said == f"{out}: attention/pages {version}\n"
    _, error = run("--registry", root, "-o", out, code=1)
    assert "attention/pages has no champion yet" in error
    _, error = run("--registry", root, "--model", "behavior/pages", code=2)
    assert "is no model of attention; name attention/NAME" in error


def test_mistakes_are_one_line(artifact: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.html"
    assert "'plain' is no NAME=FOLDER" in run("--artifact", artifact, "--ablation", "plain", code=2)[1]
    _, error = run("--artifact", artifact, "-o", out, "--ablation", f"x={tmp_path / 'none'}", code=1)
    assert error.startswith("error: ") and "name the folder of a trained model" in error and error.count("\n") == 1
    _, error = run("--artifact", artifact, "-o", out, "--measure", code=1)
    assert error.startswith("error: gone is not a complete examples folder")
    assert not out.exists()


def test_it_needs_no_torch(artifact: Path, tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['torch'] = sys.modules['tensorflow'] = None\n"
        "from models.attention.reporting import make_report\n"
        f"assert 'NSS' in make_report({str(artifact)!r}).html"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=300, cwd=Path(__file__).parents[2])
