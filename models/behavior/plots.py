"""The plots of the behaviour model's report."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, PercentFormatter

from models.plots import FAINT, INK, SERIES, STYLE, as_svg, new_figure

Curves = Mapping[str, Mapping[str, Any]]
"""Name of the predictions -> their ``curves`` in an evaluation's view; the model first."""

_DASHES: tuple[Any, ...] = ("-", (0, (6, 2)), (0, (2, 2)), "-.", ":")


@mpl.rc_context(STYLE)
def gain(curves: Curves, names: Mapping[str, str], label: str) -> str:
    """Draws the share of all positives that the top share of examples holds."""
    figure, axes = _lines(curves, names, "gain", "lower right")
    axes.set(xlabel="share of all examples, highest predictions first", ylabel="share of all positives")
    top, share = 0.2, next(iter(curves.values()))["top_20_share"]
    axes.plot([top, top, 0], [0, share, share], color=FAINT, lw=1, ls=_DASHES[2])
    axes.plot([top], [share], "o", color=SERIES[0])
    place = {"xytext": (10, -4), "textcoords": "offset points", "va": "top", "fontweight": "bold"}
    axes.annotate(f"top {top:.0%} hold {share:.0%}", (top, share), **place)
    return as_svg(figure, label)


@mpl.rc_context(STYLE)
def roc(curves: Curves, names: Mapping[str, str], label: str) -> str:
    """Draws the ROC curves."""
    figure, axes = _lines(curves, names, "roc", "lower right")
    axes.set(xlabel="share of negatives wrongly picked", ylabel="share of positives rightly picked")
    return as_svg(figure, label)


@mpl.rc_context(STYLE)
def precision_recall(curves: Curves, names: Mapping[str, str], label: str) -> str:
    """Draws precision over recall."""
    figure, axes = _lines(curves, names, "pr", "upper right")
    axes.set(xlabel="share of all positives that are picked", ylabel="share of the picked that are positive")
    return as_svg(figure, label)


@mpl.rc_context(STYLE)
def calibration(after: Sequence[Mapping[str, Any]], before: Sequence[Mapping[str, Any]] | None, label: str) -> str:
    """Draws what happened over what was predicted, before and after, with the number of examples of each bucket."""
    figure = Figure(figsize=(5.4, 4.9), layout="constrained")
    axes, counts = figure.subplots(2, 1, sharex=True, height_ratios=(3.4, 1))
    top = max(bucket[key] for bucket in [*after, *(before or ())] for key in ("predicted", "high"))
    top = min(1.0, top * 1.08)
    axes.plot([0, top], [0, top], color=FAINT, lw=1.2, ls=_DASHES[1], label="perfect")
    shown = [(after, "after calibration", 0, "o")] if before else [(after, "the model", 0, "o")]
    if before:
        shown.insert(0, (before, "before calibration", 3, "s"))
    for index, (buckets, name, colour, marker) in enumerate(shown):
        x, y = (np.array([bucket[key] for bucket in buckets]) for key in ("predicted", "rate"))
        spread = np.abs(np.array([[bucket["low"], bucket["high"]] for bucket in buckets]).T - y)
        style = {"color": SERIES[colour], "marker": marker, "markersize": 4.5, "label": name, "lw": 1.6}
        axes.errorbar(x, y, spread, elinewidth=1, capsize=0, **style)
        width = top / 110
        counts.bar(
            x + (index - (len(shown) - 1) / 2) * width,
            [bucket["examples"] for bucket in buckets],
            width,
            color=SERIES[colour],
        )
    counts.set_yscale("log")
    counts.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
    counts.yaxis.set_minor_formatter(NullFormatter())
    counts.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    counts.grid(visible=False, axis="x")
    axes.set(xlim=(0, top), ylim=(0, top))
    axes.set_ylabel("what happened")
    counts.set_ylabel("examples")
    counts.set_xlabel("what was predicted")
    counts.xaxis.set_major_formatter(_percents(top))
    axes.yaxis.set_major_formatter(_percents(top))
    axes.legend(loc="upper left")
    return as_svg(figure, label)


