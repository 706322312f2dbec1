"""Predicted rates with what is known of their uncertainty, and differences of two of them."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Difference(NamedTuple):
    """How much larger one rate is than another, and its interval."""

    value: float
    low: float
    high: float

    @property
    def reliable(self) -> bool:
        """Whether one is larger than the other as far as can be told: the interval holds no 0."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, eq=False)
class Estimates:
    """The rates of one target in N rows.

    Two rows of one photo, or of one campaign, err together: the products that a member was trained on move both. So
    the uncertainty of a difference is taken from the members' own differences, not from the two intervals.

    Attributes:
        probability: float64 (N,).
        low: float64 (N,), lower end of its interval.
        high: float64 (N,), upper end.
        members: float64 (B, N), the rates that each member gives.
        quantile: how many standard deviations of the members an interval reaches to each side: Student's t with B - 1
            degrees of freedom.
    """

    probability: Floats
    low: Floats
    high: Floats
    members: Floats
    quantile: float

    def difference(self, first: int, second: int) -> Difference:
        """Returns by how much the rate of row ``first`` is larger than that of row ``second``."""
        value, low, high = self.differences(np.array([first]), np.array([second]))
        return Difference(float(value[0]), float(low[0]), float(high[0]))

    def differences(
        self, first: npt.NDArray[np.integer], second: npt.NDArray[np.integer]
    ) -> tuple[Floats, Floats, Floats]:
        """Returns the differences of rows (M,) and (M,), and the ends of their intervals, float64 (M,) each.

        The interval is d -/+ quantile * s, s being the standard deviation of the members' differences.
        """
        value = self.probability[first] - self.probability[second]
        spread = self.quantile * (self.members[:, first] - self.members[:, second]).std(axis=0, ddof=1)
        return value, np.maximum(value - spread, -1.0), np.minimum(value + spread, 1.0)

    def take(self, places: npt.NDArray[np.integer]) -> "Estimates":
        """Returns some of the rows."""
        columns = (self.probability[places], self.low[places], self.high[places])
        return Estimates(*columns, self.members[:, places], self.quantile)
