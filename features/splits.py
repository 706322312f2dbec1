"""Splits: which of train, validation and test an example belongs to, with no visitor in two of them."""

from typing import Protocol

import mmh3
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.sessions import Window

SPLITS = ("train", "validation", "test")
"""The splits, in the order of their numbers 0, 1, 2 (and of time, where time decides)."""

OTHER_SPLIT = -1
"""The number of an example left out because its visitor belongs to a later split."""


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

    By visitor, a seeded hash of the visitor decides. By time, the last share of the window is test, the share before
    it validation; a visitor with examples on both sides belongs to the later split, and the earlier examples are left
    out, so that the later split holds every visitor of its time and none that was trained on.

    Args:
        rule: what decides.
        visitors: integer (N,) codes of the examples' visitors.
        names: the distinct visitors that the codes index.
        time_us: int64 (N,) times of the examples.
        window: the time the whole data set covers.
    """
    if rule.by == "visitor":
        shares = np.array([mmh3.hash(name, rule.seed, signed=False) for name in names.to_pylist()]) / 2**32
        of_visitor = np.digitize(shares, [1 - rule.validation - rule.test, 1 - rule.test]).astype(np.int8)
        return of_visitor[visitors] if len(visitors) else np.zeros(0, np.int8)
    splits = np.digitize(time_us, split_times_us(rule, window)).astype(np.int8)
    latest = np.full(len(names), OTHER_SPLIT, np.int8)
    np.maximum.at(latest, visitors, splits)
    return np.where(splits == latest[visitors], splits, OTHER_SPLIT).astype(np.int8)


def split_times_us(rule: SplitRule, window: Window) -> tuple[int, int]:
    """Returns where validation and test begin, int64 microseconds UTC, when time decides."""
    span = window.end_us - window.start_us
    return (
        window.start_us + round(span * (1 - rule.validation - rule.test)),
        window.start_us + round(span * (1 - rule.test)),
    )
