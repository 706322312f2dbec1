"""Running TensorFlow Data Validation on examples, in an environment of its own."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from augury.retraining.app import CheckRules
from augury.retraining.checks import Measured, Rate
from augury.retraining.errors import RunError
from features.splits import SPLITS
from features.storage import is_local, list_files, open_filesystem

PYTHON = "AUGURY_TFDV_PYTHON"
STATISTICS = "statistics.pb"
_SCRIPT = Path(__file__).with_name("tfdv_process.py")
_OURS = Path(__file__).resolve().parents[2] / ".cache" / "tfdv" / "bin" / "python"


@dataclass(frozen=True)
class Validation:
    """What TFDV looks at.

    Attributes:
        features: name -> ``category``, ``text`` or ``number``.
        fixed: names of those that every example has once.
        label: name of the feature that is counted; None where there is none.
        timed: whether examples have a ``time_us``.
    """

    features: Mapping[str, str]
    fixed: tuple[str, ...]
    label: str | None = None
    timed: bool = False


def tfdv_python(rules: CheckRules) -> str:
    """Returns the Python that has TensorFlow Data Validation.

    Raises:
        RunError: none is known.
    """
    for given in (rules.python, os.environ.get(PYTHON)):
        if given:
            if not os.access(given, os.X_OK):
                raise RunError(f"{given} is no Python that can be run; name one with TensorFlow Data Validation")
            return given
    if _OURS.exists():
        return str(_OURS)
    if find_spec("tensorflow_data_validation") is not None:
        return sys.executable
    raise RunError(
        f"TensorFlow Data Validation is not installed; make data-checks installs it in an environment of its own, or "
        f"name a Python that has it with {PYTHON}"
    )


def validate(
    examples: str, about: Validation, previous: bytes | None, since_us: int | None, rules: CheckRules, output: Path
) -> Measured:
    """Measures the examples of a window against the schema and against an earlier run.

    Args:
        examples: folder of them, local or remote.
        about: what to look at.
        previous: the earlier run's statistics; None where there is none that can be compared.
        since_us: the beginning of the last days, int64 microseconds UTC; of examples without a time all are looked at.
        rules: thresholds.
        output: local folder, which must exist; the statistics are left there as ``STATISTICS``.

    Raises:
        RunError: TFDV is not there, or failed.
    """
    python = tfdv_python(rules)
    with tempfile.TemporaryDirectory(prefix="augury-tfdv-") as name:
        folder = Path(name)
        files = {split: _local(f"{examples}/{split}", folder / split) for split in SPLITS}
        if previous is not None:
            (folder / "previous.pb").write_bytes(previous)
        request = {
            "train": files["train"],
            "test": files["test"],
            "all": [file for split in SPLITS for file in files[split]],
            "since_us": since_us if about.timed else None,
            "features": dict(about.features),
            "fixed": list(about.fixed),
            "label": about.label,
            "previous": None if previous is None else str(folder / "previous.pb"),
            "drift": rules.drift,
            "skew": rules.skew,
            "output": str(output),
        }
        (folder / "request.json").write_text(json.dumps(request))
        _run(python, folder / "request.json")
    answer = output / "answer.json"
    if not answer.exists():
        raise RunError(f"{python} gave no answer about the data; name a Python with TensorFlow Data Validation")
    return measured_of(json.loads(answer.read_bytes()))


def measured_of(answer: Mapping[str, Any]) -> Measured:
    """Returns what TFDV's answer says."""
    total = sum(answer["labels"].values())
    rates = {label: Rate(int(count), int(total)) for label, count in sorted(answer["labels"].items())}
    return Measured(int(answer["examples"]), rates, tuple(answer["anomalies"]), tuple(answer["measures"]))


def _run(python: str, request: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run([python, str(_SCRIPT), str(request)], env=environment, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise RunError(f"TensorFlow Data Validation failed ({said[-1][:300]}); run it by hand: {python} {_SCRIPT}")


def _local(folder: str, copy: Path) -> list[str]:
    names = [name for name in list_files(folder) if name.endswith((".tfrecord", ".tfrecord.gz"))]
    if is_local(folder):
        return [str(Path(name).resolve()) for name in names]
    copy.mkdir()
    found = []
    for name in names:
        fs, target = open_filesystem(name)
        found.append(str(copy / target.rsplit("/", 1)[-1]))
        fs.get_file(target, found[-1])
    return found
