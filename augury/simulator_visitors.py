"""Visitors walking through the simulated shop: all live visitors of a block take a step at once."""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import numpy.typing as npt

from augury import simulator_world as world
from augury.simulator_hazards import VISIT_GAP_SECONDS, Runs
from augury.simulator_world import (
    ADD,
    CART,
    CATEGORY,
    CHECKOUT,
    HELP,
    HOME,
    KINDS,
    ORDER,
    PRODUCT,
    REMOVE,
    SEARCH,
    SIGNUP,
)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

RETURN_PROBABILITY = 0.35
"""The chance that a visitor who bought goes on, with a fresh state; otherwise he leaves for good."""

KNOWN_PROBABILITY = 0.15
"""The chance that a visitor is signed in from the start."""

# Rows: the last kind. Columns, in this order: what comes next. One matrix for an empty cart, one for a full one.
_NEXT_EMPTY = np.array(
    # home category search product add remove cart checkout help signup
    [
        [0.05, 0.38, 0.22, 0.25, 0.00, 0.00, 0.02, 0.00, 0.06, 0.02],  # home
        [0.06, 0.22, 0.10, 0.58, 0.00, 0.00, 0.01, 0.00, 0.02, 0.01],  # category
        [0.05, 0.10, 0.25, 0.57, 0.00, 0.00, 0.01, 0.00, 0.02, 0.00],  # search
        [0.05, 0.17, 0.12, 0.39, 0.19, 0.00, 0.01, 0.00, 0.06, 0.01],  # product
        [0.05, 0.17, 0.12, 0.39, 0.19, 0.00, 0.01, 0.00, 0.06, 0.01],  # add
        [0.12, 0.22, 0.14, 0.46, 0.00, 0.00, 0.03, 0.00, 0.03, 0.00],  # remove
        [0.20, 0.25, 0.15, 0.34, 0.00, 0.00, 0.00, 0.00, 0.06, 0.00],  # cart
        [0.20, 0.25, 0.15, 0.34, 0.00, 0.00, 0.00, 0.00, 0.06, 0.00],  # checkout
        [0.20, 0.20, 0.15, 0.33, 0.00, 0.00, 0.02, 0.00, 0.08, 0.02],  # help
        [0.25, 0.25, 0.15, 0.33, 0.00, 0.00, 0.02, 0.00, 0.00, 0.00],  # sign-up
    ]
)
_NEXT_FULL = np.array(
    [
        [0.04, 0.25, 0.15, 0.25, 0.00, 0.00, 0.25, 0.00, 0.05, 0.01],
        [0.04, 0.16, 0.08, 0.53, 0.00, 0.00, 0.15, 0.00, 0.03, 0.01],
        [0.03, 0.09, 0.18, 0.54, 0.00, 0.00, 0.13, 0.00, 0.03, 0.00],
        [0.03, 0.12, 0.08, 0.30, 0.15, 0.00, 0.24, 0.00, 0.07, 0.01],
        [0.02, 0.11, 0.06, 0.24, 0.04, 0.10, 0.40, 0.00, 0.03, 0.00],
        [0.06, 0.16, 0.10, 0.36, 0.00, 0.10, 0.20, 0.00, 0.02, 0.00],
        [0.03, 0.08, 0.05, 0.13, 0.00, 0.16, 0.02, 0.42, 0.09, 0.02],
        [0.04, 0.06, 0.04, 0.13, 0.00, 0.00, 0.31, 0.12, 0.25, 0.05],
        [0.05, 0.10, 0.08, 0.22, 0.00, 0.00, 0.28, 0.20, 0.06, 0.01],
        [0.04, 0.08, 0.05, 0.15, 0.00, 0.00, 0.28, 0.40, 0.00, 0.00],
    ]
)
_LANDING = np.array([0.34, 0.24, 0.04, 0.32, 0.00, 0.00, 0.00, 0.00, 0.06, 0.00])
_RETURN_FULL = np.array([0.25, 0.14, 0.04, 0.27, 0.00, 0.00, 0.26, 0.00, 0.04, 0.00])

