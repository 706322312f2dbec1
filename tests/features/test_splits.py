"""Splits: shares, time, and no visitor in two of them."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from features import splits as splitting
from features.sessions import Window
from features.splits import OTHER_SPLIT, assign_splits


@dataclass(frozen=True)
class Rule:
    by: str
    validation: float = 0.2
    test: float = 0.3
    seed: int = 0


WINDOW = Window(0, 1000)


def test_the_shares_by_visitor_come_out_and_depend_on_the_seed() -> None:
    names = pa.array([f"visitor-{n}" for n in range(20_000)])
    codes = np.arange(20_000)
    times = np.zeros(20_000, np.int64)
    splits = assign_splits(Rule("visitor"), codes, names, times, WINDOW)
    # 20,000 draws: the standard error of a share is at most 0.0035
    np.testing.assert_allclose(np.bincount(splits) / 20_000, [0.5, 0.2, 0.3], atol=0.015)
    other = assign_splits(Rule("visitor", seed=1), codes, names, times, WINDOW)
    assert 0.3 < (splits == other).mean() < 0.46  # independent seeds agree by chance: 0.25 + 0.04 + 0.09 = 0.38


def test_by_time_each_side_has_its_visitors_and_a_coin_parts_those_on_both() -> None:
    count = 2_000
    names = pa.array([*(f"both-{n}" for n in range(count)), "before", "after"])
    both = np.arange(count)
    visitors = np.concatenate([both, both, [count, count, count + 1, count + 1]])
    times = np.concatenate([np.full(count, 699), np.full(count, 700), [100, 699, 700, 999]])
    rule = Rule("time", validation=0.0)
    assert splitting.test_begins_us(rule, WINDOW) == 700
    splits = assign_splits(rule, visitors, names, times, WINDOW)
    assert splits[-4:].tolist() == [0, 0, 2, 2]
    early, late = splits[:count], splits[count : 2 * count]
    assert set(zip(early.tolist(), late.tolist(), strict=True)) == {(0, OTHER_SPLIT), (OTHER_SPLIT, 2)}
    assert 0.46 < (late == 2).mean() < 0.54  # the standard error of a fair coin is 0.011


def test_by_time_validation_is_a_share_of_the_visitors_before() -> None:
    names = pa.array([f"visitor-{n}" for n in range(20_000)])
    splits = assign_splits(Rule("time"), np.arange(20_000), names, np.zeros(20_000, np.int64), WINDOW)
    np.testing.assert_allclose(np.bincount(splits) / 20_000, [5 / 7, 2 / 7], atol=0.015)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 999)), max_size=40), st.sampled_from(["visitor", "time"]))
def test_no_visitor_is_in_two_splits(rows: list[tuple[int, int]], by: str) -> None:
    visitors = np.array([row[0] for row in rows], np.int32)
    times = np.array([row[1] for row in rows], np.int64)
    splits = assign_splits(Rule(by), visitors, pa.array(list("abcde")), times, WINDOW)
    for visitor in set(visitors.tolist()):
        assert len(set(splits[(visitors == visitor) & (splits != OTHER_SPLIT)].tolist())) == 1
