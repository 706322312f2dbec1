"""Cards for people: what is known is filled in, what is not stays a question; docs/cards/index.md says how."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from models.card_text import DATA_SECTIONS, MODEL_SECTIONS, data_card_text, model_card_text

ROOT = Path(__file__).resolve().parents[2]
CARDS = ROOT / "docs" / "cards"
MODEL = {
    "family": "behavior",
    "code_version": "0.1.0",
    "metrics": {"auc": 0.912345, "open_rate": {"ece": 0.01}},
    "arguments": {"units": 64, "encoder": "gru", "none": None},
    "history": [{"epoch": 1}],
}
DATA = {
    "sources": ["a|b.jsonl", "<c>"],
    "window_us": {"start_us": 1_785_542_400_000_000, "end_us": 1_785_542_401_000_000},
    "splits": {"train": {"examples": 16593, "labels": {"0": 14942}}, "test": {"examples": 2046}},
    "events": {"read": 5, "rejected": {"bad_time": 2}},
}


def test_what_the_cards_know_is_filled_in() -> None:
    text = model_card_text(MODEL, DATA)
    assert "| family | behavior |" in text and "| code_version | 0.1.0 |" in text
    assert "Arguments:\n\n| | |\n|---|---|\n| units | 64 |\n| encoder | gru |\n\n" in text
    assert "| auc | 0.9123 |\n| open_rate, ece | 0.01 |" in text
    assert "Examples by split:\n\n| | |\n|---|---|\n| train | 16,593 |\n| test | 2,046 |\n" in text
    assert "history" not in text


def test_what_the_data_card_knows_is_filled_in() -> None:
    text = data_card_text(DATA)
    assert "| sources | a\\|b.jsonl, &lt;c> |" in text
    assert "| window | start_us 2026-08-01 00:00:00 UTC; end_us 2026-08-01 00:00:01 UTC |" in text
    assert "| train, labels, 0 | 14,942 |" in text
    assert "What became of the events:\n\n| | |\n|---|---|\n| read | 5 |\n| rejected, bad_time | 2 |\n" in text


@pytest.mark.parametrize("text", [model_card_text(MODEL, DATA), data_card_text(DATA)])
def test_what_only_people_know_stays_a_question(text: str) -> None:
    sections = MODEL_SECTIONS if text.startswith("# Model card") else DATA_SECTIONS
    for heading, _, questions in sections:
        assert f"\n## {heading}\n" in text
        assert all(f"\n- [ ] {question}\n" in f"{text}\n" for question in questions)


def test_the_forms_of_the_guide_are_those_that_are_printed() -> None:
    for name, text in (("model-card", model_card_text({}, {})), ("data-card", data_card_text({}))):
        assert f"```markdown\n{text.strip()}\n```" in (CARDS / f"{name}.md").read_text(), name


def test_the_command_of_the_guide(tmp_path: Path) -> None:
    assert "$ python -m models.card_text model > MODEL_CARD.md" in (CARDS / "index.md").read_text()
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "dataset_card.json").write_text(json.dumps(DATA))
    assert _printed(tmp_path) == data_card_text(DATA) + "\n"
    (tmp_path / "model" / "model_card.json").write_text(json.dumps(MODEL))
    assert _printed(tmp_path) == model_card_text(MODEL, DATA) + "\n" + data_card_text(DATA) + "\n"


def test_what_holds_no_card_is_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "models.card_text", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("error: cannot read ") and done.stderr.count("\n") == 1


def _printed(folder: Path) -> str:
    command = [sys.executable, "-m", "models.card_text", "model"]
    environment = {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True).stdout