_DWELL_MEDIAN_SECONDS = np.array([14.0, 22.0, 16.0, 32.0, 10.0, 9.0, 20.0, 40.0, 35.0, 12.0])
_DWELL_SIGMA = 0.9
_MAX_DWELL_SECONDS = 1500.0
_AWAY_PROBABILITY = np.array([0.04, 0.04, 0.03, 0.05, 0.05, 0.05, 0.09, 0.10, 0.07, 0.05])
_AWAY_MEDIAN_SECONDS = 72_000.0
_AWAY_SIGMA = 1.1
_AWAY_SECONDS = (2700.0, 8 * 86_400.0)
_HOUR_SHARES = np.array([2, 1, 1, 1, 1, 2, 4, 6, 7, 8, 8, 9, 10, 9, 8, 8, 8, 9, 11, 13, 14, 12, 8, 4], np.float64)

_CUMULATIVE = np.cumsum(
    np.stack([_NEXT_EMPTY, _NEXT_FULL, np.tile(_LANDING, (KINDS, 1)), np.tile(_RETURN_FULL, (KINDS, 1))]), axis=2
)


@dataclass
class Steps:
    """Events as columns of equal length; int64 but for ``revenue``.

    Attributes:
        visitor: index within the block.
        kind: what happened.
        time_ms: milliseconds since 1970.
        page: index of the page.
        campaign: index of the campaign in the URL, 0 for none.
        referrer: -1 for none; site s is -2 - s; otherwise page + campaign * number of pages.
        item: index of the item, -1 where the event shows none.
        known: 1 where the visitor is signed in.
        revenue: of an order, NaN elsewhere.
    """

    visitor: Ints
    kind: Ints
    time_ms: Ints
    page: Ints
    campaign: Ints
    referrer: Ints
    item: Ints
    known: Ints
    revenue: Floats

    def take(self, rows: Ints | npt.NDArray[np.bool_]) -> Self:
        """Returns the events at ``rows``."""
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))

    def __len__(self) -> int:
        return len(self.visitor)


@dataclass
class Walk:
    """What the visitors of a block did.

    Attributes:
        steps: E events; each visitor's are in order of time.
        device: int64 (V,) of each visitor.
        agent: int64 (V,) index of the user agent.
        truth_visitor, truth_time_ms, truth, bought: one entry for each run of events that a purchase or the end of
            the session closes: whose, the time of its last visible event, the true probability, the outcome.
    """

    steps: Steps
    device: Ints
    agent: Ints
    truth_visitor: Ints
    truth_time_ms: Ints
    truth: Floats
    bought: npt.NDArray[np.bool_]


def concatenate(parts: list[Steps]) -> Steps:
    """Returns the events of all parts, in order."""
    return Steps(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Steps)))


def lognormal_seconds(rng: np.random.Generator, median: Floats | float, sigma: float, size: int) -> Floats:
    """Draws ``size`` pauses in seconds."""
    return np.asarray(median * np.exp(sigma * rng.standard_normal(size)))


def choose(rng: np.random.Generator, shares: Floats, size: int) -> Ints:
    """Draws ``size`` indices in proportion to ``shares``."""
    edges = np.cumsum(shares) / shares.sum()
    return np.minimum(np.searchsorted(edges, rng.random(size), side="right"), len(shares) - 1)


