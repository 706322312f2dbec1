"""Metrics against values by hand, by brute force, and of the pysaliency package."""

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.attention_golden import BORJI_SPLITS, GOLDEN, Case, cases
from benchmarks.attention_metrics import computed
from models.attention import metrics
from models.attention.metrics import MetricsError

# 3 x 2: the rows are y, the columns x.
MAP = np.array([[0.0, 1.0, 2.0], [2.0, 3.0, 4.0]])


def _pairs(positives: np.ndarray, negatives: np.ndarray) -> float:
    """The definition, pair by pair."""
    right = [1.0 if p > n else 0.5 if p == n else 0.0 for p in positives for n in negatives]
    return float(np.mean(right))


def _random(seed: int, levels: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    height, width = rng.integers(5, 12, 2)  # more pixels than fixations
    values = rng.random((height, width))
    count = rng.integers(1, 20)
    return (
        np.floor(values * levels) if levels else values,
        rng.random(count) * width,
        rng.random(count) * height,
    )


def test_auc_by_hand() -> None:
    # The fixated pixel holds 2: of the six pixels 0 and 1 are below, two are tied.
    assert metrics.auc(MAP, [2.9], [0.0]) == (2 + 0.5 * 2) / 6
    assert metrics.auc(MAP, [1, 2], [1, 1]) == pytest.approx((4.5 + 5.5) / 12)
    assert metrics.auc(np.ones((4, 4)), [1], [1]) == 0.5


def test_auc_judd_by_hand() -> None:
    # Fixated: 3 and 1. Left: 0, 2, 2, 4. Thresholds 3 and 1 give (alarms, hits) = (1/4, 1/2) and (3/4, 1).
    by_hand = 0.25 * 0.5 / 2 + 0.5 * (0.5 + 1) / 2 + 0.25
    assert metrics.auc_judd(MAP, [1, 1], [1, 0]) == pytest.approx(by_hand)


def test_auc_shuffled_by_hand() -> None:
    assert metrics.auc_shuffled(MAP, [1], [1], [0, 2, 1], [0, 1, 1]) == pytest.approx((1 + 0 + 0.5) / 3)


def test_nss_by_hand() -> None:
    values = np.array([[0.0, 0.0], [0.0, 4.0]])  # mean 1, population deviation sqrt(3)
    assert metrics.nss(values, [1], [1]) == pytest.approx(3 / math.sqrt(3))
    assert metrics.nss(values, [1, 0], [1, 0]) == pytest.approx((3 - 1) / 2 / math.sqrt(3))
    assert metrics.nss(np.full((3, 3), 0.1), [1], [1]) == 0.0


def test_maps_against_maps_by_hand() -> None:
    p, q = np.array([[1.0, 1.0], [1.0, 1.0]]), np.array([[0.0, 0.0], [1.0, 3.0]])
    assert metrics.sim(p, q, subtract_minimum=False) == pytest.approx(0.5)
    assert metrics.kld(p, q, subtract_minimum=False) == pytest.approx(0.75 * math.log(3))
    assert metrics.cc(q, 5 - 2 * q) == pytest.approx(-1)
    assert metrics.cc(p, q) == 0.0
    # A map of one value has no mass above its minimum: it counts as uniform.
    assert metrics.sim(p, q) == pytest.approx(0.5)
    # Nothing where everybody looks costs ln of what the constant leaves.
    assert metrics.kld(1 - np.eye(2), np.eye(2)) == pytest.approx(math.log(0.5 / metrics.EPSILON), rel=1e-9)


def test_information_gain_by_hand() -> None:
    p, b = np.array([[1.0, 7.0]]), np.array([[2.0, 2.0]])
    assert metrics.information_gain(p, b, [1], [0]) == pytest.approx(math.log2(7 / 8 / 0.5))
    assert metrics.information_gain(p, b, [0, 1], [0, 0]) == pytest.approx((math.log2(0.25) + math.log2(1.75)) / 2)
    with pytest.raises(MetricsError, match="a density holds -7; expected no negative value"):
        metrics.information_gain(-p, b, [1], [0])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0, 2, 5]))
