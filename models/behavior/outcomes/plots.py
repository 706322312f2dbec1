"""The plots of the outcome report."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.ticker import PercentFormatter

from models.plots import FAINT, SERIES, STYLE, as_svg, new_figure

Weeks = Sequence[Mapping[str, Any]]
"""Entries of one version, by week."""

_MOST_NAMES = 8


@mpl.rc_context(STYLE)
def over_weeks(weeks: Weeks, figure: str, ylabel: str, label: str, *, percent: bool = False) -> str:
    """Draws a figure as it came true over what the probabilities promised, week by week; alarms are crosses."""
    drawn, axes = new_figure()
    places = range(len(weeks))
    promised = [(x, week["expected"][figure]) for x, week in zip(places, weeks, strict=True) if _has(week, figure)]
    if promised:
        x, found = zip(*promised, strict=True)
        low, high = ([each[end] for each in found] for end in ("low", "high"))
        axes.fill_between(x, low, high, color=SERIES[2], alpha=0.25, lw=0, label="expected interval")
        axes.plot(x, [each["value"] for each in found], color=SERIES[2], lw=1.4, ls=(0, (6, 2)), label="expected")
    true = [(x, _value(week["realised"][figure])) for x, week in zip(places, weeks, strict=True) if _came(week, figure)]
    if true:
        x, values = zip(*true, strict=True)
        axes.plot(x, values, "o-", color=SERIES[0], ms=4, label="came true")
        bars = [(at, weeks[at]["realised"][figure]) for at in x if isinstance(weeks[at]["realised"][figure], dict)]
        for at, bar in bars:
            axes.plot([at, at], [bar["low"], bar["high"]], color=SERIES[0], lw=1)
    alarmed = [
        (x, alarm["realised"])
        for x, week in zip(places, weeks, strict=True)
        for alarm in week["alarms"]
        if alarm["figure"] == figure
    ]
    if alarmed:
        x, values = zip(*alarmed, strict=True)
        axes.plot(x, values, "X", color=SERIES[1], ms=10, label="alarm")
    _name_weeks(axes, weeks)
    axes.set_ylabel(ylabel)
    if percent:
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    _legend(axes)
    return as_svg(drawn, label)


@mpl.rc_context(STYLE)
def drifts(weeks: Weeks, limits: Sequence[tuple[str, float]], label: str) -> str:
    """Draws the population stability index against the first week and against the test predictions."""
    drawn, axes = new_figure()
    for index, (key, name) in enumerate((("from_first_week", "from its first week"), ("from_test", "from its test"))):
        found = [(x, week["drift"][key]["psi"]) for x, week in enumerate(weeks) if week["drift"][key]]
        if found:
            x, values = zip(*found, strict=True)
            axes.plot(x, values, "os"[index] + "-", color=SERIES[(0, 3)[index]], ms=4, label=name)
    for name, limit in limits:
        axes.axhline(limit, color=FAINT, lw=1, ls=(0, (2, 2)))
        axes.annotate(name, (0, limit), xytext=(2, 3), textcoords="offset points", color=FAINT)
    _name_weeks(axes, weeks)
    axes.set_ylabel("population stability index")
    axes.set_ylim(bottom=0)
    _legend(axes)
    return as_svg(drawn, label)


def _has(week: Mapping[str, Any], figure: str) -> bool:
    return bool(week["expected"] and figure in week["expected"])


def _came(week: Mapping[str, Any], figure: str) -> bool:
    return bool(week["realised"] and week["realised"][figure] is not None)


def _value(found: Any) -> float:
    return float(found["value"] if isinstance(found, dict) else found)


def _legend(axes: Any) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="best")


def _name_weeks(axes: Any, weeks: Weeks) -> None:
    step = -(-len(weeks) // _MOST_NAMES)
    places = range(0, len(weeks), step)
    axes.set_xticks(list(places), [weeks[at]["week"][5:] for at in places])
    axes.set_xlabel("week that begins on (month-day)")
    axes.margins(x=0.04)
