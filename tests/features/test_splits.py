"""Splits: shares, time, and no visitor in two of them."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from features.sessions import Window
from features.splits import OTHER_SPLIT, assign_splits, split_times_us


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


def test_time_cuts_the_window_and_a_visitor_on_both_sides_belongs_to_the_later() -> None:
    names = pa.array(["early", "both", "late"])
    visitors = np.array([0, 1, 1, 2, 0])
    times = np.array([100, 499, 700, 999, 500])
    assert split_times_us(Rule("time"), WINDOW) == (500, 700)
    assert assign_splits(Rule("time"), visitors, names, times, WINDOW).tolist() == [
        OTHER_SPLIT,
        OTHER_SPLIT,
        2,
        2,
        1,
    ]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 999)), max_size=40), st.sampled_from(["visitor", "time"]))
def test_no_visitor_is_in_two_splits(rows: list[tuple[int, int]], by: str) -> None:
    visitors = np.array([row[0] for row in rows], np.int32)
    times = np.array([row[1] for row in rows], np.int64)
    splits = assign_splits(Rule(by), visitors, pa.array(list("abcde")), times, WINDOW)
    for visitor in set(visitors.tolist()):
        assert len(set(splits[(visitors == visitor) & (splits != OTHER_SPLIT)].tolist())) == 1