def test_areas_are_what_counting_pairs_gives(seed: int, levels: int) -> None:
    values, x, y = _random(seed, levels)
    at = values[y.astype(int), x.astype(int)]
    assert metrics.auc(values, x, y) == pytest.approx(_pairs(at, values.ravel()), abs=1e-12)
    assert metrics.auc_shuffled(values, x, y, x[::-1] / 2, y) == pytest.approx(
        _pairs(at, values[y.astype(int), (x[::-1] / 2).astype(int)]), abs=1e-12
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.01, 100), st.floats(-50, 50))
def test_scale_and_offset_change_nothing(seed: int, scale: float, offset: float) -> None:
    values, x, y = _random(seed)
    truth = _random(seed + 1)[0]
    truth = np.resize(truth, values.shape)
    other = values * scale + offset
    for metric in (metrics.nss, metrics.auc, metrics.auc_judd, metrics.auc_borji):
        assert metric(other, x, y) == pytest.approx(metric(values, x, y), abs=1e-6)
    for metric in (metrics.cc, metrics.sim):
        assert metric(other, truth) == pytest.approx(metric(values, truth), abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_bounds(seed: int) -> None:
    values, x, y = _random(seed)
    truth = np.resize(_random(seed + 1)[0], values.shape)
    assert metrics.cc(values, values) == pytest.approx(1)
    assert metrics.sim(values, values) == pytest.approx(1)
    assert metrics.kld(values, values) == pytest.approx(0, abs=1e-9)
    assert metrics.information_gain(values, values, x, y) == 0
    assert metrics.kld(values, truth) >= -1e-9
    assert 0 <= metrics.sim(values, truth) <= 1 + 1e-12
    assert metrics.sim(values, truth) == pytest.approx(metrics.sim(truth, values))
    assert -1 <= metrics.cc(values, truth) <= 1
    assert 0 <= metrics.auc_judd(values, x, y) <= 1
    assert metrics.auc(values, x, y) + metrics.auc(-values, x, y) == pytest.approx(1)


def test_auc_borji_comes_to_auc_and_is_repeatable() -> None:
    rng = np.random.default_rng(1)
    values, x, y = rng.random((30, 40)), rng.random(50) * 40, rng.random(50) * 30
    many = metrics.auc_borji(values, x, y, splits=4000)
    assert many == pytest.approx(metrics.auc(values, x, y), abs=0.004)  # four standard errors
    assert metrics.auc_borji(values, x, y, seed=3) == metrics.auc_borji(values, x, y, seed=3)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int64, np.uint8, np.bool_])
def test_every_type_of_number_gives_the_same(dtype: type) -> None:
    values = np.array([[0, 1, 0], [1, 1, 0]])
    for metric in (metrics.nss, metrics.auc, metrics.auc_judd):
        assert metric(values.astype(dtype), [1], [1]) == pytest.approx(metric(values.astype(float), [1], [1]))


def test_a_high_level_does_not_cost_precision() -> None:
    rng = np.random.default_rng(0)
    values = (rng.random((60, 80)) * 1e-6).astype(np.float32)  # densities are this small
    x, y = rng.random(20) * 80, rng.random(20) * 60
    assert metrics.nss(values, x, y) == pytest.approx(metrics.nss(values.astype(np.float64), x, y), abs=1e-6)
    assert metrics.cc(values, values[::-1]) == pytest.approx(
        metrics.cc(values.astype(np.float64), values[::-1].astype(np.float64)), abs=1e-6
    )


GOLDEN_VALUES = json.loads(GOLDEN.read_bytes())


@pytest.mark.parametrize("case", list(cases()), ids=lambda case: case.name)
def test_values_of_pysaliency(case: Case) -> None:
    assert GOLDEN_VALUES["about"]["borji_splits"] == BORJI_SPLITS
    assert computed(case) == pytest.approx(GOLDEN_VALUES["values"][case.name], abs=1e-8, rel=1e-9)


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(MetricsError, match=r"2 of 3 fixations lie outside the 3 x 2 map, the first at \(3, 0\); drop"):
        metrics.nss(MAP, [0, 3, 1], [0, 0, -0.1])
    with pytest.raises(MetricsError, match="no fixations to measure by"):
        metrics.auc(MAP, [], [])
    with pytest.raises(MetricsError, match=r"x \(2,\) and y \(1,\); expected both"):
        metrics.auc(MAP, [1, 2], [0])
    with pytest.raises(MetricsError, match="1 of 6 values of the map are not finite"):
        metrics.nss(np.where(MAP == 0, np.nan, MAP), [1], [1])
    with pytest.raises(MetricsError, match=r"shape \(3,\) and type float64; expected numbers, \(H, W\)"):
        metrics.nss(MAP[0], [1], [1])
    with pytest.raises(MetricsError, match="maps of 3 x 2 and 2 x 3; expected one size"):
        metrics.cc(MAP, MAP.T)
    with pytest.raises(MetricsError, match="every pixel of the 1 x 1 map is fixated"):
        metrics.auc_judd([[1.0]], [0], [0])
    with pytest.raises(MetricsError, match="0 splits"):
        metrics.auc_borji(MAP, [1], [1], splits=0)


def test_metrics_need_neither_torch_nor_beam() -> None:
    source = Path(sys.modules[metrics.__name__].__file__ or "").read_text()
    imported = {line.split()[1].split(".")[0] for line in source.splitlines() if line.startswith(("import ", "from "))}
    assert imported == {"numpy", "features"}
