"""What TensorFlow Data Validation says of real TFRecords: the same again, a feature that died, one that moved."""

import json
from pathlib import Path

import pytest

from augury.retraining.app import CheckRules
from augury.retraining.checks import Rate
from augury.retraining.errors import RunError
from augury.retraining.families import Behavior
from augury.retraining.validation import PYTHON, STATISTICS, Validation, tfdv_python, validate
from models.records import frame, make_example, read_examples
from tests.augury.retraining.tfdv import needs_tfdv
from tests.tiny_model import START_US, artifact

RULES = CheckRules(drift=0.05, skew=0.9)


def rewritten(folder: Path, change) -> Path:
    """Writes the examples of the tiny model again, each changed, and returns the folder."""
    source = artifact().parent / "examples"
    for split in ("train", "validation", "test"):
        (folder / split).mkdir(parents=True)
        records = [
            make_example(change(dict(found)))
            for _, found in read_examples(sorted(map(str, (source / split).iterdir())))
        ]
        (folder / split / "examples.tfrecord").write_bytes(b"".join(map(frame, records)))
    return folder


def test_where_tfdv_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PYTHON, str(tmp_path / "python"))
    with pytest.raises(RunError, match="python is no Python that can be run; name one with TensorFlow Data Validation"):
        tfdv_python(CheckRules())
    (tmp_path / "python").touch(mode=0o755)
    assert tfdv_python(CheckRules()) == str(tmp_path / "python")
    assert tfdv_python(CheckRules(python="/bin/sh")) == "/bin/sh"  # the description goes first


def test_a_python_without_it_is_one_clear_line(tmp_path: Path) -> None:
    about = Validation({"label": "category"}, ("label",))
    rules = CheckRules(python="/bin/false")
    with pytest.raises(RunError, match="TensorFlow Data Validation failed .exit code 1.; run it by hand: /bin/false"):
        validate(str(tmp_path), about, None, None, rules, tmp_path)
    rules = CheckRules(python="/bin/true")
    with pytest.raises(RunError, match="/bin/true gave no answer about the data; name a Python with TensorFlow Data V"):
        validate(str(tmp_path), about, None, None, rules, tmp_path)


@needs_tfdv
def test_the_same_again_and_a_feature_that_moved_or_died(tmp_path: Path) -> None:
    examples = str(artifact().parent / "examples")
    about = Behavior().validation(examples)
    assert about.features["hash/values"] == "category" and about.features["stats/clicks"] == "number"
    assert about.label == "label" and "visitor" not in about.features and "step/dwell" not in about.fixed
    (tmp_path / "first").mkdir()
    first = validate(examples, about, None, None, RULES, tmp_path / "first")
    assert (first.anomalies, [one for one in first.measures if one["what"] == "drift"]) == ((), [])
    assert first.rates["1"].among == first.examples == sum(rate.count for rate in first.rates.values())
    previous = (tmp_path / "first" / STATISTICS).read_bytes()

    def moved(example: dict) -> dict:
        example["step/dwell"] = example["step/dwell"] + 40  # longer pauses
        example["metadata/os"] = example["metadata/os"] * 0  # nobody's is known
        return example

    changed = rewritten(tmp_path / "changed", moved)
    (tmp_path / "second").mkdir()
    second = validate(str(changed), about, previous, START_US, RULES, tmp_path / "second")
    assert {(one["feature"], one["kind"]) for one in second.anomalies if "COMPARATOR" not in one["kind"]} == {
        ("metadata/os", "FEATURE_TYPE_LOW_UNIQUE")
    }
    drift = {one["feature"]: one["value"] for one in second.measures if one["what"] == "drift"}
    assert drift["step/dwell"] > 0.9 and drift["metadata/os"] > 0.05
    assert max(value for name, value in drift.items() if name not in ("step/dwell", "metadata/os")) < 1e-6
    assert second.rates == first.rates and isinstance(second.rates["1"], Rate)
    (tmp_path / "late").mkdir()
    late = validate(examples, about, None, START_US + 60_000_000_000, RULES, tmp_path / "late")
    assert 0 < late.examples < first.examples  # of what happened since
    answer = json.loads((tmp_path / "late" / "answer.json").read_bytes())
    assert answer["examples"] == late.examples and answer["tfdv"]
