import math

import numpy as np
import pytest

from benchmarks.plan_sizes import Measured, hottest_shard, plan, shards_of
from benchmarks.prices import Prices
from pipelines.behavior_recipe import _shards_for
from transforms.shards import shard_of


@pytest.mark.parametrize("rows", [0, 1, 149_999, 150_000, 300_000, 10_000_000, 614_000_000, 10_000_000_000])
def test_the_number_of_shards_is_the_pipelines(rows: int) -> None:
    assert shards_of(rows) == _shards_for(rows)


def test_the_bound_solves_bernstein_s_inequality() -> None:
    mean, most, shards = 2_400_000.0, 1000.0, 4096
    beyond = hottest_shard(mean, most, shards) * mean - mean
    chance = shards * math.exp(-(beyond**2) / (2 * (mean * most + most * beyond / 3)))
    assert chance == pytest.approx(1e-6)
    assert hottest_shard(mean, 1.0, shards) < hottest_shard(mean, most, shards) < hottest_shard(mean / 10, most, shards)


def test_real_hashes_of_very_uneven_visitors_stay_below_the_bound() -> None:
    """One visitor in a hundred has as many events as are allowed: nearly the worst there is."""
    visitors, shards, most = 100_000, 16, 1000
    counts = np.where(np.arange(visitors) % 100 == 0, most, 1)
    loads = np.zeros(shards)
    for index, count in enumerate(counts.tolist()):
        loads[shard_of(f"visitor-{index}", shards)] += count
    mean = counts.sum() / shards
    assert 1.0 < loads.max() / mean < hottest_shard(mean, most, shards)


def test_a_plan_by_hand() -> None:
    measured = Measured(
        split_seconds=2e-6, shard_seconds=3e-6, bytes_an_event=70.0, start_gb=0.5, gb_a_million=0.6, kept=0.5
    )
    found = plan(measured, 1e10, max_events=1000, hours=1.0, prices=Prices())
    assert (found.shards, found.events_a_shard) == (4096, 5e9 / 4096)
    assert found.shuffle_gb == pytest.approx(350.0)
    assert found.vcpu_hours == pytest.approx(2 * (2e4 + 1.5e4) / 3600)  # 19.4
    assert found.workers == 5
    assert found.memory_gb == pytest.approx(0.5 + 3 * 0.6 * found.events_a_shard * found.hottest / 1e6)
    assert found.dollars == pytest.approx(found.vcpu_hours * (0.056 + 8 * 0.003557) + 700 * 0.011)
