"""docs/outcomes.md: its commands, run on a small shop, and the columns and statuses that it names."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from augury import cli
from features.heatmaps import encode_png
from models.behavior.outcomes.drift import LARGE, MODERATE
from models.behavior.outcomes.judging import AlarmRules
from models.gates import GateResult
from models.registry import Registry
from tests.augury.test_clicks import on_the_spot, write
from tests.augury.test_outcomes import shop
from tests.tiny_attention import write_attention_artifact
from tests.tiny_model import NAME, publish
from transforms.judge_predictions import CENSORED_BECAUSE, NOT_JUDGED_BECAUSE, OUTCOME_SCHEMA

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "outcomes.md").read_text()
COMMANDS = [shlex.split(line) for line in re.findall(r"^\$ augury (.*)$", GUIDE, re.MULTILINE)]


def test_every_command_does_what_the_guide_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    version = publish(tmp_path / "registry")
    attention = Registry(tmp_path / "registry")
    page = attention.publish(str(write_attention_artifact(tmp_path / "model")), "attention", "pages")
    attention.promote("attention", "pages", page, lambda *_: [GateResult("test", True, "")])
    (tmp_path / "archive").mkdir()
    shop(tmp_path / "archive", [version], lift=1.0)
    write(tmp_path, on_the_spot(60))
    (tmp_path / "shoes.png").write_bytes(encode_png(np.full((900, 1280, 3), 200, np.uint8)))
    assert [words[0] for words in COMMANDS] == ["outcomes", "visitor", "clicks"]
    assert NAME in COMMANDS[0]
    for words in COMMANDS:
        done = CliRunner().invoke(cli.app, ["v0-1" if word == "VISITOR" else word for word in words])
        assert done.exit_code == 0, done.output
    made = {path.name for path in (tmp_path / "outcomes").iterdir()}
    assert made >= {"outcomes_card.json", "outcomes.json", "report.html"}
    assert (tmp_path / "shoes-clicks.json").exists()


def test_the_tables_are_what_the_code_has() -> None:
    columns = GUIDE[GUIDE.index("| column | is |") :]
    named = [
        name for row in re.findall(r"^\| (`.*?`) \| ", columns, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    ]
    assert sorted(named) == sorted(OUTCOME_SCHEMA.names)
    for status in (*CENSORED_BECAUSE, *NOT_JUDGED_BECAUSE):
        assert f"`{status}`" in GUIDE


def test_the_numbers_it_names_are_the_defaults() -> None:
    rules = AlarmRules()
    assert f"`--level` {rules.level:g}" in GUIDE and f"{rules.min_predictions} judged predictions" in GUIDE
    assert re.search(rf"`--auc-margin`\s+{rules.auc_margin:g}", GUIDE)
    assert f"`--rate-margin` {rules.rate_margin:.0%}".replace("%", " %") in GUIDE
    assert f"{MODERATE:g} is moderate and {LARGE:g} large" in GUIDE
    assert f"fewer than {rules.min_expected:g} positives or negatives" in GUIDE
