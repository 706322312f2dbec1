"""What real event logs hold besides visitors: robots, copies, late rows, rows that are no events, the shop's own tests.

Trouble is added to a block of visitors; it never changes what a visitor did, so the true probabilities stay as they
are, and every kind is counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from augury import simulator_world as world
from augury.simulator_visitors import Ints, Steps, Walk, concatenate
from augury.simulator_world import CATEGORY, HELP, HOME, PRODUCT, SEARCH

MALFORMED: Final = ("not_json", "no_visitor_id", "bad_time", "absurd_time", "too_large", "unknown_type", "wrong_type")
"""Ways for a row not to be an event, named as the adapters name the reason for rejecting it."""

BOT_EVENTS: Final = (60, 300)
OVER_ACTIVE_EVENTS: Final = (1001, 1300)
TEST_EVENTS: Final = (3, 12)
"""Events of one bot, of one over-active visitor and of one test visitor: smallest and largest number."""


@dataclass(frozen=True)
class Trouble:
    """How much trouble, as shares from 0 to 1.

    Attributes:
        bots: bots per visitor.
        over_active: visitors with over 1,000 events, per visitor.
        test_visitors: visitors who test the shop (their events say so), per visitor.
        duplicates: events that occur a second time, byte for byte.
        resent: events that occur a second time with the same message id and another time of receipt.
        late: events that arrive hours or days late, after younger ones.
        malformed: rows that cannot be an event, every kind of ``MALFORMED`` in turn.
    """

    bots: float = 0.001
    over_active: float = 0.0001
    test_visitors: float = 0.001
    duplicates: float = 0.004
    resent: float = 0.004
    late: float = 0.01
    malformed: float = 0.002


@dataclass(frozen=True)
class Rows:
    """The R rows of one file, in the order of the file.

    Attributes:
        steps: the events; ``visitor`` goes beyond the visitors of the walk for bots and the like.
        agent: int64 (R,) index of the user agent.
        received_ms: int64 (R,) milliseconds since 1970.
        message: uint8 (R, 16) random message ids.
        test: bool (R,) events of test visitors.
        damage: int64 (R,) index into ``MALFORMED``, -1 for a row that is in order.
        visitors: uint8 (visitors and others, 16) random ids.
    """

    steps: Steps
    agent: Ints
    received_ms: Ints
    message: npt.NDArray[np.uint8]
    test: npt.NDArray[np.bool_]
    damage: Ints
    visitors: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.agent)


def add_trouble(
    rng: np.random.Generator,
    shop: world.Shop,
    walk: Walk,
    first_visitor: int,
    trouble: Trouble,
    malformed: tuple[str, ...] = MALFORMED,
) -> tuple[Rows, Mapping[str, int]]:
    """Returns the rows of a block of visitors with trouble among them, in order of arrival, and what was added.

    Args:
        rng: the only source of chance.
        shop: the pages.
        walk: what the visitors did.
        first_visitor: number of the block's first visitor, so that shares add up over blocks.
        trouble: how much of it.
        malformed: the kinds of malformed row that the output can hold.
    """
    visitors = len(walk.device)
    numbers = [
        _share(share, first_visitor, visitors) for share in (trouble.bots, trouble.over_active, trouble.test_visitors)
    ]
    real = len(walk.steps)
    times = walk.steps.time_ms.min(), walk.steps.time_ms.max()
    parts, agents, first = [walk.steps], [walk.agent], visitors
    people, bots = world.FIRST_AGENT[3], len(world.USER_AGENTS)
    for number, sizes, (low, high), pace in zip(
        numbers,
        (BOT_EVENTS, OVER_ACTIVE_EVENTS, TEST_EVENTS),
        ((people, bots), (0, people), (0, world.FIRST_AGENT[1])),
        (1.5, 20.0, 5.0),
        strict=True,
    ):
        parts.append(_crawl(rng, shop, first, rng.integers(sizes[0], sizes[1] + 1, number), times, pace))
        agents.append(rng.integers(low, high, number))
        first += number
    steps = concatenate(parts)
    agent = np.concatenate(agents)[steps.visitor]
    test = steps.visitor >= visitors + numbers[0] + numbers[1]

    received_ms = steps.time_ms + rng.integers(80, 900, len(steps))
    late = _sample(rng, real, trouble.late)
    received_ms[late] += rng.integers(3_600_000, 3 * 86_400_000, len(late))
    copies, resent = np.split(
        _sample(rng, real, (trouble.duplicates, trouble.resent)), [round(real * trouble.duplicates)]
    )
    broken = _sample(rng, real, trouble.malformed)
    message = rng.integers(0, 256, (len(steps) + len(broken), 16), np.uint8)

    rows = np.concatenate([np.arange(len(steps)), copies, resent, broken])
    identity = np.concatenate([np.arange(len(steps)), copies, resent, len(steps) + np.arange(len(broken))])
    received_ms = received_ms[rows]
    begin = len(steps)
    arrival = received_ms.copy()
    arrival[begin : begin + len(copies)] += rng.integers(0, 600_000, len(copies))
    begin += len(copies)
    received_ms[begin : begin + len(resent)] += rng.integers(1_000, 600_000, len(resent))
    arrival[begin : begin + len(resent)] = received_ms[begin : begin + len(resent)]
    begin += len(resent)
    damage = np.full(len(rows), -1)
    damage[begin:] = np.array([MALFORMED.index(kind) for kind in malformed])[np.arange(len(broken)) % len(malformed)]

    order = np.argsort(arrival, kind="stable")
    rows, identity = rows[order], identity[order]
    made = Rows(
        steps.take(rows),
        agent[rows],
        received_ms[order],
        message[identity],
        test[rows],
        damage[order],
        rng.integers(0, 256, (first, 16), np.uint8),
    )
    sizes_made = [len(part) for part in parts]
    counts = {
        "rows": len(rows),
        "visitors": visitors,
        "events": real,
        "orders": int((walk.steps.kind == world.ORDER).sum()),
        "bots": numbers[0],
        "bot_events": sizes_made[1],
        "over_active_visitors": numbers[1],
        "over_active_events": sizes_made[2],
        "test_visitors": numbers[2],
        "test_events": sizes_made[3],
        "duplicate_rows": len(copies),
        "duplicate_message_ids": len(resent),
        "late_rows": len(late),
        **{f"malformed_{kind}": int((damage == MALFORMED.index(kind)).sum()) for kind in malformed},
    }
    return made, counts


def _share(share: float, first: int, size: int) -> int:
    """Returns how many of visitors ``first`` to ``first + size - 1`` complete a whole one of ``share``."""
    return int(np.floor(share * (first + size)) - np.floor(share * first))


def _sample(rng: np.random.Generator, size: int, shares: float | tuple[float, ...]) -> Ints:
    """Draws distinct rows of ``size``: as many as the shares, each rounded, make together."""
    each = (shares,) if isinstance(shares, float) else shares
    number = sum(round(size * share) for share in each)
    return rng.choice(size, min(number, size), replace=False)


def _crawl(
    rng: np.random.Generator,
    shop: world.Shop,
    first: int,
    sizes: Ints,
    times: tuple[int, int],
    pace_seconds: float,
) -> Steps:
    """Returns the events of visitors ``first``, ``first + 1``, ... who click through random pages without a pause."""
    total = int(sizes.sum())
    visitor = np.repeat(np.arange(len(sizes)), sizes)
    kind = np.array([HOME, CATEGORY, SEARCH, PRODUCT, HELP])[
        np.searchsorted([0.04, 0.24, 0.34, 0.94], rng.random(total), side="right")
    ]
    item = rng.integers(0, world.ITEMS, total)
    page = np.zeros(total, np.int64)
    page = np.where(kind == CATEGORY, shop.category_page + item % len(world.CATEGORIES), page)
    page = np.where(kind == SEARCH, shop.search_page + item % world.SEARCHES, page)
    page = np.where(kind == PRODUCT, shop.item_page + item, page)
    page = np.where(kind == HELP, shop.help_page + item % shop.help_pages, page)
    pause_ms = np.rint(1000 * np.maximum(0.05, rng.exponential(pace_seconds, total))).astype(np.int64)
    elapsed_ms = np.cumsum(pause_ms)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    begin_ms = rng.integers(times[0], times[1] + 1, len(sizes))
    time_ms = begin_ms[visitor] + elapsed_ms - elapsed_ms[starts][visitor] if total else elapsed_ms
    zeros = np.zeros(total, np.int64)
    item = np.where(kind == PRODUCT, item, -1)
    return Steps(first + visitor, kind, time_ms, page, zeros, zeros - 1, item, zeros, np.full(total, np.nan))
