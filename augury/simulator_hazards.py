"""The law of the simulated shop: what a visitor did so far gives the exact chance that he buys next.

After every event a visitor stops with probability ``h_stop``; a visitor who stops buys with probability ``p`` and
leaves for good otherwise. So the hazards are h_buy = h_stop * p and h_leave = h_stop * (1 - p), and an instance that
ends at a purchase or at the end of the session is positive with probability h_buy / (h_buy + h_leave) = p exactly.
Both depend on the events since the last purchase alone, which no instance sees beyond; a run of events is at most
``MAX_RUN`` long, so the last ``MAX_RUN`` events are enough to compute them.

The log-odds of p add up (names as in the code):

- ``DEVICE``, and ``MEDIUM`` of the last campaign that brought the visitor since the purchase;
- ``BASKET`` of the number of items in the cart, ``VISIT`` for each further visit (a pause over ``VISIT_GAP_SECONDS``);
- ``LAST`` of the kind of the last event;
- the momentum, a sum over the events to which each adds ``INTEREST`` of its kind, ``STEP`` of the kind before it and
  its own (a search that leads to a product, an item put into the cart and taken out again), and ``READING`` times the
  log dwell on the page left, over ``READING_CENTRE``. Before that, each event leaves a share ``KEEP`` of the momentum
  so far: a visitor who goes back to the home page or searches begins anew.
"""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from augury.simulator_world import (
    ADD,
    CART,
    CATEGORY,
    CHECKOUT,
    HELP,
    HOME,
    KINDS,
    PRODUCT,
    REMOVE,
    SEARCH,
    SIGNUP,
)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MAX_RUN = 40
"""A visitor stops at this many events since the last purchase at the latest."""

VISIT_GAP_SECONDS = 1800.0
"""A longer pause begins a new visit."""


def _by_kind(**values: float) -> Floats:
    names = {
        "home": HOME, "category": CATEGORY, "search": SEARCH, "product": PRODUCT, "add": ADD, "remove": REMOVE,
        "cart": CART, "checkout": CHECKOUT, "help": HELP, "signup": SIGNUP,
    }  # fmt: skip
    out = np.zeros(KINDS)
    for name, value in values.items():
        out[names[name]] = value
    return out


BIAS = -5.2
DEVICE = np.array([0.25, -0.45, 0.0])
MEDIUM = np.array([0.0, 0.5, 0.2, -0.4])
BASKET = np.array([0.0, 1.6, 2.0, 2.2])
VISIT = 0.3
MAX_VISITS = 4
LAST = _by_kind(home=-0.8, category=-0.5, search=-0.5, add=0.3, cart=0.9, checkout=2.0, help=-0.4, remove=-0.6)
INTEREST = _by_kind(home=-0.2, category=-0.1, product=0.45, add=0.6, remove=-0.6, cart=0.3, checkout=0.4)
KEEP = np.where(np.isin(np.arange(KINDS), [HOME, SEARCH]), 0.0, 0.85)
READING = 0.3
READING_CENTRE = np.log(25.0)
READING_LIMIT = 1.5

STEP = np.zeros((KINDS, KINDS))
STEP[SEARCH, PRODUCT] = 0.9
STEP[ADD, REMOVE] = -0.6

STOP_BIAS = -2.85
STOP = _by_kind(home=0.35, search=-0.3, product=-0.1, add=-0.5, remove=0.3, cart=0.2, checkout=1.3, help=0.2)
STOP_FIRST = 1.0
"""More visitors stop at their first event: the bounce."""

FATIGUE = 0.05
"""Every event makes stopping likelier: few visitors come near ``MAX_RUN``."""


@dataclass
class Runs:
    """What the law remembers of the events since the last purchase, for N visitors; every field has length N.

    Attributes:
        events: events so far.
        visits: visits so far, at most ``MAX_VISITS``.
        basket: items in the cart.
        last: kind of the last event, 0 before the first.
        medium: index of the medium of the last campaign.
        momentum: the sum that forgets.
    """

    events: Ints
    visits: Ints
    basket: Ints
    last: Ints
    medium: Ints
    momentum: Floats

    @classmethod
    def fresh(cls, size: int) -> "Runs":
        """Returns the state of ``size`` visitors before any event."""
        zeros = np.zeros(size, np.int64)
        return cls(zeros, zeros.copy(), zeros.copy(), zeros.copy(), zeros.copy(), np.zeros(size))

    def take(self, rows: npt.NDArray[np.bool_] | Ints) -> "Runs":
        """Returns the state of the visitors at ``rows``."""
        return Runs(*(getattr(self, field.name)[rows] for field in fields(self)))

    def forget(self, rows: npt.NDArray[np.bool_]) -> None:
        """Sets the visitors at ``rows`` back to before any event, as a purchase does."""
        for field in fields(self):  # new arrays: the events written so far may share the old ones
            setattr(self, field.name, np.where(rows, 0, getattr(self, field.name)))

    def see(self, kind: Ints, pause_seconds: Floats, medium: Ints) -> None:
        """Takes in one event of every visitor.

        Args:
            kind: int64 (N,) what happened.
            pause_seconds: float64 (N,) time since the event before; not looked at where this event is the first.
            medium: int64 (N,) index of the medium in the URL's campaign tags, 0 where it has none.
        """
        first = self.events == 0
        away = pause_seconds > VISIT_GAP_SECONDS
        read = np.log(np.where(first | away, 25.0, pause_seconds))
        read = np.clip(read - READING_CENTRE, -READING_LIMIT, READING_LIMIT)
        step = np.where(first, 0.0, STEP[self.last, kind])
        self.momentum = KEEP[kind] * self.momentum + INTEREST[kind] + step + READING * read
        self.visits = np.minimum(self.visits + (first | away), MAX_VISITS)
        self.basket = self.basket + (kind == ADD) - (kind == REMOVE)
        self.medium = np.where(medium > 0, medium, self.medium)
        self.last = kind
        self.events = self.events + 1

    def buy_probability(self, device: Ints) -> Floats:
        """Returns float64 (N,): h_buy / (h_buy + h_leave), after at least one event."""
        odds = BIAS + DEVICE[device] + MEDIUM[self.medium] + BASKET[np.minimum(self.basket, 3)]
        odds = odds + VISIT * (self.visits - 1) + LAST[self.last] + self.momentum
        return 1.0 / (1.0 + np.exp(-odds))

    def stop_probability(self) -> Floats:
        """Returns float64 (N,): h_buy + h_leave."""
        odds = STOP_BIAS + STOP[self.last] + STOP_FIRST * (self.events == 1) + FATIGUE * self.events
        return np.where(self.events >= MAX_RUN, 1.0, 1.0 / (1.0 + np.exp(-odds)))
