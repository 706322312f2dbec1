"""Numbers and categories to small integers: every value falls in exactly one bin, and what is missing has its own.

Edges cut the number line; n edges make n + 1 bins, of which the first and the last are open-ended. Bin i holds
``edges[i - 1] <= value < edges[i]``. The bin after the last, number n + 1, holds NaN.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from features.strict import FeatureSpecError, number, texts, whole

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Buckets(Protocol):
    """What puts a number in a bin."""

    @property
    def size(self) -> int:
        """Number of bins, the one for what is missing included."""

    @property
    def fitted(self) -> bool:
        """False while the edges are still to come from a sample."""

    def index(self, values: Floats) -> Ints:
        """Returns int64 (N,) bins of float64 (N,) values, each 0 to ``size`` - 1."""


class _Edged:
    """Bins between ``edges``, which the kind of bucket defines."""

    edges: Floats

    @property
    def size(self) -> int:
        return len(self.edges) + 2

    @property
    def fitted(self) -> bool:
        return True

    def index(self, values: Floats) -> Ints:
        # NaN sorts after every number, so it would share the last open bin: give it the one after
        return np.searchsorted(self.edges, values, side="right") + np.isnan(values)


@dataclass(frozen=True)
class Linear(_Edged):
    """Bins of one width: ``edges[i] = low + step * (i + 1)`` for i in 0..bins - 2.

    Attributes:
        low: where the first bin would start, were it not open-ended.
        step: width of a bin.
        bins: number of bins, the two open-ended ones included.
    """

    kind: ClassVar[str] = "linear"
    low: float
    step: float
    bins: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "low", number("linear.low", self.low))
        object.__setattr__(self, "step", number("linear.step", self.step, above=0))
        whole("linear.bins", self.bins, 2, MAX_BINS)
        _check_edges(self.kind, self.edges)

    @cached_property
    def edges(self) -> Floats:  # type: ignore[override]
        """float64 (bins - 1,)."""
        return _tidy(self.low + self.step * np.arange(1, self.bins, dtype=np.float64))


@dataclass(frozen=True)
class PowerLaw(_Edged):
    """Linear bins up to a cutoff, then bins that widen as a power law.

    With K = linear_cutoff / step, edge k is ``k * step`` for k in 1..K and ``c * k**p`` for k in K..N, where
    N = K + nonlinear_bins. Continuity at the linear cutoff asks for ``c * K**p = linear_cutoff`` and the last edge for
    ``c * N**p = nonlinear_cutoff``, hence ``p = ln(nonlinear_cutoff / linear_cutoff) / ln(N / K)`` and
    ``c = linear_cutoff / K**p``.

    Attributes:
        step: width of a linear bin.
        linear_cutoff: last linear edge, a multiple of ``step``.
        nonlinear_cutoff: last edge of all; what lies beyond is in the last, open-ended bin.
        nonlinear_bins: resolution of the part between the cutoffs: its number of bins.
    """

    kind: ClassVar[str] = "power_law"
    step: float
    linear_cutoff: float
    nonlinear_cutoff: float
    nonlinear_bins: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "step", number("power_law.step", self.step, above=0))
        for name, above in (("linear_cutoff", 0.0), ("nonlinear_cutoff", self.linear_cutoff)):
            object.__setattr__(self, name, number(f"power_law.{name}", getattr(self, name), above=above))
        whole("power_law.nonlinear_bins", self.nonlinear_bins, 1, MAX_BINS)
        if not 1 <= self._linear_bins <= MAX_BINS or not math.isclose(
            self._linear_bins * self.step, self.linear_cutoff, rel_tol=1e-9
        ):
            raise FeatureSpecError(
                f"power_law.linear_cutoff: {self.linear_cutoff:g} is not 1 to {MAX_BINS} steps of {self.step:g}; "
                "make it a multiple of step"
            )
        _check_edges(self.kind, self.edges)

    @property
    def _linear_bins(self) -> int:
        return round(min(self.linear_cutoff / self.step, MAX_BINS + 1.0))

    @property
    def power(self) -> float:
        """The exponent p."""
        last = self._linear_bins + self.nonlinear_bins
        return math.log(self.nonlinear_cutoff / self.linear_cutoff) / math.log(last / self._linear_bins)

    @property
    def scale(self) -> float:
        """The factor c."""
        return math.exp(math.log(self.linear_cutoff) - self.power * math.log(self._linear_bins))

    @cached_property
    def edges(self) -> Floats:  # type: ignore[override]
        """float64 (linear_cutoff / step + nonlinear_bins,)."""
        linear = self._linear_bins
        k = np.arange(linear + 1, linear + self.nonlinear_bins + 1)
        # (k / K)^p times the cutoff is c * k^p without the overflow of a large p
        nonlinear = self.linear_cutoff * (k / linear) ** self.power
        edges = np.concatenate([self.step * np.arange(1, linear + 1), nonlinear])
        edges[linear - 1], edges[-1] = self.linear_cutoff, self.nonlinear_cutoff
        return _tidy(edges)


@dataclass(frozen=True)
class Quantile(_Edged):
    """Bins that hold about equally many values of a sample.

    Attributes:
        bins: most bins; where values repeat, edges fall together and there are fewer.
        edges_fitted: the edges found in a sample by ``fit``; None until then.
    """

    kind: ClassVar[str] = "quantile"
    bins: int
    edges_fitted: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        whole("quantile.bins", self.bins, 2, MAX_BINS)
        if self.edges_fitted is None:
            return
        if not isinstance(self.edges_fitted, (list, tuple)):
            raise FeatureSpecError(f"quantile.edges_fitted: {self.edges_fitted!r} is not possible; expected numbers")
        edges = tuple(number("quantile.edges_fitted", edge) for edge in self.edges_fitted)
        object.__setattr__(self, "edges_fitted", edges)
        _check_edges(self.kind, self.edges)

    @property
    def fitted(self) -> bool:
        return self.edges_fitted is not None

    @cached_property
    def edges(self) -> Floats:  # type: ignore[override]
        """float64 (at most bins - 1,).

        Raises:
            FeatureSpecError: not fitted yet.
        """
        if self.edges_fitted is None:
            raise FeatureSpecError("quantile: no edges yet; fit the feature spec to a sample first")
        return np.array(self.edges_fitted, np.float64)

    def fit(self, sample: Floats) -> "Quantile":
        """Returns the same bins with edges fitted: of n sorted values, a share i / bins lies below edge i.

        Edge i is the value at place ``n * i // bins``; equal edges become one, and one at the least value, below which
        there is nothing, is left out. NaN and infinities are no part of the sample.
        """
        ordered = np.sort(sample[np.isfinite(sample)])
        if not len(ordered):
            return Quantile(self.bins, ())
        edges = np.unique(ordered[len(ordered) * np.arange(1, self.bins) // self.bins])
        return Quantile(self.bins, tuple(edges[edges > ordered[0]].tolist()))


@dataclass(frozen=True)
class MinMax:
    """A number to [0, 1]: ``(clip(value, low, high) - low) / (high - low)`` as float32, ``missing`` where NaN."""

    kind: ClassVar[str] = "min_max"
    low: float
    high: float
    missing: float = -1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "low", number("min_max.low", self.low))
        object.__setattr__(self, "high", number("min_max.high", self.high, above=self.low))
        object.__setattr__(self, "missing", number("min_max.missing", self.missing))

    @property
    def fitted(self) -> bool:
        """Always: the range is given."""
        return True

    def scale(self, values: Floats) -> npt.NDArray[np.float32]:
        """Returns float32 (N,) of float64 (N,)."""
        scaled = (np.clip(values, self.low, self.high) - self.low) / (self.high - self.low)
        return np.where(np.isnan(values), self.missing, scaled).astype(np.float32)


@dataclass(frozen=True)
class OneHot:
    """A string to its place in a vocabulary; then one place for any other string, and one for none.

    Attributes:
        vocabulary: the strings with a place of their own; None until ``fit``.
        limit: most strings that ``fit`` takes.
    """

    kind: ClassVar[str] = "one_hot"
    vocabulary: tuple[str, ...] | None = None
    limit: int = 20

    def __post_init__(self) -> None:
        whole("one_hot.limit", self.limit, 1, MAX_BINS)
        if self.vocabulary is not None:
            object.__setattr__(self, "vocabulary", texts("one_hot.vocabulary", self.vocabulary))

    @property
    def fitted(self) -> bool:
        """False while the vocabulary is still to come from a sample."""
        return self.vocabulary is not None

    @property
    def size(self) -> int:
        """Number of places, those for other strings and for none included."""
        return len(self._places) + 2

    @cached_property
    def _places(self) -> dict[str, int]:
        if self.vocabulary is None:
            raise FeatureSpecError("one_hot: no vocabulary yet; fit the feature spec to a sample first")
        return {text: place for place, text in enumerate(self.vocabulary)}

    def index(self, values: Sequence[str | None]) -> Ints:
        """Returns int64 (N,) places: V for a string out of the vocabulary of V, V + 1 for None."""
        places, other = self._places, len(self._places)
        return np.array([other + 1 if text is None else places.get(text, other) for text in values], np.int64)

    def fit(self, counts: dict[str, int]) -> "OneHot":
        """Returns the same with the most frequent strings as vocabulary; ties in the order of the strings."""
        ranked = sorted(counts, key=lambda text: (-counts[text], text))
        return OneHot(tuple(ranked[: self.limit]), self.limit)


MAX_BINS = 4096
"""Most bins of a feature; beyond it the feature belongs in the hash buckets."""

Coding = Linear | PowerLaw | Quantile | MinMax | OneHot

CODINGS: dict[str, type[Coding]] = {cls.kind: cls for cls in (Linear, PowerLaw, Quantile, MinMax, OneHot)}
"""Every way to code a value, by the ``kind`` it has in JSON."""


def _tidy(edges: Floats) -> Floats:
    """Rounds to 12 significant digits: powers may differ in the last bit from one machine's libm to another's."""
    return np.array([float(f"{edge:.12g}") for edge in edges.tolist()], np.float64)


def _check_edges(kind: str, edges: Floats) -> None:
    if not np.isfinite(edges).all() or (np.diff(edges) <= 0).any():
        raise FeatureSpecError(f"{kind}: edges {edges.tolist()[:5]} ... do not increase strictly; widen the step")
