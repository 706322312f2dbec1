"""``augury tune`` on a few examples: what is searched, and what is left."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests import tiny_model

ROOT = Path(__file__).resolve().parents[2]


def test_a_search_ends_with_the_best_options(tmp_path: Path) -> None:
    tiny_model._write_examples(tmp_path / "examples")
    command = [sys.executable, "-m", "augury.cli", "tune", "behavior", "--examples", "examples", "--output", "search"]
    command += ["--trials", "1", "--max-epochs", "1", "--embedding-units", "4"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "best of 1 trials: validation loss" in done.stdout
    assert done.stdout.endswith("best: search/best.json\n")
    best = json.loads((tmp_path / "search" / "best.json").read_text())
    assert {"units", "dropout", "l2"} <= best["options"].keys()