@mpl.rc_context(STYLE)
def distribution(found: Mapping[str, Any], names: tuple[str, str], label: str) -> str:
    """Draws how the predictions of the negatives and of the positives are spread."""
    figure, axes = new_figure(4.9)
    edges = np.array(found["distribution"]["edges"])
    for which, name, colour in zip(("negatives", "positives"), names, (3, 0), strict=True):
        heights = found["distribution"][which]
        axes.stairs(heights, edges, color=SERIES[colour], fill=True, alpha=0.28)
        axes.stairs(heights, edges, color=SERIES[colour], lw=1.8, label=name)
    axes.set(xlabel="prediction", ylabel="share of the examples of that kind", xlim=(0, edges[-1]), ylim=(0, None))
    axes.xaxis.set_major_formatter(_percents(edges[-1]))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.legend(loc="upper right")
    return as_svg(figure, label)


@mpl.rc_context(STYLE)
def segments(curves: Curves, names: Mapping[str, str], label: str) -> str:
    """Draws the odds of a positive in five equal segments."""
    figure, axes = new_figure()
    width = 0.8 / len(curves)
    rows = next(iter(curves.values()))["segments"]
    finite = [row["odds"] for found in curves.values() for row in found["segments"] if row["odds"] is not None]
    for index, (key, found) in enumerate(curves.items()):
        # A segment of positives only has no finite odds: its bar goes to the top of the plot.
        odds = [max(finite, default=1.0) if row["odds"] is None else row["odds"] for row in found["segments"]]
        place = np.arange(len(rows)) + (index - (len(curves) - 1) / 2) * width
        bars = axes.bar(place, odds, width * 0.92, color=SERIES[index], label=names[key])
        if index == 0:
            text = ["∞" if row["odds"] is None else f"{row['odds']:.2g}" for row in found["segments"]]
            axes.bar_label(bars, text, padding=3, color=INK, fontweight="bold")
    axes.set_xticks(np.arange(len(rows)), [row["name"] for row in rows])
    axes.set_ylabel("positives for every negative")
    axes.grid(visible=False, axis="x")
    axes.margins(y=0.12)
    axes.legend(loc="upper left")
    return as_svg(figure, label)


@mpl.rc_context(STYLE)
def importance(groups: Sequence[Mapping[str, Any]], label: str) -> str:
    """Draws by how much the AUC drops without each group of features, with its interval."""
    figure = Figure(figsize=(7.2, 0.9 + 0.27 * len(groups)), layout="constrained")
    axes = figure.subplots()
    drops = [group["auc_drop"] for group in groups]
    values = [drop["value"] for drop in drops]
    spread = [[drop["value"] - drop["low"] for drop in drops], [drop["high"] - drop["value"] for drop in drops]]
    places = range(len(groups))
    axes.barh(places, values, 0.7, color=SERIES[0])
    axes.errorbar(values, places, xerr=spread, fmt="none", ecolor=INK, elinewidth=1.2, capsize=2)
    axes.axvline(0, color=FAINT, lw=1)
    axes.set_yticks(places, [group["name"] for group in groups])
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("AUC lost when the features say nothing any more")
    return as_svg(figure, label)


def _lines(curves: Curves, names: Mapping[str, str], which: str, legend: str) -> tuple[Figure, Any]:
    figure, axes = new_figure()
    for (key, found), colour, dashes in zip(curves.items(), SERIES, _DASHES, strict=False):
        axes.plot(found[which]["x"], found[which]["y"], color=colour, ls=dashes, label=names[key])
    axes.set(xlim=(0, 1), ylim=(0, 1.01))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.legend(loc=legend)
    return figure, axes


def _percents(top: float) -> PercentFormatter:
    return PercentFormatter(1, decimals=0 if top > 0.08 else 1)
