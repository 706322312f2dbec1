"""Automatic rollback: the champion goes if what it promised did not come true, with the reason in the history."""

from collections.abc import Mapping
from typing import Any

from models.behavior.outcomes.report import alarm_text
from models.registry import ConflictError, Registry

FAMILY = "behavior"


def roll_back(registry: str, name: str, judged: Mapping[str, Any], by: str | None = None) -> str:
    """Makes the champion's predecessor champion again if the champion alarmed; says what was done and why.

    What counts is an AUC below the expected interval, in the newest week of the champion that could be compared and
    that began after it became champion: another rate of positives may be the season's, and another champion's reign is
    over. A champion that was changed meanwhile is left alone.

    Raises:
        RegistryError: there is no champion, or nothing to roll back to.
        IntegrityError: the predecessor's files are not what was published.
    """
    opened = Registry(registry)
    champion = opened.champion(FAMILY, name)
    if champion is None:
        return f"{FAMILY}/{name} has no champion, so there is none to roll back"
    reign = [
        week
        for week in judged["weeks"]
        if week["model_version"] == champion.version and week["not_compared"] is None and _within(week, champion.at_us)
    ]
    if not reign:
        return f"no rollback: no full week of the champion {champion.version} can be compared yet"
    alarms = [alarm for alarm in reign[-1]["alarms"] if alarm["figure"] == "auc" and alarm["side"] == "below"]
    if not alarms:
        return f"no rollback: the champion {champion.version} kept its promise in the week of {reign[-1]['week']}"
    reason = f"outcomes: {alarm_text(alarms[0])}"
    try:
        now = opened.rollback(FAMILY, name, reason, by, expected=champion.version)
    except ConflictError:
        return f"no rollback: {champion.version} is no longer the champion of {FAMILY}/{name}"
    return f"rolled back to {now.version}, in place of {now.replaced}: {reason}"


def _within(week: Mapping[str, Any], since_us: int) -> bool:
    return bool(week["week_us"] >= since_us)
