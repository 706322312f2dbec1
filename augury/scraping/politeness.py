"""Manners: what robots.txt allows (RFC 9309), how often one host is asked, and how long to wait after a failure."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version

from protego import Protego

from features.fetching import Fetched, FetchError
from features.fetching_policy import ADDRESS_NOT_ALLOWED, BROKEN_ANSWER, CANNOT_CONNECT, CANNOT_RESOLVE, TIMED_OUT

AGENT = "Augury"
"""The name that a robots.txt knows us by."""

ROBOTS_DISALLOWED = "robots_disallowed"
ROBOTS_UNREACHABLE = "robots_unreachable"
ROBOTS_TOO_SLOW = "robots_too_slow"

MOST_ROBOTS_BYTES = 512 * 1024
ROBOTS_SECONDS = 86_400.0
"""How long a robots.txt is believed (RFC 9309, section 2.4)."""

_PASSING = (TIMED_OUT, CANNOT_CONNECT, CANNOT_RESOLVE, BROKEN_ANSWER)
_PASSING_STATUS = (408, 425, 429, 500, 502, 503, 504)


def user_agent(contact: str | None = None) -> str:
    """Returns who we say that we are."""
    return f"{AGENT}/{version('augury')} (product catalogue{f'; {contact}' if contact else ''})"


@dataclass(frozen=True)
class Clock:
    """Time, to be replaced in tests.

    Attributes:
        now: seconds, never going back.
        sleep: waits so many seconds.
        now_us: microseconds UTC since 1970.
    """

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    now_us: Callable[[], int] = lambda: time.time_ns() // 1000


CLOCK = Clock()
"""The machine's own."""


class RefusedError(Exception):
    """What robots.txt forbids; ``reason`` is one of those above."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True)
class _Rules:
    robots: Protego | None  # None: the host must be left alone
    read_at: float
    detail: str = ""


class Manners:
    """Lets a request go when it may.

    Args:
        requests_per_second: to one host.
        max_wait_seconds: a longer pause between requests is not waited for: the host is left alone.
        clock: what is waited by.
        fetch_robots: fetches a robots.txt; its own requests are counted, but not judged.
    """

    def __init__(
        self,
        requests_per_second: float,
        max_wait_seconds: float,
        clock: Clock,
        fetch_robots: Callable[[str], Fetched],
    ) -> None:
        self._pause, self._most, self._clock, self._fetch = (
            1 / requests_per_second,
            max_wait_seconds,
            clock,
            fetch_robots,
        )
        self._rules: dict[str, _Rules] = {}
        self._last: dict[str, float] = {}

    def before(self, url: str) -> None:
        """Waits for the host's turn.

        Raises:
            RefusedError: robots.txt disallows the URL, cannot be had, or asks for too long a pause.
        """
        origin = _origin(url)
        rules = self._rules.get(origin)
        if rules is None or self._clock.now() - rules.read_at > ROBOTS_SECONDS:
            rules = self._rules[origin] = self._read(origin)
        if rules.robots is None:
            private = rules.detail == ADDRESS_NOT_ALLOWED
            remedy = "--allow-private admits a shop on your own network" if private else "hands off"
            raise RefusedError(ROBOTS_UNREACHABLE, f"{origin}/robots.txt cannot be had ({rules.detail}): {remedy}")
        if not rules.robots.can_fetch(url, AGENT):
            raise RefusedError(ROBOTS_DISALLOWED, f"{origin}/robots.txt disallows it")
        pause = max(self._pause, rules.robots.crawl_delay(AGENT) or 0.0)
        rate = rules.robots.request_rate(AGENT)
        if rate is not None and rate.requests:
            pause = max(pause, rate.seconds / rate.requests)
        if pause > max(self._most, self._pause):
            raise RefusedError(ROBOTS_TOO_SLOW, f"{origin}/robots.txt asks for {pause:g} s between requests")
        self.turn(url, pause)

    def turn(self, url: str, pause: float | None = None) -> None:
        """Waits until the last request to the URL's host is long enough ago, and takes note of this one."""
        origin = _origin(url)
        last = self._last.get(origin)
        if last is not None:
            wait = last + (self._pause if pause is None else pause) - self._clock.now()
            if wait > 0:
                self._clock.sleep(wait)
        self._last[origin] = self._clock.now()

    def _read(self, origin: str) -> _Rules:
        try:
            content = self._fetch(f"{origin}/robots.txt").content
        except FetchError as error:
            # Section 2.3.1.3: what is not there forbids nothing. A server in trouble, 429 included, forbids all.
            if error.status is not None and 400 <= error.status < 500 and error.status != 429:
                content = b""
            else:
                return _Rules(None, self._clock.now(), error.reason)
        return _Rules(Protego.parse(content.decode("utf-8", "replace")), self._clock.now())


def may_pass(error: BaseException) -> bool:
    """Says whether what went wrong may go right the next time."""
    if not isinstance(error, FetchError):
        return False
    return error.reason in _PASSING or error.status in _PASSING_STATUS


def asked_to_wait(error: FetchError, now_us: int) -> float | None:
    """Returns the seconds of a Retry-After (RFC 9110, section 10.2.3: seconds, or a date), None where there is none."""
    text = error.headers.get("retry-after", "").strip()
    if text.isdecimal() and len(text) < 12:
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    zoned = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (zoned - datetime.fromtimestamp(now_us / 1e6, UTC)).total_seconds())


def backoff(attempt: int, chance: random.Random, most: float = 60.0) -> float:
    """Returns the seconds to wait after failure number ``attempt`` (1, 2, ...): twice as long each time, and jitter.

    Between half and all of 2, 4, 8, ... seconds: "equal jitter" of Brooker, "Exponential Backoff And Jitter" (2015).
    """
    full: float = min(most, 2.0**attempt)
    return full / 2 + chance.uniform(0, full / 2)


def _origin(url: str) -> str:
    scheme, _, rest = url.partition("://")
    authority = rest.partition("/")[0].partition("?")[0].partition("#")[0]
    return f"{scheme.lower()}://{authority.lower()}"
