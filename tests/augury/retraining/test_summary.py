import json
from pathlib import Path
from typing import Any

from augury.retraining.summary import OUTCOMES, as_markdown, meaning, write_summary

SUMMARY: dict[str, Any] = {
    "model": "behavior/purchase",
    "outcome": "kept",
    "reason": "auc not worse than the champion's: auc is 0.7, the champion's 0.8, margin 0.005",
    "version": "20260824T030000Z-0f3a5b7c9d1e2f40",
    "champion_before": "20260817T030000Z-1f3a5b7c9d1e2f40",
    "champion_now": "20260817T030000Z-1f3a5b7c9d1e2f40",
    "window": {"first": "2026-08-17", "last": "2026-08-23", "end": "2026-08-24", "days": 7},
    "code": "0.1.0+abc",
    "key": "k",
    "run": "runs/x",
    "examples": "runs/x/examples",
    "checks": {
        "findings": [{"kind": "drift", "what": "step/dwell differs by 0.062"}],
        "examples": 1200,
        "days": 7,
        "rates": {"0": [1100, 1200], "1": [100, 1200]},
        "last_run": "20260817T030000Z-1f3a5b7c9d1e2f40",
        "drift_judged": False,
        "measures": [{"feature": "step/dwell", "what": "drift", "value": 0.0625, "threshold": 0.05}],
    },
    "comparison": {
        "metrics": {"auc": 0.8},
        "changes": {},
        "slices": [["clicks | all", 400, 0.8, 0.7, [-0.1, -0.2, 0.0]]],
    },
    "gates": [{"name": "golden set", "passed": False, "detail": "0 of 9 predictions"}],
    "seconds": {"examples": 3.21, "train": 60.0},
    "began": "2026-08-24T03:00:00Z",
    "ended": "2026-08-24T03:02:00Z",
}


def test_people_read_all_that_matters() -> None:
    text = as_markdown(SUMMARY)
    lines = text.splitlines()
    assert lines[0] == "# behavior/purchase, 2026-08-17 to 2026-08-23: kept"
    assert lines[2] == "A version was published, and the champion stays."
    assert lines[4] == f"Reason: {SUMMARY['reason']}"
    for line in (
        "| version | 20260824T030000Z-0f3a5b7c9d1e2f40 |",
        "The last 7 days hold 1,200 examples; compared with 20260817T030000Z-1f3a5b7c9d1e2f40, "
        "but for drift, since its examples have another feature spec.",
        "- **drift**: step/dwell differs by 0.062",
        "| 1 | 8.33% | 100 of 1,200 |",
        "| step/dwell | drift | 0.0625 | 0.05 |",
        "| golden set | FAILED | 0 of 9 predictions |",
        "| clicks \\| all | 400 | 0.8000 | 0.7000 | -0.1000 (-0.2000 to +0.0000) |",
        "| examples | 3.2 |",
    ):
        assert line in lines


def test_what_was_promoted_and_rolled_back_since_is_not_called_champion() -> None:
    there = {**SUMMARY, "outcome": "promoted", "reason": "", "champion_now": SUMMARY["version"]}
    assert meaning(there) == OUTCOMES["promoted"]
    gone = {**there, "champion_now": SUMMARY["champion_before"]}
    expected = "the version was promoted before, and the champion is another now: 20260817T030000Z-1f3a5b7c9d1e2f40"
    assert meaning(gone) == expected
    assert as_markdown(gone).splitlines()[2] == f"{expected.capitalize()[:3]}{expected[3:]}."
    assert meaning(SUMMARY) == OUTCOMES["kept"]


def test_a_run_that_failed_early_has_a_summary_as_well(tmp_path: Path) -> None:
    early = dict.fromkeys(SUMMARY) | {name: SUMMARY[name] for name in ("model", "window", "code", "key", "run")}
    early |= {"outcome": "failed", "reason": "the disk is full", "gates": [], "seconds": {}}
    write_summary(tmp_path, early)
    assert json.loads((tmp_path / "summary.json").read_bytes()) == early
    text = (tmp_path / "summary.md").read_text()
    assert "| version | none |" in text and "## " not in text
    assert OUTCOMES["failed"].capitalize() in text
