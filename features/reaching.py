"""Whether a cloud storage can be reached at all, found out once, before its client tries for minutes.

The client of ``gs://`` tries six times whatever happens, and looks for credentials on the network besides; it has no
option for either. Once the storage was reached, its tries are what carries a job over a short interruption.
"""

import os
import socket
import threading
import time
from functools import cache
from queue import Empty, SimpleQueue
from urllib.parse import urlsplit

import fsspec

REACH_SECONDS = 15.0
"""How long a storage that does not answer is tried."""

_FIRST_PAUSE_SECONDS = 0.5
_GOOGLE = "https://storage.{}"
_PORTS = {"http": 80, "https": 443}


class UnreachableError(ConnectionError):
    """A storage to which no connection can be made."""


def on_google(path: str) -> bool:
    """Says whether a path is a ``gs://`` URL; nothing is asked, and no credentials are looked for."""
    return path.startswith(("gs://", "gcs://"))


def reach(path: str) -> None:
    """Returns when the storage of a ``gs://`` URL can be connected to; at once for another path, or if it was before.

    Where fsspec is configured to reach it in a way of its own (a proxy, say), that is left to it.

    Raises:
        UnreachableError: it cannot, for ``REACH_SECONDS``.
    """
    if not on_google(path) or any(fsspec.config.conf.get(name) for name in ("gs", "gcs")):
        return
    given = os.environ.get("STORAGE_EMULATOR_HOST", "")
    if given in ("", "default"):
        given = _GOOGLE.format(os.environ.get("GOOGLE_CLOUD_UNIVERSE_DOMAIN") or "googleapis.com")
    url = urlsplit(given if given.startswith(("http://", "https://")) else f"http://{given}")
    _connect(url.hostname or "", url.port or _PORTS[url.scheme])


@cache
def _connect(host: str, port: int) -> None:
    """Tries in a thread, because looking up a name cannot be given a time limit."""
    said: SimpleQueue[OSError | None] = SimpleQueue()
    deadline = time.monotonic() + REACH_SECONDS
    threading.Thread(target=_try, args=(host, port, deadline, said), daemon=True).start()
    try:
        error = said.get(timeout=REACH_SECONDS)
    except Empty:
        error = TimeoutError("no answer")
    if error is not None:
        reason = error.strerror or str(error)
        raise UnreachableError(f"{host}:{port} cannot be reached ({reason}); check the network") from error


def _try(host: str, port: int, deadline: float, said: SimpleQueue[OSError | None]) -> None:
    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            socket.create_connection((host, port), timeout=max(deadline - time.monotonic(), 0.1)).close()
        except OSError as e:
            if time.monotonic() + pause >= deadline:
                said.put(e)
                return
            time.sleep(pause)
            pause *= 2
        else:
            said.put(None)
            return