class _Crowd:
    """The live visitors of a block; every array has one entry for each."""

    def __init__(self, rng: np.random.Generator, shop: world.Shop, size: int, start_ms: int, days: float) -> None:
        self.shop = shop
        self.visitor = np.arange(size)
        self.device = choose(rng, world.DEVICE_SHARES, size)
        self.agent = world.FIRST_AGENT[self.device] + (
            rng.random(size) ** 1.5 * world.DEVICE_AGENTS[self.device]
        ).astype(np.int64)
        hour = choose(rng, _HOUR_SHARES, size)
        day = np.floor(rng.random(size) * days)
        self.time_ms = start_ms + ((day * 24 + hour + rng.random(size)) * 3_600_000).astype(np.int64)
        self.known = (rng.random(size) < KNOWN_PROBABILITY).astype(np.int64)
        self.runs = Runs.fresh(size)
        self.category = rng.integers(0, len(world.CATEGORIES), size)
        self.item = self._draw_item(rng, self.category)
        self.basket_value = np.zeros(size)
        self.page = np.full(size, -1)
        self.campaign = np.zeros(size, np.int64)
        self.referrer = np.full(size, -1)
        self.pause_seconds = np.full(size, np.inf)

    def keep(self, rows: npt.NDArray[np.bool_]) -> None:
        """Forgets the visitors who are not at ``rows``."""
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray):
                setattr(self, name, value[rows])
        self.runs = self.runs.take(rows)

    def step(self, rng: np.random.Generator) -> Steps:
        """Every visitor does one thing, after the pause he took."""
        size, shop, runs = len(self.visitor), self.shop, self.runs
        landing = self.pause_seconds > VISIT_GAP_SECONDS
        full = runs.basket > 0
        edges = _CUMULATIVE[2 * landing + full, runs.last]
        kind = (rng.random(size)[:, None] >= edges[:, :-1]).sum(axis=1)
        kind = np.where((kind == SIGNUP) & (self.known == 1), HOME, kind)

        wander = rng.random(size)
        moved = (kind == CATEGORY) & (wander < 0.3) | (kind == SEARCH) & (wander < 0.4)
        self.category = np.where(moved, rng.integers(0, len(world.CATEGORIES), size), self.category)
        again = (kind == PRODUCT) & (wander < 0.15) & (self.item // world.ITEMS_PER_CATEGORY == self.category)
        self.item = np.where((kind == PRODUCT) & ~again, self._draw_item(rng, self.category), self.item)
        search = self.category * 16 + rng.integers(0, 16, size)

        page = np.zeros(size, np.int64)
        page[kind == CART] = page[kind == REMOVE] = shop.cart_page
        page[kind == CHECKOUT] = shop.checkout_page
        page[kind == SIGNUP] = shop.account_page
        page = np.where(kind == CATEGORY, shop.category_page + self.category, page)
        page = np.where(kind == SEARCH, shop.search_page + search, page)
        page = np.where((kind == PRODUCT) | (kind == ADD), shop.item_page + self.item, page)
        page = np.where(kind == HELP, shop.help_page + (rng.random(size) * shop.help_pages).astype(np.int64), page)
        campaign = np.where(landing & (kind != CART), choose(rng, world.CAMPAIGN_SHARES, size), 0)
        self._arrive(rng, page, campaign, landing)

        price = shop.prices[self.item]
        removed = np.divide(self.basket_value, runs.basket, out=np.zeros(size), where=full)
        self.basket_value = self.basket_value + np.where(kind == ADD, price, 0) - np.where(kind == REMOVE, removed, 0)
        self.known = np.where(kind == SIGNUP, 1, self.known)

        medium = _MEDIUM_OF[self.campaign]
        runs.see(kind, self.pause_seconds, medium)
        item = np.where((kind == PRODUCT) | (kind == ADD) | (kind == REMOVE), self.item, -1)
        return self._steps(kind, page, self.campaign, item, np.full(size, np.nan))

    def order(self, rng: np.random.Generator, rows: npt.NDArray[np.bool_]) -> Steps:
        """The visitors at ``rows`` buy; their state is fresh afterwards."""
        self.time_ms = np.where(rows, self.time_ms + _milliseconds(self._dwell(rng)), self.time_ms)
        page = np.full(len(rows), self.shop.order_page)
        before = self.page + self.campaign * len(self.shop.urls)
        self.referrer = np.where(rows, before, self.referrer)
        self.page = np.where(rows, page, self.page)
        self.campaign = np.where(rows, 0, self.campaign)
        bought = np.where(self.runs.basket > 0, self.basket_value, self.shop.prices[self.item])
        zeros = np.zeros(len(rows), np.int64)
        steps = self._steps(zeros + ORDER, page, zeros, zeros - 1, np.rint(bought * 100) / 100).take(rows)
        self.runs.forget(rows)
        self.basket_value = np.where(rows, 0.0, self.basket_value)
        return steps

    def pause(self, rng: np.random.Generator, bought: npt.NDArray[np.bool_]) -> None:
        """Every visitor reads on, or goes away to come back later."""
        size = len(self.visitor)
        away = rng.random(size) < np.where(bought, 0.6, _AWAY_PROBABILITY[self.runs.last])
        later = np.clip(lognormal_seconds(rng, _AWAY_MEDIAN_SECONDS, _AWAY_SIGMA, size), *_AWAY_SECONDS)
        # Whole milliseconds, as they are written: the law must see the pause that a reader of the file computes.
        elapsed_ms = _milliseconds(np.where(away, later, self._dwell(rng)))
        self.pause_seconds = elapsed_ms / 1000
        self.time_ms = self.time_ms + elapsed_ms

    def _dwell(self, rng: np.random.Generator) -> Floats:
        size = len(self.visitor)
        dwell = lognormal_seconds(rng, _DWELL_MEDIAN_SECONDS[self.runs.last], _DWELL_SIGMA, size)
        return np.clip(dwell, 1.0, _MAX_DWELL_SECONDS)

    def _draw_item(self, rng: np.random.Generator, category: Ints) -> Ints:
        popular = rng.random(len(category)) ** 2 * world.ITEMS_PER_CATEGORY
        return category * world.ITEMS_PER_CATEGORY + popular.astype(np.int64)

    def _arrive(self, rng: np.random.Generator, page: Ints, campaign: Ints, landing: npt.NDArray[np.bool_]) -> None:
        """Sets page, campaign and referrer: an event on the same page keeps the referrer of the page."""
        site = choose(rng, _SITE_SHARES, len(page)) - 1  # -1: typed in or bookmarked
        site = np.where(_SITE_OF[campaign] >= 0, _SITE_OF[campaign], site)
        before = self.page + self.campaign * len(self.shop.urls)
        stays = ~landing & (page == self.page)
        self.referrer = np.where(landing, -1 - (site + 1), np.where(stays, self.referrer, before))
        self.campaign = np.where(stays, self.campaign, campaign)
        self.page = page

    def _steps(self, kind: Ints, page: Ints, campaign: Ints, item: Ints, revenue: Floats) -> Steps:
        return Steps(self.visitor, kind, self.time_ms, page, campaign, self.referrer, item, self.known, revenue)


_MEDIUM_OF = np.array([medium for _, medium in world.CAMPAIGNS])
_SITE_OF = np.array([-1 if site is None else site for site in world.CAMPAIGN_REFERRERS])
_SITE_SHARES = np.array([0.42, 0.36, 0.07, 0.04, 0.05, 0.03, 0.03, 0.0])


def _milliseconds(seconds: Floats) -> Ints:
    return np.rint(seconds * 1000).astype(np.int64)


def walk(rng: np.random.Generator, shop: world.Shop, visitors: int, start_ms: int, days: float) -> Walk:
    """Lets ``visitors`` walk from their first event to their last.

    Args:
        rng: the only source of chance.
        shop: the pages.
        visitors: how many, V.
        start_ms: no visitor comes before.
        days: first visits fall within so many days of ``start_ms``.

    Returns:
        The events and the true probability of each run of them.
    """
    crowd = _Crowd(rng, shop, visitors, start_ms, days)
    device, agent = crowd.device, crowd.agent
    steps: list[Steps] = []
    truth: list[tuple[Ints, Ints, Floats, npt.NDArray[np.bool_]]] = []
    while len(crowd.visitor):
        steps.append(crowd.step(rng))
        size = len(crowd.visitor)
        stops = rng.random(size) < crowd.runs.stop_probability()
        probability = crowd.runs.buy_probability(crowd.device)
        buys = stops & (rng.random(size) < probability)
        truth.append((crowd.visitor[stops], crowd.time_ms[stops], probability[stops], buys[stops]))
        steps.append(crowd.order(rng, buys))
        stays = ~stops | buys & (rng.random(size) < RETURN_PROBABILITY)
        crowd.keep(stays)
        crowd.pause(rng, buys[stays])
    visitor, time_ms, probabilities, bought = (np.concatenate(column) for column in zip(*truth, strict=True))
    return Walk(concatenate(steps), device, agent, visitor, time_ms, probabilities, bought)
