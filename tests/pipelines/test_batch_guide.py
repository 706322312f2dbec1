"""docs/batch-predictions.md: its commands, run on a small shop, and the columns that it names."""

import re
import shlex
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from augury.cli import app
from augury.simulator import SimulationOptions, simulate
from tests.tiny_model import registry  # noqa: F401 - a fixture
from transforms.score_visitors import PREDICTION_SCHEMA

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "batch-predictions.md").read_text()
COMMANDS = [shlex.split(line) for line in re.findall(r"^\$ augury (.*)$", GUIDE, re.MULTILINE)]


def test_every_command_does_what_the_guide_says(
    registry: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    simulate(SimulationOptions(output="shop", visitors=60))
    (tmp_path / "registry").symlink_to(registry)
    assert [words[0] for words in COMMANDS] == ["batch-predict", "audience", "audience"]
    for words in COMMANDS:
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
    [part] = (tmp_path / "predictions").glob("predictions-*.parquet")
    assert pq.read_schema(part).names == PREDICTION_SCHEMA.names
    assert (tmp_path / "leads.csv").read_text().startswith("visitor,user_id,probability,segment\n")
    assert (tmp_path / "meta.csv").read_text().startswith("extern_id\n")


def test_the_table_of_columns_is_the_schema() -> None:
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| ", GUIDE, re.MULTILINE)
    assert [name for row in rows for name in re.findall(r"`(\w+)`", row)] == PREDICTION_SCHEMA.names
