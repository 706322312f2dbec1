"""Fetches what others name (a page, an image) without becoming their way into the own network.

The attacks are those of OWASP's "Server-Side Request Forgery Prevention Cheat Sheet". Of every hop scheme, host and
port are checked, then the addresses of the host, and the connection goes to one that was checked; bodies, headers,
redirects and time are limited; proxies, cookies and credentials of the environment are not used.
"""

import ssl
import zlib
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from types import MappingProxyType, TracebackType

import httpcore
import httpx

from features.fetching_network import Deadline, GuardedNetwork, Resolver, public_certificates, system_resolver
from features.fetching_policy import (
    ADDRESS_NOT_ALLOWED,
    BAD_CERTIFICATE,
    BAD_REDIRECT,
    BAD_STATUS,
    BROKEN_ANSWER,
    CANNOT_CONNECT,
    REASONS,
    TIMED_OUT,
    TOO_LARGE,
    TOO_MANY_REDIRECTS,
    WRONG_ENCODING,
    WRONG_TYPE,
    FetchError,
    FetchPolicy,
    host_of,
    port_of,
)

__all__ = ["ADDRESS_NOT_ALLOWED", "REASONS", "FetchError", "FetchPolicy", "Fetched", "Fetcher", "fetch"]

USER_AGENT = "Augury (fetches pages and images on behalf of its users)"
_REDIRECTS = (301, 302, 303, 307, 308)
_KEPT_ELSEWHERE = ("accept", "accept-language", "user-agent")
_OURS = ("accept-encoding", "connection", "content-length", "host", "te", "transfer-encoding", "upgrade")


