"""Where people clicked on a page beside where a model says they look: two numbers, or why there are none.

Clicks are not glances: people look before they click, at more than they click, and only some things can be clicked.
A heatmap that is worth something still has more attention where clicks are than elsewhere, so NSS is to be above 0; CC
of the two maps says how alike they are, and does not reach 1 even for a perfect model of glances. It also rises with
the number of clicks, since a map of few is rough: compare it between pages of about as many.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from features.attention_scores import as_density
from features.clicks import Placed
from features.gaze_density import density
from models.attention.metrics import cc

MOST_PIXELS = 512
"""CC is measured on maps whose longer side is at most so long: a model's map has no more detail, and it is drawn
``DRAWS`` times."""

DRAWS = 400
LEVEL = 0.95
_WIDTH = 1.959964  # standard deviations that hold so much of a normal distribution
_SEED = 0

Map = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ClickRules:
    """When two maps are compared.

    Attributes:
        min_clicks: fewer give no number.
        min_visitors: fewer give no number: one visitor's clicks are one habit.
    """

    min_clicks: int = 50
    min_visitors: int = 20


def compare_clicks(
    placed: Placed, predicted: npt.NDArray[np.floating], sigma_px: float, rules: ClickRules
) -> dict[str, Any]:
    """Returns how a predicted map fits clicks, as JSON values.

    Intervals are normal, with the standard deviation of a bootstrap over visitors, so that a visitor who clicks twenty
    times is one visitor. Its percentiles would not do for CC: a drawn set of clicks has fewer distinct ones, which
    alone lowers it.

    Args:
        placed: clicks on the screenshot.
        predicted: density (H, W) of the screenshot's size.
        sigma_px: of the Gaussian on each click, the screenshot's pixels.
        rules: when there are enough.

    Returns:
        ``clicks``, ``visitors``, ``nss`` and ``cc`` (each value, low and high; None where there is too little), and
        ``not_measured`` (why; None where it was).
    """
    visitors = np.unique(placed.visitors)
    found: dict[str, Any] = {
        "clicks": len(placed.points),
        "visitors": len(visitors),
        "nss": None,
        "cc": None,
        "not_measured": None,
    }
    if len(placed.points) < rules.min_clicks or len(visitors) < rules.min_visitors:
        found["not_measured"] = (
            f"{len(placed.points)} clicks of {len(visitors)} visitors on the screenshot; at least {rules.min_clicks} "
            f"of {rules.min_visitors} are measured"
        )
        return found
    height, width = predicted.shape
    levels = as_density(predicted)
    spread = float(levels.std())
    if levels.min() == levels.max():
        found["not_measured"] = "the predicted map is the same everywhere"
        return found
    columns, rows = np.floor(placed.points).astype(np.int64).T
    at = (levels[rows, columns] - levels.mean()) / spread
    scale = min(1.0, MOST_PIXELS / max(height, width))
    small = (max(1, round(height * scale)), max(1, round(width * scale)))
    shrunk = cv2.resize(levels.astype(np.float32), small[::-1], interpolation=cv2.INTER_AREA)
    points = np.minimum(placed.points * (small[1] / width, small[0] / height), (small[1] - 1e-6, small[0] - 1e-6))
    _, owner = np.unique(placed.visitors, return_inverse=True)
    rng = np.random.default_rng(_SEED)
    drawn_nss, drawn_cc = np.empty(DRAWS), np.empty(DRAWS)
    for draw in range(DRAWS):
        weight = np.bincount(rng.integers(0, len(visitors), len(visitors)), minlength=len(visitors))[owner].astype(
            float
        )
        drawn_nss[draw] = weight @ at / weight.sum()
        drawn_cc[draw] = cc(shrunk, density(points, weight, *small, sigma_px * scale))
    found["nss"] = _interval(float(at.mean()), drawn_nss)
    found["cc"] = _interval(cc(shrunk, density(points, None, *small, sigma_px * scale)), drawn_cc)
    return found


def click_density(placed: Placed, height: int, width: int, sigma_px: float) -> Map | None:
    """Returns the density of clicks on the screenshot, float32 (H, W), sum 1; None where there is none."""
    if not len(placed.points):
        return None
    return density(placed.points, None, height, width, sigma_px)


def _interval(value: float, drawn: npt.NDArray[np.float64]) -> dict[str, float]:
    half = _WIDTH * float(drawn.std())
    return {"value": value, "low": value - half, "high": value + half}
