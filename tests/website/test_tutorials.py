"""The tutorials, followed literally: what they say can be done can be done, and what they show is what one sees."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import orjson
import pytest

from tests.tutorials import ROOT, Step, follow, steps

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")

TUTORIALS = ROOT / "docs" / "tutorials"
# What makes them small. The models are then too small for the thresholds that the tutorials keep.
MORE: Mapping[str, Mapping[str, str]] = {
    "behavior": {
        "augury simulate": "--visitors 1000 --over-active 0.002",
        "augury examples": "--sequence-length 12 --hash-size 256",
        "augury train": "--units 8 --embedding-units 4 --max-epochs 2 --learning-rate 0.01",
        "augury promote": "--thresholds ../lenient.toml",
    },
    "attention": {
        "python": "--pages 40",
        "augury train": "--max-epochs 2 --golden-images 2",
        "augury promote": "--thresholds ../lenient.toml",
    },
    "creative": {
        "python": "--products 60",
        "augury train variants": "--max-epochs 1 --golden-products 2",
        "augury train creative": "--rounds 20 --members 4 --min-products 2 --golden-images 2",
        "augury promote": "--thresholds ../lenient.toml",
    },
}
LENIENT = {
    "behavior": "max_ece = 0.2\n[at_least]\nauc = 0.0\n",
    "attention": "[at_least]\nauc = 0.0\n[at_most]\n",
    "creative": "max_ece = 0.5\n[at_least]\nauc = 0.0\n",
}
# What depends on luck: with so little data other words may stand there.
LUCK = {"creative": {"better", "worse", "boot", "difference", "another_product", "best", "reliably"}}


@pytest.mark.parametrize("name", MORE)
def test_a_tutorial_does_what_it_says(name: str, tmp_path: Path) -> None:
    (tmp_path / "lenient.toml").write_text(LENIENT[name])
    done = follow(TUTORIALS / f"{name}.md", tmp_path, MORE[name])
    answers = [orjson.loads(step.printed) for step in done if step.command.startswith("curl")]
    shown = [orjson.loads(step.shown) for step in done if step.command.startswith("curl")]
    assert list(map(_keys, answers)) == list(map(_keys, shown))
    tables = [step for step in done if step.command.startswith("augury") and " promote " not in step.command]
    different = {step.command: step.missing() - LUCK.get(name, set()) for step in tables}
    assert {command: words for command, words in different.items() if words} == {}
    globals()[f"_check_{name}"](answers, tmp_path / f"first-{name}")


def _keys(answer: object) -> set[str]:
    """Returns the names of all fields of an answer, at any depth."""
    if isinstance(answer, dict):
        return {*answer, *(name for value in answer.values() for name in _keys(value))}
    return {name for value in answer for name in _keys(value)} if isinstance(answer, list) else set()


def _check_behavior(answers: list[dict], folder: Path) -> None:
    first, second = answers[1], answers[3]
    assert (first["events_used"], second["events_used"]) == (1, 2)
    assert first["probability"] != second["probability"]
    assert (folder / "leads.csv").read_text().startswith("visitor,user_id,probability,segment\n")


def _check_attention(answers: list[dict], folder: Path) -> None:
    shares = {region["name"]: region["share"] for region in answers[0]["regions"]}
    assert shares.keys() == {"left", "right"} and sum(shares.values()) == pytest.approx(1.0)
    assert len(answers[0]["hottest_points"]) == 1
    [shown] = (TUTORIALS / "attention.md").read_text().split("```toml\n")[1:]
    assert (folder / "gaze" / "sets.toml").read_text() == shown.partition("```")[0]


def _check_creative(answers: list[dict], folder: Path) -> None:
    assert answers[0]["simulated"] is True
    assert answers[0]["variants"][0]["name"] == "original"
    assert len(list((folder / "better").glob("*.png"))) == len(answers[0]["variants"])


def test_every_tutorial_is_followed() -> None:
    assert {path.stem for path in TUTORIALS.glob("*.md")} - {"index"} == MORE.keys()


def test_commands_are_taken_with_what_is_shown_of_them(tmp_path: Path) -> None:
    guide = tmp_path / "guide.md"
    guide.write_text("```console\n$ one \\\n  two\nfirst 12\nsecond\n$ three\n```\n\n```text\n$ four\n```\n")
    assert steps(guide) == [Step("one    two", "first 12\nsecond\n"), Step("three", "")]
    assert Step("x", "said 12 words: abc123def", "words").missing() == {"said"}
