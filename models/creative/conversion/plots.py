"""The plots of the conversion model's report."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from models.plots import FAINT, INK, SERIES, STYLE, as_svg, new_figure


@mpl.rc_context(STYLE)
def reliability(buckets: Sequence[Mapping[str, Any]], label: str) -> str:
    """Draws what happened over what was predicted, with 95 % intervals, and the messages of each bucket."""
    figure = Figure(figsize=(5.4, 4.9), layout="constrained")
    axes, counts = figure.subplots(2, 1, sharex=True, height_ratios=(3.4, 1))
    top = min(1.0, 1.08 * max(bucket[key] for bucket in buckets for key in ("predicted", "high")))
    axes.plot([0, top], [0, top], color=FAINT, lw=1.2, ls=(0, (6, 2)), label="perfect")
    x, y, low, high = (np.array([bucket[key] for bucket in buckets]) for key in ("predicted", "rate", "low", "high"))
    style = {"color": SERIES[0], "marker": "o", "markersize": 4.5, "lw": 1.6, "elinewidth": 1, "capsize": 0}
    axes.errorbar(x, y, np.maximum([y - low, high - y], 0), label="the model", **style)
    counts.bar(x, [bucket["messages"] for bucket in buckets], top / 80, color=SERIES[0])
    counts.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    counts.yaxis.set_major_locator(MaxNLocator(nbins=3))
    counts.grid(visible=False, axis="x")
    axes.set(xlim=(0, top), ylim=(0, top), ylabel="what happened")
    counts.set(xlabel="what was predicted", ylabel="messages")
    for axis in (counts.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0 if top > 0.08 else 1))
    axes.legend(loc="upper left")
    return as_svg(figure, label)


@mpl.rc_context(STYLE)
def importance(found: Mapping[str, float], label: str) -> str:
    """Draws by how much the log loss rises where a group of columns is shuffled, the largest on top."""
    ordered = sorted(found.items(), key=lambda item: item[1])
    figure, axes = new_figure(max(2.2, 0.45 * len(ordered) + 1))
    bars = axes.barh([name for name, _ in ordered], [value for _, value in ordered], color=SERIES[0])
    axes.bar_label(bars, [f"{value:.5f}" for _, value in ordered], padding=3, color=INK)
    axes.set_xlabel("rise of the log loss of a message without it")
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.2)
    return as_svg(figure, label)
