"""Whose address a request comes from, believing proxies only where the settings say so."""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

from starlette.types import Scope

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Proxies:
    """The proxies whose ``X-Forwarded-For`` is believed."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        self._networks = [ipaddress.ip_network(network) for network in networks]

    def visitor_address(self, scope: Scope) -> str | None:
        """Returns the address that a request comes from; None where it is unknown (a unix socket).

        The last address that no believed proxy has is it: what stands before it, anybody may have written.
        """
        client = scope.get("client")
        address: str | None = client[0] if client else None
        if address is None or not self._networks or not self._believed(address):
            return address
        values = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        for part in reversed(b",".join(values).decode("latin-1").split(",")):
            found = _address(part.strip())
            if found is None:
                return address
            address = str(found)
            if not self._believed(address):
                return address
        return address

    def forwarded_https(self, scope: Scope) -> bool:
        """Says whether a believed proxy tells that the visitor came to it over https."""
        client = scope.get("client")
        if client is None or not self._believed(client[0]):
            return False
        values = [value for name, value in scope["headers"] if name == b"x-forwarded-proto"]
        return b",".join(values).rpartition(b",")[2].strip().lower() == b"https"

    def _believed(self, text: str) -> bool:
        address = _address(text)
        return address is not None and any(address in network for network in self._networks)


@lru_cache(maxsize=4096)
def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    if text.startswith("["):  # some proxies write [2001:db8::1]:443
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text[:64])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, ipaddress.IPv6Address) else found
