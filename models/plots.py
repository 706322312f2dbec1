"""What the plots of all reports share: inline SVG whose colours are CSS variables, to suit light and dark."""

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

# A drawing is made in these colours, which as_svg then replaces by the page's variables.
INK, FAINT, GRID = "#010203", "#010204", "#010205"
SERIES = ("#010211", "#010212", "#010213", "#010214", "#010215")
_VARIABLES = {INK: "ink", FAINT: "faint", GRID: "grid"} | {c: f"series-{i}" for i, c in enumerate(SERIES)}
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: it can be read aloud, searched and coloured
    "svg.hashsalt": "augury",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": FAINT,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": FAINT,
    "ytick.labelcolor": FAINT,
    "legend.frameon": False,
    "lines.linewidth": 2,
}


@mpl.rc_context(STYLE)
def learning(history: Sequence[Mapping[str, float]], label: str) -> str:
    """Draws the losses of every epoch."""
    figure, axes = new_figure()
    epochs = [row.get("epoch", index + 1) for index, row in enumerate(history)]
    losses = sorted({key for row in history for key in row if key.endswith("loss")})
    for index, key in enumerate(losses[: len(SERIES)]):
        values = [row.get(key, np.nan) for row in history]
        name = key.removesuffix("loss").strip("_") or "loss"
        axes.plot(epochs, values, marker="o", ms=3.5, color=SERIES[(3, 0, 1, 2, 4)[index]], label=name)
        if key == "validation_loss":
            best = int(np.nanargmin(values))
            axes.annotate(
                "best",
                (epochs[best], values[best]),
                xytext=(0, 26),
                textcoords="offset points",
                ha="center",
                arrowprops={"arrowstyle": "-", "color": FAINT},
            )
    axes.set(xlabel="epoch (one pass over the training examples)", ylabel="loss")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="upper right")
    return as_svg(figure, label)


def new_figure(height: float = 3.9) -> tuple[Figure, Any]:
    """Returns a figure of the width of a report's column, ``height`` in inches, and its axes."""
    figure = Figure(figsize=(5.4, height), layout="constrained")
    return figure, figure.subplots()


def as_svg(figure: Figure, label: str) -> str:
    """Returns the figure as an ``<svg>`` element, with ids of its own and colours that the page decides."""
    found = io.StringIO()
    figure.savefig(found, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = found.getvalue()
    text = re.sub(r"<(metadata|style)\b.*?</\1>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{label}-", text)
    text = re.sub("|".join(_VARIABLES), lambda match: f"var(--{_VARIABLES[match[0]]})", text)
    text = re.sub(r"'DejaVu Sans'[^;\"]*", "var(--font)", text)
    size = re.search(r'viewBox="[^"]*"', text)
    head = f'<svg {size[0] if size else ""} role="img" aria-labelledby="{label}-title" aria-describedby="{label}-text">'
    return re.sub(r"<svg\b[^>]*>", head, text, count=1)
