"""Browsers, operating systems and devices behind user agent strings; and which of them are robots."""

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from crawleruseragents import CRAWLER_USER_AGENTS_DATA, is_crawler
from ua_parser import BestAvailableResolver, Domain, Parser
from ua_parser.loaders import load_lazy_builtins

DEVICES = ("desktop", "mobile", "tablet", "tv", "other")
"""Every kind of device."""

MAX_AGENT = 1024
"""Characters of a user agent string that are looked at, as no browser's is longer, so that time is bounded."""

UNKNOWN = "Other"
"""The browser or operating system that is not recognised, as ua-parser calls it."""

_TV = re.compile(
    r"\bTV\b|SmartTV|SMART-TV|AppleTV|GoogleTV|HbbTV|BRAVIA|CrKey|\bAFT[A-Z]|Roku|NetCast|Web0S|PlayStation|Xbox|Nintendo"
)
_TABLET = re.compile(r"iPad|Tablet|PlayBook|Kindle|\bSilk/(?!.*Mobile)|\bKF[A-Z]{2,}")
_MOBILE = re.compile(
    r"iPhone|iPod|Mobile|Windows Phone|BlackBerry|BB10|Opera Mini|Opera Mobi|KAIOS|Symbian|webOS/|IEMobile"
)
_DESKTOP = re.compile(r"Windows|Macintosh|Mac OS X|X11|Linux|CrOS")

_PATTERNS_AT_ONCE = 200  # more in one expression make RE2 fall back to its slow engine (measured: 6 us a text, not 360)
_CRAWLERS = tuple(
    "|".join(entry["pattern"] for entry in CRAWLER_USER_AGENTS_DATA[start : start + _PATTERNS_AT_ONCE])
    for start in range(0, len(CRAWLER_USER_AGENTS_DATA), _PATTERNS_AT_ONCE)
)


@dataclass(frozen=True, slots=True)
class Agent:
    """What a visitor looks at the site with.

    Attributes:
        browser: the family, e.g. ``Mobile Safari``; ``UNKNOWN`` if not recognised.
        os: the family, e.g. ``iOS``; ``UNKNOWN`` if not recognised.
        device: one of ``DEVICES``.
    """

    browser: str = UNKNOWN
    os: str = UNKNOWN
    device: str = "other"


def parse_agent(text: str) -> Agent:
    """Returns what a user agent string says; never raises."""
    return _parse_cached(text[:MAX_AGENT])


@lru_cache(maxsize=1 << 15)
def _parse_cached(text: str) -> Agent:
    result = _parser()(text, Domain.USER_AGENT | Domain.OS)
    browser = result.user_agent.family if result.user_agent else UNKNOWN
    system = result.os.family if result.os else UNKNOWN
    return Agent(browser, system, _device(text))


@cache
def _parser() -> Parser:
    """Returns ua-parser without its expressions for models of devices: they are two thirds of the time to compile."""
    browsers, systems, _ = load_lazy_builtins()
    return Parser(BestAvailableResolver((browsers, systems, [])))


def agent_from_context(context: str) -> Agent | None:
    """Returns what an event's context says of the device, or None: for sources without user agents, such as GA4.

    Reads ``browser.name``, ``os.name`` and ``device.type``, where Segment and the GA4 adapter have them.
    """
    try:
        given = orjson.loads(context)
    except orjson.JSONDecodeError:
        return None
    found = [_name(given, *path) for path in (("browser", "name"), ("os", "name"), ("device", "type"))]
    if found == [None, None, None]:
        return None
    device = (found[2] or "").lower()
    return Agent(
        found[0] or UNKNOWN, found[1] or UNKNOWN, _ALIASES.get(device, device if device in DEVICES else "other")
    )


_ALIASES = {"ios": "mobile", "android": "mobile", "phone": "mobile", "smart tv": "tv"}


def is_bot(text: str) -> bool:
    """Says whether a user agent string is that of a known robot (crawler-user-agents), which names itself as one."""
    return _is_bot_cached(text[:MAX_AGENT])


@lru_cache(maxsize=1 << 15)
def _is_bot_cached(text: str) -> bool:
    return bool(is_crawler(text))


def are_bots(texts: pa.Array) -> npt.NDArray[np.bool_]:
    """Returns bool (N,): ``is_bot`` of each string, false for null; faster than one by one from some hundred on."""
    found = np.zeros(len(texts), np.bool_)
    texts = pc.utf8_slice_codeunits(texts, 0, MAX_AGENT)
    for pattern in _CRAWLERS:
        found |= pc.fill_null(pc.match_substring_regex(texts, pattern), False).to_numpy(False)
    return found


def _device(text: str) -> str:
    if _TV.search(text):
        return "tv"
    if _TABLET.search(text) or ("Android" in text and "Mobile" not in text):
        return "tablet"
    if _MOBILE.search(text):
        return "mobile"
    return "desktop" if _DESKTOP.search(text) else "other"


def _name(given: Any, outer: str, key: str) -> str | None:
    inner = given.get(outer) if isinstance(given, dict) else None
    value = inner.get(key) if isinstance(inner, dict) else None
    return value if isinstance(value, str) and value else None
