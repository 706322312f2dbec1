"""The outcome report: what was promised and what came true, as one self-contained HTML page."""

from collections.abc import Iterator, Mapping
from typing import Any

from markupsafe import Markup

from models.behavior import plots as shared
from models.behavior.outcomes import plots
from models.behavior.outcomes.drift import LARGE, MODERATE
from models.report import open_page, percent

_FIGURES = {"auc": "AUC", "positive_rate": "rate of positives"}


def render_outcomes(judged: Mapping[str, Any]) -> str:
    """Returns one HTML file: no script, no external resource, light and dark, all data escaped.

    Args:
        judged: what ``models.behavior.outcomes.judging.judge`` returned, or its JSON, read back.
    """
    versions = list(dict.fromkeys(week["model_version"] for week in judged["weeks"]))
    return open_page(__package__).render(
        o=judged,
        verdicts=list(verdicts(judged)),
        figures=_FIGURES,
        versions=[
            _version(name, [week for week in judged["weeks"] if week["model_version"] == name], index)
            for index, name in enumerate(versions)
        ],
    )


def verdicts(judged: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields (good, fair or poor; sentence): what to know first."""
    settled = [week for week in judged["weeks"] if week["settled"]]
    compared = [week for week in settled if week["not_compared"] is None]
    if judged["alarms"]:
        alarm = judged["alarms"][-1]
        yield "poor", alarm_text(alarm)
        yield "fair", f"{len(judged['alarms'])} alarms in {len(compared)} weeks that could be compared."
    elif compared:
        yield "good", f"In {len(compared)} weeks that could be compared nothing left the expected interval."
    else:
        yield "fair", "No week could be compared yet: there are too few answers."
    waiting = [week for week in judged["weeks"] if not week["settled"] and week["expected"]]
    if waiting:
        last = waiting[-1]
        auc = last["expected"].get("auc")
        what = f"an AUC of {auc['value']:.3f} ({auc['low']:.3f} to {auc['high']:.3f})" if auc else "no AUC"
        yield (
            "fair",
            f"The answers of the week of {last['week']} are not in yet; its probabilities promise {what} and "
            f"{percent(last['expected']['positive_rate']['value'])} positives, if they are calibrated.",
        )
    moved = [week for week in judged["weeks"] if (week["drift"]["from_first_week"] or {}).get("verdict") == "large"]
    if moved:
        yield "fair", f"The predictions of {len(moved)} weeks are spread quite otherwise than in the first one."


def alarm_text(alarm: Mapping[str, Any]) -> str:
    """Returns an alarm in one sentence."""
    name = _FIGURES[alarm["figure"]]
    return (
        f"Week of {alarm['week']}: {name} {alarm['realised']:.4f} is {alarm['side']} what the probabilities promised, "
        f"{alarm['low']:.4f} to {alarm['high']:.4f} with margins ({alarm['predictions']:,} predictions)."
    )


def _version(name: str, weeks: list[Mapping[str, Any]], index: int) -> dict[str, Any]:
    judged = [week for week in weeks if week["realised"]]
    drawn = {
        "auc": plots.over_weeks(weeks, "auc", "AUC", f"auc-{index}"),
        "rate": plots.over_weeks(weeks, "positive_rate", "rate of positives", f"rate-{index}", percent=True),
        "drift": plots.drifts(weeks, (("moderate", MODERATE), ("large", LARGE)), f"drift-{index}"),
    }
    if judged:
        drawn["reliability"] = shared.calibration(judged[-1]["realised"]["reliability"], None, f"reliability-{index}")
    return {
        "index": index,
        "name": name,
        "weeks": weeks,
        "last": judged[-1] if judged else None,
        "plots": {key: Markup(svg) for key, svg in drawn.items()},
    }
