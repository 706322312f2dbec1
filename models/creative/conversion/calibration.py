"""Calibration: what makes predicted rates come true, used only where products that its fit never saw say that it helps.

Platt scaling is p = sigmoid(slope * m + offset) of the margin m (Platt, "Probabilistic outputs for support vector
machines", 1999), here with slope and offset held to 1 and 0 as ``_PULL`` messages would; isotonic regression is the
best rising step function (Zadrozny and Elkan, "Transforming classifier scores into accurate multiclass probability
estimates", KDD 2002), joined by straight lines. Trees on log loss are calibrated more often than not, so
neither is used unless it earns its place.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression

from models.artifact import PredictorError
from models.creative.conversion.metrics import Floats, Ints, ece, losses

KINDS = ("none", "platt", "isotonic")
_PULL = 1.0
_FOLDS = 5
_STANDARD_ERRORS = 1.5
_MOST_STEPS = 50


@dataclass(frozen=True)
class Calibration:
    """A calibrator of one target, and why it is this one.

    Attributes:
        kind: one of ``KINDS``.
        slope: of Platt scaling.
        offset: of Platt scaling.
        margins: of isotonic regression, rising; between them rates are joined by straight lines.
        rates: of isotonic regression, as many, not falling.
        reason: in one sentence.
    """

    kind: str = "none"
    slope: float = 1.0
    offset: float = 0.0
    margins: tuple[float, ...] = ()
    rates: tuple[float, ...] = ()
    reason: str = ""

    def __post_init__(self) -> None:
        numbers = np.array([self.slope, self.offset, *self.margins, *self.rates], np.float64)
        good = self.kind in KINDS and np.isfinite(numbers).all() and self.slope > 0
        good = good and len(self.margins) == len(self.rates) and bool(self.margins) == (self.kind == "isotonic")
        if not good or (np.diff(self.margins) <= 0).any() or (np.diff(self.rates) < 0).any():
            raise PredictorError(f"calibration {self.kind!r} does not hold together; open the version, or train, again")

    def apply(self, margins: Floats) -> Floats:
        """Returns rates, float64 of the shape of ``margins``, which rise with them."""
        if self.kind == "isotonic":
            return np.asarray(np.interp(margins, self.margins, self.rates))
        return sigmoid(margins * self.slope + self.offset)

    def to_dict(self) -> dict[str, Any]:
        """Returns what JSON holds; float64 values survive the round trip exactly."""
        return asdict(self)

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> "Calibration":
        """Reads what ``to_dict`` made.

        Raises:
            PredictorError: other keys or impossible values.
        """
        try:
            lists = {name: tuple(map(float, given[name])) for name in ("margins", "rates")}
            return cls(**{**given, **lists})
        except (TypeError, ValueError, KeyError) as e:
            raise PredictorError(f"calibration cannot be read ({e!r}); open the version again, or train again") from e


def choose_calibration(margins: Floats, count: Ints, among: Ints, product: npt.NDArray[Any], seed: int) -> Calibration:
    """Returns the calibrator that helps most, or none.

    The products are dealt into five parts; what is fitted on four is judged on the fifth. A calibrator is eligible
    where, over all parts, the log loss falls by at least 1.5 standard errors of the paired difference, taken over
    products since rows of one product say much the same, and the ECE does not rise. The one with the lowest loss is
    fitted anew on all rows.

    Args:
        margins: float64 (N,), log odds before calibration, of validation rows.
        count: int64 (N,).
        among: int64 (N,).
        product: (N,), whose row it is.
        seed: of the dealing.
    """
    names, group = np.unique(product, return_inverse=True)
    part = np.random.default_rng(seed).permutation(np.arange(len(names)) % _FOLDS)[group]
    for fold in range(_FOLDS):
        rest = part != fold
        if not 0 < count[rest].sum() < among[rest].sum() or rest.all():
            return Calibration(reason="none: too few validation products have a yes and a no to judge by")
    bare = sigmoid(margins)
    before, best = losses(count, among, bare), None
    total, told = among.sum(), []
    for kind, fit in _FITS.items():
        rates = np.empty(len(margins))
        for fold in range(_FOLDS):
            here = part == fold
            rates[here] = fit(margins[~here], count[~here], among[~here]).apply(margins[here])
        fall = before - losses(count, among, rates)
        mean = fall.sum() / total
        error = np.sqrt((np.bincount(group, fall - among * mean) ** 2).sum()) / total
        gap, needed = ece(count, among, rates), _STANDARD_ERRORS * error
        told.append(f"{kind} {mean:+.6f} (more than {needed:.6f} needed), ECE {gap:.4f}")
        if mean > needed and gap <= ece(count, among, bare) and (best is None or mean > best[0]):
            best = (mean, kind)
    chosen = best[1] if best else "none"
    reason = (
        f"{chosen}: on validation products that a fit did not see, log loss fell by {'; '.join(told)}; without, ECE is "
        f"{ece(count, among, bare):.4f}"
    )
    fitted = _FITS[chosen](margins, count, among) if best else Calibration()
    return Calibration(**{**fitted.to_dict(), "reason": reason})


def fit_platt(margins: Floats, count: Ints, among: Ints) -> Calibration:
    """Returns Platt scaling by Newton's method; a slope that is not above 0 leaves all as it is."""
    theta, start = np.array([1.0, 0.0]), np.array([1.0, 0.0])
    design = np.c_[margins, np.ones(len(margins))]

    def objective(at: Floats) -> float:
        z = design @ at
        return float((among * np.logaddexp(0, z) - count * z).sum() + _PULL / 2 * ((at - start) ** 2).sum())

    for _ in range(_MOST_STEPS):
        p = sigmoid(design @ theta)
        gradient = design.T @ (among * p - count) + _PULL * (theta - start)
        curvature = (design * (among * p * (1 - p))[:, None]).T @ design + _PULL * np.eye(2)
        step, size = np.linalg.solve(curvature, gradient), 1.0
        while objective(theta - size * step) > objective(theta) and size > 1e-6:
            size /= 2
        theta = theta - size * step
        if np.abs(size * step).max() < 1e-10:
            break
    return Calibration("platt", float(theta[0]), float(theta[1])) if theta[0] > 0 else Calibration()


def fit_isotonic(margins: Floats, count: Ints, among: Ints) -> Calibration:
    """Returns isotonic regression; no rate is nearer to 0 or 1 than half a message of all."""
    distinct, group = np.unique(margins, return_inverse=True)
    n, k = np.bincount(group, among), np.bincount(group, count)
    rates = isotonic_regression(k / n, weights=n).x
    edge = 0.5 / among.sum()
    rates = np.maximum.accumulate(np.clip(rates, edge, 1 - edge))
    # Of every step the two ends suffice.
    flat = np.r_[False, (rates[1:-1] == rates[:-2]) & (rates[1:-1] == rates[2:]), False][: len(rates)]
    return Calibration("isotonic", margins=tuple(distinct[~flat].tolist()), rates=tuple(rates[~flat].tolist()))


_FITS: Mapping[str, Callable[[Floats, Ints, Ints], Calibration]] = {"platt": fit_platt, "isotonic": fit_isotonic}


def sigmoid(margins: Floats) -> Floats:
    """Returns 1 / (1 + exp(-m)) without overflow."""
    e = np.exp(-np.abs(margins))
    return np.asarray(np.where(margins >= 0, 1 / (1 + e), e / (1 + e)))
