"""What is kept of each visitor in the fast store, and what its answers mean."""

import math
import re
from dataclasses import dataclass, fields

from features.checks import EVENT_TYPES, SLACK_US
from features.errors import AuguryError
from features.recent_scripts import USER_PREFIX

RESERVED_PREFIX = USER_PREFIX
"""An anonymous id must not begin with it: it would pass for a user."""

MAX_ID_BYTES = 256
"""Longest anonymous id, user id and message id, in bytes of UTF-8."""

MAX_COUNT = 5_000
"""Most events of one visitor that can be asked for: Redis hands a script's rows over in one piece."""

MAX_AGE_DAYS = 36_500
"""A hundred years, so that events of any time that is believed (``features.checks``) can be kept."""

_DAY_MS = 86_400_000
# As long as a browser keeps a cookie: https://www.rfc-editor.org/rfc/rfc6265bis "Max-Age", 400 days.
_LINKS_MS = 400 * _DAY_MS


class RecentEventsError(AuguryError, ValueError):
    """Rules that cannot be, or rows that are not ours."""


@dataclass(frozen=True)
class RecentRules:
    """What is kept of each visitor.

    Attributes:
        count: the newest events that stay, by (timestamp_us, message_id).
        max_age_days: events older than this are left out.
        types: the calls of the Segment specification whose events are kept; the others still link visitors.
        dedup_seconds: how long a message counts as seen; 0 remembers none.
        link_visitors: whether a login gives the anonymous history to the user.
        namespace: what every key begins with, for several sites in one Redis.

    Raises:
        RecentEventsError: an impossible value.
    """

    count: int = 200
    max_age_days: float = 30
    types: tuple[str, ...] = EVENT_TYPES
    dedup_seconds: int = 3600
    link_visitors: bool = True
    namespace: str = "augury"

    def __post_init__(self) -> None:
        if not 1 <= self.count <= MAX_COUNT:
            raise RecentEventsError(f"count {self.count!r} is not possible; expected 1 to {MAX_COUNT}")
        if not (math.isfinite(self.max_age_days) and 0 < self.max_age_days <= MAX_AGE_DAYS):
            raise RecentEventsError(
                f"max_age_days {self.max_age_days!r} is not possible; expected above 0, up to {MAX_AGE_DAYS}"
            )
        if not 0 <= self.dedup_seconds <= 30 * 86_400:
            raise RecentEventsError(f"dedup_seconds {self.dedup_seconds!r} is not possible; expected 0 to 2592000")
        unknown = sorted(set(self.types) - set(EVENT_TYPES))
        if unknown or not self.types:
            what = f"types {unknown}" if unknown else "an empty list of types"
            raise RecentEventsError(f"{what} cannot be kept; expected some of {', '.join(EVENT_TYPES)}")
        if not re.fullmatch(r"[\w.-]{1,64}", self.namespace, re.ASCII):
            raise RecentEventsError(
                f"namespace {self.namespace!r} is not possible; expected 1 to 64 letters, digits, _ . or -"
            )

    def horizon_us(self, now_us: int) -> int:
        """Returns the earliest event time that is kept."""
        return now_us - round(self.max_age_days * _DAY_MS * 1000)

    @property
    def rows_ttl_ms(self) -> int:
        """How long a visitor's keys outlive the last push; an event may be dated ``SLACK_US`` ahead of it."""
        return math.ceil(self.max_age_days * _DAY_MS) + SLACK_US // 1000

    @property
    def links_ttl_ms(self) -> int:
        """How long a login is remembered after the last event that used it, and that someone was forgotten."""
        return max(_LINKS_MS, self.rows_ttl_ms)


@dataclass(frozen=True)
class PushCounts:
    """What became of the events of a push; every event is in exactly one.

    Attributes:
        new: added (newer ones may push them out at once).
        known: the visitor has an event with this message id already; the first one stays.
        irrelevant: of a type that is not kept.
        forgotten: received before their visitor was forgotten.
        outdated: older than ``max_age_days``.
        refused: an id longer than ``MAX_ID_BYTES``, or an anonymous id that begins with ``RESERVED_PREFIX``.
    """

    new: int = 0
    known: int = 0
    irrelevant: int = 0
    forgotten: int = 0
    outdated: int = 0
    refused: int = 0

    def __add__(self, other: "PushCounts") -> "PushCounts":
        return PushCounts(*(getattr(self, item.name) + getattr(other, item.name) for item in fields(self)))

    @property
    def total(self) -> int:
        """The number of events pushed."""
        return sum(getattr(self, item.name) for item in fields(self))


@dataclass(frozen=True)
class Recent:
    """The recent events of a visitor.

    Attributes:
        visitor: whose they are: ``user:<user_id>`` where the name asked for is linked to a user.
        rows: encoded events sorted by (timestamp_us, message_id), the newest ``count`` of them.
        full: as many as are kept, so older ones may have been left out.
    """

    visitor: str
    rows: list[bytes]
    full: bool


@dataclass(frozen=True)
class Forgotten:
    """What was removed of a visitor.

    Attributes:
        visitor: who it was, logins resolved.
        events: number of events removed.
        links: number of links removed.
        names: every name that led to the visitor and is forgotten with it, ``visitor`` first.
    """

    visitor: str
    events: int
    links: int
    names: tuple[str, ...]
