"""JSON of an artifact."""

import json
from pathlib import Path

import numpy as np
import pytest

from models.artifact import write_json


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    write_json(tmp_path / "a", {"a": np.float32(0.5), "b": [np.int64(3)], "c": "ü"})
    assert json.loads((tmp_path / "a").read_bytes()) == {"a": 0.5, "b": [3], "c": "ü"}


@pytest.mark.parametrize("value", [float("nan"), np.float64("inf")])
def test_what_is_no_number_is_refused(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a", {"a": value})
    assert not (tmp_path / "a").exists()


def test_what_is_no_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="set is not JSON"):
        write_json(tmp_path / "a", {"a": {1}})
