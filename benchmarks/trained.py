"""Trains as ``augury train behavior`` does and reads what training said; shared by the benchmarks of models."""

import json
import shutil
from pathlib import Path
from typing import Any

from models.processes import run_module


class TrainingFailedError(RuntimeError):
    """The training process ended with an error."""


def train(examples: Path, output: Path, seed: int, *flags: str) -> dict[str, Any]:
    """Trains with the defaults but for ``flags`` and returns the evaluation on the test split, as training wrote it.

    Raises:
        TrainingFailedError: training ended with an error.
    """
    for left in (output, output.with_name(output.name + ".work")):
        shutil.rmtree(left, ignore_errors=True)
    code = run_module(
        "models.behavior.train", [f"--examples={examples}", f"--output={output}", f"--seed={seed}", *flags]
    )
    if code:
        raise TrainingFailedError(f"training of {examples} with seed {seed} ended with exit code {code}")
    evaluation: dict[str, Any] = json.loads((output / "evaluation.json").read_text(encoding="utf-8"))
    return evaluation