@dataclass(frozen=True)
class Fetched:
    """An answer.

    Attributes:
        url: where it came from, after redirects.
        status: one of the policy's.
        headers: names in lower case, several of one name joined by ``", "``.
        media_type: in lower case, without parameters; empty where the answer names none.
        charset: that the answer names, or None.
        content: the body, decompressed; empty for a status other than 200.
        redirects: the URLs that led here, the one asked for first.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    media_type: str
    charset: str | None
    content: bytes
    redirects: tuple[str, ...]


def fetch(url: str, *, policy: FetchPolicy, headers: Mapping[str, str] = MappingProxyType({})) -> Fetched:
    """Fetches one URL with GET; thread-safe.

    Args:
        url: what to fetch.
        policy: what may be fetched.
        headers: to send besides those of HTTP itself. To another origin only Accept, Accept-Language and User-Agent go.

    Raises:
        FetchError: with a reason out of ``REASONS``; nothing else, whatever the URL and the answer.
    """
    with Fetcher(policy) as fetcher:
        return fetcher.fetch(url, headers)


class Fetcher:
    """Fetches many URLs under one policy, keeping connections; for one thread at a time.

    Args:
        policy: what may be fetched.
        resolver: looks names up.
        certificates: what the certificates of servers are checked against.
        before_hop: is called with every URL just before it is asked for, redirects included; it may wait (the time does
            not count) or refuse by raising.
    """

    def __init__(
        self,
        policy: FetchPolicy,
        *,
        resolver: Resolver = system_resolver,
        certificates: ssl.SSLContext | None = None,
        before_hop: Callable[[str], object] | None = None,
    ) -> None:
        self.policy = policy
        self._before_hop = before_hop
        self._deadline = Deadline()
        self._network = GuardedNetwork(policy, self._deadline, resolver)
        self._pool = httpcore.ConnectionPool(
            ssl_context=certificates or public_certificates(),
            network_backend=self._network,
            max_connections=8,
            keepalive_expiry=15.0,
            retries=0,
        )

    def __enter__(self) -> "Fetcher":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._pool.close()

    def fetch(self, url: str, headers: Mapping[str, str] = MappingProxyType({})) -> Fetched:
        """Fetches one URL with GET, as ``features.fetching.fetch`` does.

        Raises:
            FetchError: with a reason out of ``REASONS``; besides, whatever ``before_hop`` raises.
        """
        self._deadline.url = url
        self._deadline.start(self.policy.timeout_seconds)
        sent = {name.lower(): value for name, value in headers.items() if name.lower() not in _OURS}
        target, passed = self.policy.check_url(url), list[str]()
        while True:
            answer = self._hop(target, sent, tuple(passed))
            if answer.status not in _REDIRECTS or answer.status in self.policy.statuses:
                return answer
            passed.append(str(target))
            if len(passed) > self.policy.max_redirects:
                detail = f"it redirects more than {self.policy.max_redirects} times"
                raise FetchError(TOO_MANY_REDIRECTS, url, detail, answer.status, answer.headers)
            onward = self._onward(target, answer)
            if _origin(onward) != _origin(target):
                sent = {name: value for name, value in sent.items() if name in _KEPT_ELSEWHERE}
            target = onward

    def _onward(self, target: httpx.URL, answer: Fetched) -> httpx.URL:
        """Returns where a redirect leads, checked as the first URL was."""
        try:
            onward = self.policy.check_url(str(target.join(answer.headers["location"])))
        except (httpx.InvalidURL, ValueError, KeyError) as e:
            raise FetchError(BAD_REDIRECT, str(target), "it redirects to what is no URL", answer.status) from e
        if (target.scheme, onward.scheme) == ("https", "http"):
            raise FetchError(BAD_REDIRECT, str(target), "it redirects from https to http", answer.status)
        return onward

    def _hop(self, target: httpx.URL, headers: Mapping[str, str], passed: tuple[str, ...]) -> Fetched:
        url = self._deadline.url = str(target)
        if self._before_hop is not None:
            hook = self._before_hop
            self._deadline.pause(lambda: hook(url))
        full = {"user-agent": USER_AGENT, "accept": ", ".join(self.policy.content_types), **headers}
        full |= {"host": target.netloc.decode("ascii"), "accept-encoding": "gzip"}
        address = httpcore.URL(scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path)
        limit = self.policy.timeout_seconds
        timeout = {"connect": limit, "read": limit, "write": limit, "pool": limit}
        try:
            request = httpcore.Request("GET", address, headers=list(full.items()), extensions={"timeout": timeout})
            with closing(self._begin(request)) as response:
                return self._read(url, response, passed)
        except httpcore.TimeoutException as e:
            raise FetchError(TIMED_OUT, url, "it took longer than allowed; try again, or allow more time") from e
        except httpcore.ConnectError as e:
            if isinstance(e.__cause__, ssl.SSLError) or isinstance(e.__context__, ssl.SSLError):
                raise FetchError(BAD_CERTIFICATE, url, "its certificate or encryption is not accepted") from e
            raise FetchError(CANNOT_CONNECT, url, "no connection; is the server up?") from e
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as e:
            raise FetchError(BROKEN_ANSWER, url, f"the answer broke off or is no HTTP ({type(e).__name__})") from e

    def _begin(self, request: httpcore.Request) -> httpcore.Response:
        """Asks, a second time where a kept connection turns out to be closed (RFC 9110, section 9.2.2)."""
        before = self._network.connections
        try:
            return self._pool.handle_request(request)
        except (httpcore.NetworkError, httpcore.ProtocolError):
            if self._network.connections > before:
                raise
            return self._pool.handle_request(request)

    def _read(self, url: str, response: httpcore.Response, passed: tuple[str, ...]) -> Fetched:
        headers: dict[str, str] = {}
        for raw_name, raw_value in response.headers:
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        answered = MappingProxyType(headers)
        media_type, charset = _content_type(headers.get("content-type", ""))
        status = response.status
        if status in _REDIRECTS or (status != 200 and status in self.policy.statuses):
            return Fetched(url, status, answered, media_type, charset, b"", passed)
        if status not in self.policy.statuses:
            expected = ", ".join(map(str, self.policy.statuses))
            raise FetchError(BAD_STATUS, url, f"status {status}; expected {expected}", status, answered)
        if not self.policy.allows_type(media_type):
            shown, expected = media_type[:100] or "nothing", ", ".join(self.policy.content_types)
            raise FetchError(WRONG_TYPE, url, f"it says it is {shown!r}; expected {expected}", status, answered)
        content = self._body(url, response, headers)
        return Fetched(url, status, answered, media_type, charset, content, passed)

    def _body(self, url: str, response: httpcore.Response, headers: Mapping[str, str]) -> bytes:
        encoding = headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("", "identity", "gzip", "x-gzip"):
            raise FetchError(WRONG_ENCODING, url, f"encoding {encoding[:50]!r}; expected gzip or none", response.status)
        most = self.policy.max_bytes
        too_large = FetchError(TOO_LARGE, url, f"it is larger than {most} bytes", response.status)
        length = headers.get("content-length", "")
        if length.isdecimal() and (len(length) > 18 or int(length) > most):
            raise too_large
        content = bytearray()
        for part in response.iter_stream():
            self._deadline.left()
            content += part
            if len(content) > most:
                raise too_large
        if encoding not in ("gzip", "x-gzip"):
            return bytes(content)
        # As much is inflated as is allowed and one byte more, whatever the rest would become.
        inflater = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        try:
            inflated = inflater.decompress(content, most + 1)
        except zlib.error as e:
            raise FetchError(BROKEN_ANSWER, url, "what it compressed cannot be decompressed", response.status) from e
        if len(inflated) > most:
            raise too_large
        if not inflater.eof:
            raise FetchError(BROKEN_ANSWER, url, "what it compressed breaks off", response.status)
        return inflated


def _content_type(header: str) -> tuple[str, str | None]:
    """Returns media type and charset (RFC 9110, section 8.3), both in lower case."""
    media_type, _, parameters = header.partition(";")
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip():
            return media_type.strip().lower(), value.strip().strip("\"'").lower()
    return media_type.strip().lower(), None


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, host_of(url), port_of(url)
