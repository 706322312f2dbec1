"""What may be fetched: schemes, hosts, ports, sizes, types; and why something was not."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import httpx

from features.errors import AuguryError
from features.public_addresses import is_name, literal_address
from features.strict import FeatureSpecError, number, one_of, texts, whole

BAD_URL = "bad_url"
SCHEME_NOT_ALLOWED = "scheme_not_allowed"
PORT_NOT_ALLOWED = "port_not_allowed"
HOST_NOT_ALLOWED = "host_not_allowed"
ADDRESS_NOT_ALLOWED = "address_not_allowed"
CANNOT_RESOLVE = "cannot_resolve"
CANNOT_CONNECT = "cannot_connect"
BAD_CERTIFICATE = "bad_certificate"
TIMED_OUT = "timed_out"
BAD_REDIRECT = "bad_redirect"
TOO_MANY_REDIRECTS = "too_many_redirects"
BAD_STATUS = "bad_status"
WRONG_TYPE = "wrong_type"
WRONG_ENCODING = "wrong_encoding"
TOO_LARGE = "too_large"
BROKEN_ANSWER = "broken_answer"

REASONS = (
    BAD_URL,
    SCHEME_NOT_ALLOWED,
    PORT_NOT_ALLOWED,
    HOST_NOT_ALLOWED,
    ADDRESS_NOT_ALLOWED,
    CANNOT_RESOLVE,
    CANNOT_CONNECT,
    BAD_CERTIFICATE,
    TIMED_OUT,
    BAD_REDIRECT,
    TOO_MANY_REDIRECTS,
    BAD_STATUS,
    WRONG_TYPE,
    WRONG_ENCODING,
    TOO_LARGE,
    BROKEN_ANSWER,
)
"""Every reason something is not fetched for; docs/scraping.md says what each means."""

ANY_HOST = "*"
"""The allow-list entry for every host whose address is public."""

MOST_URL_CHARACTERS = 2048

_CREDENTIALS = re.compile(r"[^/?#]*//[^/?#]*@")


class FetchError(AuguryError):
    """Something that was not fetched; the message says what and why, and no more of the network than the URL does.

    Attributes:
        reason: one of ``REASONS``.
        url: the address that failed, which after a redirect is not the one asked for.
        status: of the answer, where there was one.
        headers: of the answer, names in lower case; empty where there was none.
    """

    def __init__(
        self,
        reason: str,
        url: str,
        detail: str,
        status: int | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(f"cannot fetch {shown_url(url)}: {detail}")
        self.reason, self.url, self.status, self.headers = reason, url, status, headers


@dataclass(frozen=True)
class FetchPolicy:
    """What may be fetched.

    Attributes:
        hosts: names or addresses, each in full or as ``*.example.org`` (names below it, not itself); ``*`` is every
            host. Whatever a host is called, its address must be public.
        schemes: ``http``, ``https`` or both.
        ports: that may be connected to.
        max_bytes: of a body, as sent and as decompressed.
        content_types: media types that are taken, in lower case; ``image/*`` is every image, ``*/*`` anything.
        timeout_seconds: for everything from the first look-up to the last byte, redirects included.
        max_redirects: that are followed.
        allow_private: take loopback and private addresses too; for tests, and for a site on the own network.
        statuses: of answers that are returned; every other one is an error.
    """

    hosts: tuple[str, ...]
    schemes: tuple[str, ...] = ("https", "http")
    ports: tuple[int, ...] = (443, 80)
    max_bytes: int = 32 * 2**20
    content_types: tuple[str, ...] = ("*/*",)
    timeout_seconds: float = 30.0
    max_redirects: int = 5
    allow_private: bool = False
    statuses: tuple[int, ...] = field(default=(200,))

    def __post_init__(self) -> None:
        for name in ("hosts", "schemes", "content_types"):
            if not texts(f"fetching.{name}", getattr(self, name)):
                raise FeatureSpecError(f"fetching.{name}: nothing is listed; name at least one")
        for host in self.hosts:
            _check_pattern(host)
        for scheme in self.schemes:
            one_of("fetching.schemes", scheme, ("http", "https"))
        for port in self.ports:
            whole("fetching.ports", port, 1, 65535)
        for kind in self.content_types:
            if kind.count("/") != 1 or kind != kind.lower().strip():
                raise FeatureSpecError(f"fetching.content_types: {kind!r} is no media type; expected one as image/png")
        whole("fetching.max_bytes", self.max_bytes, 1)
        number("fetching.timeout_seconds", self.timeout_seconds, above=0)
        whole("fetching.max_redirects", self.max_redirects, 0, 20)
        for status in self.statuses:
            whole("fetching.statuses", status, 200, 599)

    def check_url(self, text: str) -> httpx.URL:
        """Returns a URL that may be asked for, in its normal form and without a fragment.

        Raises:
            FetchError: it is no URL, carries credentials, or its scheme, host or port is not allowed.
        """
        if len(text) > MOST_URL_CHARACTERS or "\\" in text or not text.isprintable() or text != text.strip():
            raise FetchError(BAD_URL, text, f"expected at most {MOST_URL_CHARACTERS} printable characters, no \\")
        try:
            url = httpx.URL(text).copy_with(fragment=None)
        except (httpx.InvalidURL, ValueError) as e:
            raise FetchError(BAD_URL, text, "not a URL; expected one as https://example.org/page") from e
        if url.scheme not in self.schemes:
            expected = " or ".join(self.schemes)
            raise FetchError(
                SCHEME_NOT_ALLOWED, text, f"scheme {url.scheme[:20]!r} is not allowed; expected {expected}"
            )
        if url.userinfo or _CREDENTIALS.match(text):
            raise FetchError(BAD_URL, text, "it carries a user name or password; leave them out")
        host = host_of(url)
        if literal_address(host) is None and not is_name(host):
            raise FetchError(BAD_URL, text, f"{host[:100]!r} is no name or full address of a host")
        if not self.allows_host(host):
            raise FetchError(HOST_NOT_ALLOWED, text, f"host {host[:100]} is not in the list of allowed hosts")
        if port_of(url) not in self.ports:
            expected = ", ".join(map(str, self.ports))
            raise FetchError(PORT_NOT_ALLOWED, text, f"port {port_of(url)} is not allowed; expected one of {expected}")
        return url

    def allows_host(self, host: str) -> bool:
        """Says whether a host (lower case, ASCII) is in the list."""
        return any(
            pattern in (ANY_HOST, host) or (pattern.startswith("*.") and host.endswith(pattern[1:]))
            for pattern in self.hosts
        )

    def allows_type(self, media_type: str) -> bool:
        """Says whether a body of this media type (lower case, without parameters) is taken."""
        family = media_type.partition("/")[0]
        return any(kind in ("*/*", media_type, f"{family}/*") for kind in self.content_types)


def host_of(url: httpx.URL) -> str:
    """Returns the host of a URL: lower case, ASCII (IDNA), an IPv6 address without its brackets."""
    return url.raw_host.decode("ascii").lower()


def port_of(url: httpx.URL) -> int:
    """Returns the port of a URL, the one of its scheme where it names none."""
    return url.port if url.port is not None else {"http": 80, "https": 443}.get(url.scheme, 0)


def shown_url(text: str) -> str:
    """Returns a URL fit for one line of a message: no control characters, no password, not endless."""
    shown = "".join(c if c.isprintable() else "?" for c in text[:200])
    scheme, slashes, rest = shown.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{slashes}{authority.rpartition('@')[2]}{slash}{path}" + ("..." if len(text) > 200 else "")


def _check_pattern(pattern: str) -> None:
    name = pattern.removeprefix("*.")
    literal = pattern == name and literal_address(name) is not None
    if pattern != ANY_HOST and not literal and not is_name(name):
        raise FeatureSpecError(
            f"fetching.hosts: {pattern!r} is no host; expected a name as shop.example.org, *.example.org, "
            "an address, or * (lower case; no scheme, port or path)"
        )
