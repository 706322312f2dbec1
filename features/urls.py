"""URLs as browsers and trackers write them: whole, without a scheme, relative, international, broken.

What is kept are the parts that a model may look at: query values never are, but for campaign tags.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote, unquote_plus

from yarl import URL

CLICK_IDS = frozenset(
    "dclid epik fbclid gbraid gclid li_fat_id mc_cid msclkid rdt_cid scclid ttclid twclid wbraid yclid".split()
)
"""Query keys by which an advertising network marks a click; that there is one says the click was paid for."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PARTS = re.compile(r"([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.DOTALL)
_HOST = re.compile(
    r"(?:[^\s/?#@]*@)?(?:localhost|\[[0-9A-Fa-f:.]+\]|\d{1,3}(?:\.\d{1,3}){3}|(?:[\w-]+\.)+(?:[^\W\d_]{2,}|xn--[\w-]+)\.?)"
    r"(?::\d*)?",
)
_PORT = re.compile(r"localhost:\d|[^/:?#]*\.[^/:?#]*:\d", re.IGNORECASE)
_FILE_ENDINGS = frozenset(
    "asp aspx cfm cgi css csv gif htm html ico jpeg jpg js json jsp jspx mp4 pdf php phtml pl png shtml svg txt webp "
    "xhtml xml zip".split()
)
_MAX_KEYS = 64
_MAX_CACHED = 2048  # characters: longer texts are rare, and would let a cache grow without bound


@dataclass(frozen=True, slots=True)
class Url:
    """The parts of a URL.

    Attributes:
        host: lower case, international names in their ASCII form (``xn--...``), without user and port; empty if none.
        path: percent-decoded, beginning with ``/`` and without one at the end; a route in the fragment (``#/cart``)
            belongs to it; ``about:``-like for URLs that have no path.
        segments: the parts of the path, none of them empty.
        query_keys: sorted distinct keys of the query, campaign tags left out.
        campaign: sorted (key, value) of ``utm_*`` tags, in lower case, and (key, "1") of ``CLICK_IDS``.
    """

    host: str = ""
    path: str = ""
    segments: tuple[str, ...] = ()
    query_keys: tuple[str, ...] = ()
    campaign: tuple[tuple[str, str], ...] = ()


def parse_url(text: str) -> Url:
    """Returns the parts of a URL; never raises, whatever the text is.

    A name before the first ``/`` counts as a host if it ends like one (``shop.example/item``, ``localhost:8080``), so
    ``index.html`` does not. Other texts without a scheme are paths of an unknown host.
    """
    return _parse_cached(text) if len(text) <= _MAX_CACHED else _parse(text)


def _parse(text: str) -> Url:
    cleaned = _CONTROL.sub("", text).strip()
    if not cleaned.isascii():
        cleaned = cleaned.encode(errors="replace").decode()
    authority, rest, scheme = _split(cleaned)
    if scheme is not None:
        return Url(path=f"{scheme}:")
    match = _PARTS.fullmatch(rest)
    path, query, fragment = match.groups() if match else (rest, None, None)
    host = _host(authority) if authority else ""
    segments = _segments(path)
    if fragment and fragment.startswith(("/", "!/")):
        segments += _segments(fragment.lstrip("!").partition("?")[0])
    query_keys, campaign = _query(query) if query else ((), ())
    return Url(host, "/" + "/".join(segments) if host or segments or path else "", segments, query_keys, campaign)


_parse_cached = lru_cache(maxsize=1 << 15)(_parse)


def _split(text: str) -> tuple[str, str, str | None]:
    """Returns the authority (or ""), what follows it, and the scheme if the URL has no more than that to say."""
    match = _SCHEME.fullmatch(text)
    if match and not _PORT.match(text):
        scheme, text = match.groups()
        if not text.startswith("//"):
            return "", "", scheme.lower()
        if scheme.lower() == "file":
            return "", text[2:], None
    elif not text.startswith("//"):
        head = re.split(r"[/?#]", text, maxsplit=1)[0]
        if not _looks_like_host(head):
            return "", text, None
        return head, text[len(head) :], None
    authority = re.split(r"[/?#\\]", text[2:], maxsplit=1)[0]
    return authority, text[2 + len(authority) :], None


def _looks_like_host(text: str) -> bool:
    if not _HOST.fullmatch(text):
        return False
    return text.rpartition(".")[2].lower() not in _FILE_ENDINGS


@lru_cache(maxsize=1 << 12)  # a site has few hosts, its events many URLs
def _host(authority: str) -> str:
    name = authority.rpartition("@")[2]
    if name.startswith("["):
        return name.partition("]")[0].lstrip("[").lower()
    name = unquote(name.partition(":")[0]).rstrip(".").lower()
    if name.isascii():
        return name
    try:
        return URL.build(scheme="http", host=name).raw_host or name
    except (ValueError, UnicodeError):
        return name


def _segments(path: str) -> tuple[str, ...]:
    kept: list[str] = []
    for piece in path.replace("\\", "/").split("/"):
        segment = unquote(piece) if "%" in piece else piece
        if segment == "..":
            del kept[-1:]
        elif segment and segment != ".":
            kept.append(segment)
    return tuple(kept)


def _query(query: str) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    keys: set[str] = set()
    tags: dict[str, str] = {}
    for part in query.split("&")[:_MAX_KEYS]:
        raw_key, _, raw_value = part.partition("=")
        key = unquote_plus(raw_key).strip()
        lowered = key.lower()
        if lowered in CLICK_IDS:
            tags[lowered] = "1"
        elif lowered.startswith("utm_"):
            value = unquote_plus(raw_value).strip().lower()
            if value:
                tags.setdefault(lowered, value)
        elif key:
            keys.add(key)
    return tuple(sorted(keys)), tuple(sorted(tags.items()))
