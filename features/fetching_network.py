"""Connections for fetching: only to addresses that were checked, and none longer than its deadline."""

import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

import httpcore
import httpx

from features.fetching_policy import ADDRESS_NOT_ALLOWED, CANNOT_RESOLVE, TIMED_OUT, FetchError, FetchPolicy
from features.public_addresses import allowed_address, literal_address

Resolver = Callable[[str, int], Sequence[str]]
"""(host, port) -> its addresses in the order they are to be tried; OSError where there are none."""

CONNECT_SECONDS = 10.0
_MOST_ADDRESSES = 8
_OPTION = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


class Deadline:
    """When the request that is under way must be done; ``url`` is the one that errors are about."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._end, self.url = clock, 0.0, ""

    def start(self, seconds: float) -> None:
        """Begins to count."""
        self._end = self._clock() + seconds

    def pause(self, work: Callable[[], object]) -> None:
        """Does something that does not count."""
        before = self._clock()
        work()
        self._end += self._clock() - before

    def left(self, most: float | None = None) -> float:
        """Returns the seconds left, at most ``most``.

        Raises:
            FetchError: none are.
        """
        left = self._end - self._clock()
        if left <= 0:
            raise FetchError(TIMED_OUT, self.url, "it took longer than allowed; try again, or allow more time")
        return left if most is None else min(left, most)


def system_resolver(host: str, port: int) -> Sequence[str]:
    """Asks the machine's resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@cache
def public_certificates() -> ssl.SSLContext:
    """Returns what certificates are checked against: the public authorities, whatever the environment says."""
    return httpx.create_ssl_context(trust_env=False)


class GuardedNetwork(httpcore.NetworkBackend):
    """Looks a host up, checks every address found, and connects to the very addresses that were checked.

    Since nothing is looked up twice, an answer that changes between check and connection (DNS rebinding) gains nothing.
    One address that is not allowed refuses the host: who publishes both means no good, or is misconfigured.

    Attributes:
        connections: how many it was asked for so far.
    """

    def __init__(self, policy: FetchPolicy, deadline: Deadline, resolver: Resolver = system_resolver) -> None:
        self._policy, self._deadline, self._resolver = policy, deadline, resolver
        self._inner, self.connections = httpcore.SyncBackend(), 0

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        self.connections += 1
        addresses = self._checked(host, port)
        for tried, address in enumerate(addresses, 1):
            try:
                left = self._deadline.left(CONNECT_SECONDS)
                stream = self._inner.connect_tcp(address, port, left, local_address, socket_options)
                return _TimedStream(stream, self._deadline)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if tried == len(addresses):
                    raise
        raise AssertionError("a host without addresses is refused before")

    def _checked(self, host: str, port: int) -> list[str]:
        """Returns the addresses of a host, at least one, all allowed."""
        url, literal = self._deadline.url, literal_address(host)
        given = [str(literal)] if literal is not None else self._resolved(host, port)
        for text in given:
            address = literal_address(text)
            if address is None or not allowed_address(address, self._policy.allow_private):
                raise FetchError(ADDRESS_NOT_ALLOWED, url, f"{host} is, or also is, at an address that is not public")
        if not given:
            raise FetchError(CANNOT_RESOLVE, url, f"{host} has no address; check the name")
        return given[:_MOST_ADDRESSES]

    def _resolved(self, host: str, port: int) -> list[str]:
        # The system's resolver takes no time limit, so it is waited for from outside.
        answer: queue.SimpleQueue[Sequence[str] | Exception] = queue.SimpleQueue()

        def ask() -> None:
            try:
                answer.put(self._resolver(host, port))
            except Exception as e:  # noqa: BLE001 - raised again below, where it can be seen
                answer.put(e)

        threading.Thread(target=ask, name="resolver", daemon=True).start()
        try:
            found = answer.get(timeout=self._deadline.left(CONNECT_SECONDS))
        except queue.Empty:
            raise FetchError(TIMED_OUT, self._deadline.url, f"looking up {host} took too long; try again") from None
        if isinstance(found, (OSError, UnicodeError)):
            raise FetchError(CANNOT_RESOLVE, self._deadline.url, f"{host} cannot be found; check the name") from found
        if isinstance(found, Exception):
            raise found
        return list(found)


class _TimedStream(httpcore.NetworkStream):
    """A connection on which nothing lasts beyond the deadline, however little comes at a time."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._inner, self._deadline = inner, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._deadline.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._deadline.left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = self._deadline.left(CONNECT_SECONDS)
        return _TimedStream(self._inner.start_tls(ssl_context, server_hostname, left), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
