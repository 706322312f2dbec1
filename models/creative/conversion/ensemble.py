"""The model of one target: members, their calibration, and the intervals that come of both."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from models.creative.conversion.calibration import Calibration
from models.creative.conversion.trees import Floats, Matrix, Trees
from models.creative.estimates import Estimates


@dataclass(frozen=True, eq=False)
class Ensemble:
    """What answers for one target.

    Attributes:
        trees: B members.
        calibration: f, which makes a margin a rate.
        confidence: of the intervals.
    """

    trees: Trees
    calibration: Calibration
    confidence: float

    def estimate(self, matrix: Matrix) -> Estimates:
        """Returns the rates of rows, float32 (N, F).

        With the answer m of the trees and the standard deviation s of their members' margins, the rate is f(m) and its
        interval f(m - t s) to f(m + t s), t being Student's quantile with B - 1 degrees of freedom. s is the spread of
        a single member; the mean of many has at most that, so intervals err towards being wide. Where f is isotonic
        regression, the distances to both ends, and the members' rates, are those before it.
        """
        margins = self.trees.margins(matrix)
        middle, spread = self.trees.answer(matrix), margins.std(axis=0, ddof=1)
        reach = quantile(len(self.trees), self.confidence)
        rates = self.calibration.apply(middle)
        # The steps of isotonic regression would hide the spread: it is flat in between, so every member would agree.
        unhidden = Calibration() if self.calibration.kind == "isotonic" else self.calibration
        shift = rates - unhidden.apply(middle)
        low, high = (np.clip(unhidden.apply(middle + side * reach * spread) + shift, 0, 1) for side in (-1, 1))
        return Estimates(rates, low, high, unhidden.apply(margins), reach)

    def rates(self, matrix: Matrix) -> Floats:
        """Returns the rates of rows alone, float64 (N,), in a quarter of the time."""
        return self.calibration.apply(self.trees.answer(matrix))


def quantile(members: int, confidence: float) -> float:
    """Returns Student's t that a two-sided interval of ``confidence`` reaches to, with ``members - 1`` degrees."""
    found = float(special.stdtrit(members - 1, (1 + confidence) / 2))
    # The last bits differ between builds of SciPy, and a golden set tells them apart.
    return found if not math.isfinite(found) else float(np.round(found, 9))
