"""Automatic rollback: due, not due, already done, and of a champion that somebody else has changed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from augury.outcome_rollback import roll_back
from models.gates import GateResult
from models.registry import ConflictError, Registry

MONDAY_US = 1_767_571_200_000_000
WEEK_US = 7 * 86_400_000_000


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A model with two versions; the second has been champion since three days before the first week."""
    found = Registry(tmp_path / "registry", now_us=lambda: MONDAY_US - WEEK_US // 2)
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "model_card.json").write_text(json.dumps({"family": "behavior", "number": number, "metrics": {}}))
        (folder / "model.txt").write_text(str(number))
        version = found.publish(str(folder), "behavior", "purchase")
        found.promote("behavior", "purchase", version, lambda *_: [GateResult("test", True, "")])
    return found


def week(version: str, number: int, *, figure: str | None = None, side: str = "below", compared: bool = True) -> Any:
    alarm = {"week": "2026-01-05", "week_us": MONDAY_US + number * WEEK_US, "figure": figure, "side": side}
    alarm |= {"realised": 0.55, "expected": 0.7, "low": 0.64, "high": 0.78, "predictions": 1200}
    return {
        "model_version": version,
        "week": "2026-01-05",
        "week_us": MONDAY_US + number * WEEK_US,
        "not_compared": None if compared else "its answers are not in yet",
        "alarms": [alarm] if figure else [],
    }


@pytest.fixture
def versions(registry: Registry) -> tuple[str, str]:
    champion = registry.champion("behavior", "purchase")
    assert champion is not None and champion.replaced is not None
    return champion.replaced, champion.version


def test_a_champion_that_fell_short_goes_with_the_reason_in_the_history(
    registry: Registry, versions: tuple[str, str], tmp_path: Path
) -> None:
    before, champion = versions
    judged = {"weeks": [week(champion, 0), week(champion, 1, figure="auc"), week(champion, 2, compared=False)]}
    said = roll_back(str(tmp_path / "registry"), "purchase", judged, by="cron")
    now = registry.champion("behavior", "purchase")
    assert now is not None and (now.version, now.replaced, now.action, now.by) == (before, champion, "rollback", "cron")
    assert now.reason == (
        "outcomes: Week of 2026-01-05: AUC 0.5500 is below what the probabilities promised, 0.6400 to 0.7800 with "
        "margins (1,200 predictions)."
    )
    assert said == f"rolled back to {before}, in place of {champion}: {now.reason}"
    assert registry.history("behavior", "purchase")[-1]["reason"] == now.reason
    # a second report over the same weeks changes nothing, and old alarms of the one before are of another reign
    again = {"weeks": [*judged["weeks"], week(before, 0, figure="auc")]}
    assert roll_back(str(tmp_path / "registry"), "purchase", again).startswith("no rollback: no full week of the")
    assert registry.champion("behavior", "purchase") == now


@pytest.mark.parametrize(
    ("weeks", "said"),
    [
        (lambda _, c: [], "no full week of the champion"),
        (lambda _, c: [week(c, -1, figure="auc")], "no full week of the champion"),
        (lambda b, _: [week(b, 1, figure="auc")], "no full week of the champion"),
        (lambda _, c: [week(c, 0, figure="auc"), week(c, 1)], "kept its promise"),
        (lambda _, c: [week(c, 0, figure="positive_rate")], "kept its promise"),
        (lambda _, c: [week(c, 0, figure="auc", side="above")], "kept its promise"),
    ],
)
def test_what_is_no_reason(
    weeks: Callable[[str, str], list[Any]],
    said: str,
    registry: Registry,
    versions: tuple[str, str],
    tmp_path: Path,
) -> None:
    assert said in roll_back(str(tmp_path / "registry"), "purchase", {"weeks": weeks(*versions)})
    champion = registry.champion("behavior", "purchase")
    assert champion is not None and champion.version == versions[1]


def test_no_champion_is_said(tmp_path: Path) -> None:
    assert roll_back(str(tmp_path), "purchase", {"weeks": []}) == (
        "behavior/purchase has no champion, so there is none to roll back"
    )


def test_a_champion_that_was_changed_meanwhile_is_left_alone(registry: Registry, versions: tuple[str, str]) -> None:
    with pytest.raises(ConflictError, match=f"{versions[1]} is champion of behavior/purchase and no longer"):
        registry.rollback("behavior", "purchase", expected=versions[0])
    assert registry.rollback("behavior", "purchase", expected=versions[1]).version == versions[0]
