"""Splits: which of train, validation and test an example belongs to, with no visitor in two of them."""

from typing import Protocol

import mmh3
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.sessions import Window

SPLITS = ("train", "validation", "test")
"""The splits, in the order of their numbers 0, 1, 2."""

OTHER_SPLIT = -1
"""The number of an example left out because its visitor belongs to another split."""

_COIN = 0x5EED  # makes the hash that throws the coin another one than that of the shares


class SplitRule(Protocol):
    """What decides a split: ``by`` "visitor" or "time", the shares of validation and test, and the seed."""

    @property
    def by(self) -> str: ...
    @property
    def validation(self) -> float: ...
    @property
    def test(self) -> float: ...
    @property
    def seed(self) -> int: ...


def assign_splits(
    rule: SplitRule,
    visitors: npt.NDArray[np.integer],
    names: pa.Array,
    time_us: npt.NDArray[np.int64],
    window: Window,
) -> npt.NDArray[np.int8]:
    """Returns int8 (N,): 0 train, 1 validation, 2 test or ``OTHER_SPLIT``.

    By visitor, a seeded hash of the visitor decides.

    By time, what happens in the last share of the window is for the test, what happened before for train and
    validation, the latter being a hashed share of those visitors. Nobody may be in two splits: for a visitor with
    examples on both sides a seeded hash decides, half and half, which side counts, and the others are left out. To
    decide by what the visitor did (say, all who come back are the test's) would make the sides differ in more than
    time.

    Args:
        rule: what decides.
        visitors: integer (N,) codes of the examples' visitors.
        names: the distinct visitors that the codes index.
        time_us: int64 (N,) times of the examples.
        window: the time the whole data set covers.
    """
    if not len(visitors):
        return np.zeros(0, np.int8)
    shares = np.array([mmh3.hash(name, rule.seed, signed=False) for name in names.to_pylist()]) / 2**32
    if rule.by == "visitor":
        number = np.digitize(shares, [1 - rule.validation - rule.test, 1 - rule.test])
        by_visitor: npt.NDArray[np.int8] = number.astype(np.int8)[visitors]
        return by_visitor
    late = time_us >= test_begins_us(rule, window)
    before, after = np.zeros((2, len(names)), np.bool_)
    before[visitors[~late]] = True
    after[visitors[late]] = True
    heads = np.array([mmh3.hash(name, rule.seed ^ _COIN, signed=False) % 2 == 0 for name in names.to_pylist()])
    tested = (np.where(before & after, heads, after))[visitors]
    aside = (shares < rule.validation / (1 - rule.test))[visitors]
    early = np.where(aside, SPLITS.index("validation"), SPLITS.index("train"))
    late_or_early = np.where(late, SPLITS.index("test"), early)
    splits: npt.NDArray[np.int8] = np.where(late == tested, late_or_early, OTHER_SPLIT).astype(np.int8)
    return splits


def test_begins_us(rule: SplitRule, window: Window) -> int:
    """Returns when the test begins, int64 microseconds UTC, where time decides."""
    return window.start_us + round((window.end_us - window.start_us) * (1 - rule.test))
