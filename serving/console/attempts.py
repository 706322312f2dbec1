"""How often somebody may try to sign in with a wrong key: few times from one address, not too often from all."""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

_EACH = 5
_ALL = 200
_SECONDS = 300.0
_MOST_ADDRESSES = 4096


class Attempts:
    """Failed tries of the last minutes, of one worker; for the tasks of one event loop.

    Args:
        now: the clock, seconds.
        each: failures from one address within five minutes; an IPv6 network of 64 bits counts as one.
        all_of_them: failures from anywhere within that time.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic, each: int = _EACH, all_of_them: int = _ALL) -> None:
        self._now, self._each, self._all = now, each, all_of_them
        self._failed: OrderedDict[str, list[float]] = OrderedDict()

    def wait(self, address: str | None) -> float:
        """Returns for how many seconds an address may not try; 0: it may now."""
        self._forget()
        everybody = sorted(moment for moments in self._failed.values() for moment in moments)
        own = self._failed.get(_network(address), [])
        waits = [
            moments[len(moments) - most] + _SECONDS - self._now()
            for moments, most in ((own, self._each), (everybody, self._all))
            if len(moments) >= most
        ]
        return max(waits, default=0.0)

    def failed(self, address: str | None) -> None:
        """Counts a try with a wrong key."""
        key = _network(address)
        self._failed.setdefault(key, []).append(self._now())
        self._failed.move_to_end(key)
        while len(self._failed) > _MOST_ADDRESSES:
            self._failed.popitem(last=False)

    def _forget(self) -> None:
        oldest = self._now() - _SECONDS
        for key in list(self._failed):
            kept = [moment for moment in self._failed[key] if moment > oldest]
            if kept:
                self._failed[key] = kept
            else:
                del self._failed[key]


def _network(address: str | None) -> str:
    """Returns what tries are counted by: whoever has one IPv6 address has the 64 bits behind it, too."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return address or ""
    return str(found) if found.version == 4 else str(ipaddress.ip_network(f"{found}/64", strict=False))
