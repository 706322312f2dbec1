import itertools
import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from features.bucketing import Linear, MinMax, OneHot, PowerLaw, Quantile
from features.strict import FeatureSpecError

NAN = math.nan


def _one(buckets: Linear | PowerLaw | Quantile, value: float) -> int:
    return int(buckets.index(np.array([value]))[0])


def test_42_in_0_to_109_with_11_bins_of_10_lands_in_the_fifth() -> None:
    buckets = Linear(low=0, step=10, bins=11)
    assert buckets.edges.tolist() == [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]
    assert _one(buckets, 42) == 5 - 1  # bins count from 0
    assert buckets.size == 12  # and one for what is missing


def test_first_and_last_bins_are_open_and_an_edge_belongs_above() -> None:
    values = np.array([-math.inf, -5, 0, 9.99, 10, 109, 1e12, math.inf, NAN])
    assert Linear(low=0, step=10, bins=11).index(values).tolist() == [0, 0, 0, 0, 1, 10, 10, 10, 11]


def test_power_law_solved_by_hand() -> None:
    # K = 2, N = 4: p = ln(8 / 2) / ln(4 / 2) = 2, c = 2 / 2^2 = 0.5; edges 1, 2, then 0.5 * 3^2 and 0.5 * 4^2
    buckets = PowerLaw(step=1, linear_cutoff=2, nonlinear_cutoff=8, nonlinear_bins=2)
    assert (buckets.power, buckets.scale) == pytest.approx((2, 0.5))
    assert buckets.edges.tolist() == [1, 2, 4.5, 8]
    assert buckets.index(np.array([0.5, 1, 4.4, 4.5, 7.9, 8, NAN])).tolist() == [0, 1, 2, 3, 3, 4, 5]
    assert buckets.size == 6


def test_power_law_resolution_changes_only_the_nonlinear_part() -> None:
    coarse, fine = (PowerLaw(10, 60, 6000, bins).edges for bins in (3, 30))
    assert coarse[:6].tolist() == fine[:6].tolist() == [10, 20, 30, 40, 50, 60]
    assert (len(coarse), len(fine)) == (9, 36)
    assert coarse[-1] == fine[-1] == 6000


def test_quantile_edges_by_hand() -> None:
    fitted = Quantile(4).fit(np.array([8, 7, 6, 5, 4, 3, 2, 1, NAN]))
    assert fitted.edges_fitted == (3, 5, 7)
    assert np.bincount(fitted.index(np.arange(1.0, 9))).tolist() == [2, 2, 2, 2]
    assert Quantile(4).fit(np.array([1.0, 1, 1, 1, 1, 1, 1, 2])).edges_fitted == ()
    assert Quantile(4).fit(np.array([1.0, 1, 1, 2, 2, 2, 2, 2])).edges_fitted == (2,)
    assert Quantile(4).fit(np.array([NAN])).size == 2


def test_min_max_clips() -> None:
    scaled = MinMax(low=10, high=20).scale(np.array([-1.0, 10, 12.5, 20, 99, NAN]))
    assert scaled.dtype == np.float32
    assert scaled.tolist() == [0, 0, 0.25, 1, 1, -1]


def test_one_hot_has_a_place_for_other_and_for_none() -> None:
    coding = OneHot(("desktop", "mobile"))
    assert coding.size == 4
    assert coding.index(["mobile", "desktop", "fridge", "", None]).tolist() == [1, 0, 2, 2, 3]


def test_one_hot_fits_the_most_frequent() -> None:
    assert OneHot(limit=2).fit({"c": 3, "b": 3, "a": 1}).vocabulary == ("b", "c")


_steps = st.floats(1e-3, 1e6)


@st.composite
def _buckets(draw: st.DrawFn) -> Linear | PowerLaw | Quantile:
    kind = draw(st.sampled_from(["linear", "power_law", "quantile"]))
    if kind == "linear":
        return Linear(draw(st.floats(-1e6, 1e6)), draw(_steps), draw(st.integers(2, 200)))
    if kind == "power_law":
        step, linear = draw(_steps), draw(st.integers(1, 100))
        cutoff = step * linear
        return PowerLaw(step, cutoff, cutoff * draw(st.floats(1.01, 1e9)), draw(st.integers(1, 100)))
    sample = draw(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=30))
    return Quantile(draw(st.integers(2, 20))).fit(np.array(sample, np.float64))


@given(_buckets())
def test_edges_strictly_increase(buckets: Linear | PowerLaw | Quantile) -> None:
    assert (np.diff(buckets.edges) > 0).all()
    assert np.isfinite(buckets.edges).all()


@given(_buckets(), st.data())
def test_every_value_falls_in_exactly_one_bin(buckets: Linear | PowerLaw | Quantile, data: st.DataObject) -> None:
    values = st.floats(allow_nan=False) | st.sampled_from([0.0, *buckets.edges.tolist()])
    value = data.draw(values)
    bounds = [-math.inf, *buckets.edges.tolist(), math.inf]
    holds = [low <= value < high for low, high in itertools.pairwise(bounds)]
    holds[-1] = holds[-1] or value == math.inf
    assert sum(holds) == 1
    assert _one(buckets, value) == holds.index(True)
    assert _one(buckets, NAN) == len(holds) == buckets.size - 1


@given(st.integers(1, 50), st.floats(1.5, 1e6), st.integers(1, 50))
def test_power_law_is_continuous_and_ends_at_its_cutoff(linear: int, ratio: float, bins: int) -> None:
    buckets = PowerLaw(2.0, 2.0 * linear, 2.0 * linear * ratio, bins)
    assume(buckets.power < 100)  # c and k**p leave the range of a float beyond
    at = [buckets.scale * k**buckets.power for k in range(linear, linear + bins + 1)]
    assert at[0] == pytest.approx(buckets.linear_cutoff)
    assert at[-1] == pytest.approx(buckets.nonlinear_cutoff)
    assert buckets.edges[linear - 1 :] == pytest.approx(at)


@given(st.lists(st.floats(-1e300, 1e300), min_size=1), st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_min_max_stays_in_range(values: list[float], low: float, width: float) -> None:
    scaled = MinMax(low, low + width).scale(np.array(values))
    assert ((scaled >= 0) & (scaled <= 1)).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Linear(0, 0, 3), "linear.step: 0 is not possible; expected a finite number greater than 0"),
        (lambda: Linear(0, 1, 1), "linear.bins: 1 is not possible; expected an integer from 2 to 4096"),
        (lambda: Linear(NAN, 1, 3), "linear.low: nan is not possible; expected a finite number"),
        (lambda: Linear("0", 1, 3), "linear.low: '0' is not possible; expected a finite number"),
        (lambda: Linear(1e300, 1, 3), "do not increase strictly; widen the step"),
        (lambda: PowerLaw(10, 65, 900, 3), "power_law.linear_cutoff: 65 is not 1 to 4096 steps of 10; make it a mult"),
        (
            lambda: PowerLaw(10, 60, 60, 3),
            "power_law.nonlinear_cutoff: 60 is not possible; expected a finite number gr",
        ),
        (lambda: PowerLaw(10, 60, 90, 0), "power_law.nonlinear_bins: 0 is not possible"),
        (lambda: PowerLaw(1e-9, 60, 90, 3), "power_law.linear_cutoff: 60 is not 1 to 4096 steps of 1e-09"),
        (lambda: Quantile(4, (1, 1)), "quantile: edges [1.0, 1.0] ... do not increase strictly"),
        (lambda: Quantile(4, 3), "quantile.edges_fitted: 3 is not possible; expected numbers"),
        (lambda: Quantile(4).edges, "quantile: no edges yet; fit the feature spec to a sample first"),
        (lambda: MinMax(3, 3), "min_max.high: 3 is not possible; expected a finite number greater than 3"),
        (lambda: OneHot("abc"), "one_hot.vocabulary: 'abc' is not possible; expected a list of strings"),
        (lambda: OneHot(("a", "a")), "one_hot.vocabulary: 'a' is there twice; name it once"),
        (lambda: OneHot().size, "one_hot: no vocabulary yet; fit the feature spec to a sample first"),
    ],
)
def test_impossible_values_are_refused(make: Any, message: str) -> None:
    with pytest.raises(FeatureSpecError, match=re.escape(message)):
        make()
