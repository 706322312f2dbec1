"""One retraining of a model at a time: a lock that a killed process does not keep.

On a local disk it is ``flock``: the system lets go of it when the last process that shares it is gone, which are this
one and the job that it runs, so that nobody goes on beside a training that outlived its parent. A registry on Google
Cloud Storage has a lease beside it: an object that is changed only against its generation, renewed while the run lasts,
and free again some minutes after the last renewal. Machines that share such a registry must agree on the time.
"""

import errno
import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from augury.retraining.errors import RunError
from features.errors import AuguryError
from features.storage import explained
from models.pointer import Held, open_pointer
from models.registry import user

LEASE_SECONDS = 600.0
_RENEWALS = 6.0
"""How often a lease is renewed in the time that it lasts."""


def _who() -> dict[str, Any]:
    return {"by": user(), "host": socket.gethostname(), "pid": os.getpid()}


def _told(holder: dict[str, Any]) -> str:
    since = datetime.fromtimestamp(float(holder.get("since", 0)), UTC)
    who = f"{holder.get('by', 'somebody')} on {holder.get('host', 'a machine')}, process {holder.get('pid', '?')}"
    return f"{who}, since {since:%Y-%m-%d %H:%M:%S} UTC"


@contextmanager
def file_lock(path: str, what: str) -> Iterator[int]:
    """Holds the local file ``path``, and yields its descriptor, which a job shares so as to hold it as well.

    Raises:
        RunError: somebody else holds it; it says who and since when.
        StorageError: the file cannot be made.
    """
    with explained(path, "write"):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            if e.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
            raise RunError(
                f"{what} is being retrained already by {_told(_read(descriptor))}, or by a job of it that still runs; "
                f"wait for it, or end it (lock {path})"
            ) from e
        with explained(path, "write"):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps({**_who(), "since": time.time()}).encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def _read(descriptor: int) -> dict[str, Any]:
    try:
        found = json.loads(os.pread(descriptor, 4096, 0))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


class Lease:
    """A lease on an object of Google Cloud Storage.

    Args:
        path: of the object, ``gs://``.
        what: is held, for messages.
        seconds: that it lasts after each renewal.
        now: the clock, seconds since 1970.
    """

    def __init__(
        self, path: str, what: str, seconds: float = LEASE_SECONDS, now: Callable[[], float] = time.time
    ) -> None:
        self._pointer, self._path, self._what = open_pointer(path), path, what
        self._seconds, self._now = seconds, now
        self._mine: dict[str, Any] = {}
        self._held, self._until = Held(None, 0), 0.0
        self._over = threading.Event()
        self._lost: str | None = None
        self._renewer: threading.Thread | None = None

    def take(self) -> None:
        """Takes the lease and has it renewed in the background.

        Raises:
            RunError: somebody else holds it; it says who, since when and until when.
        """
        held = self._pointer.read()
        holder = _parsed(held.content)
        until = float(holder.get("until", 0.0))
        if until > self._now():
            raise RunError(
                f"{self._what} is being retrained already by {_told(holder)}; wait for it. If it was killed, its lease "
                f"{self._path} is over at {datetime.fromtimestamp(until, UTC):%H:%M:%S} UTC"
            )
        self._mine = {**_who(), "since": self._now(), "token": os.urandom(8).hex(), "renewals": 0}
        if not self._swap(held):
            raise RunError(f"{self._what} is being retrained already: somebody took {self._path} just now; wait for it")
        self._renewer = threading.Thread(target=self._renew_on, name="lease", daemon=True)
        self._renewer.start()

    def check(self) -> None:
        """Refuses to go on where the lease was lost.

        Raises:
            RunError: it was, as when this machine slept for longer than it lasts.
        """
        if self._lost is not None:
            raise RunError(f"the lease {self._path} was lost ({self._lost}); run again, it goes on where it is")

    def give_back(self) -> None:
        """Ends the lease at once."""
        self._over.set()
        if self._renewer is not None:
            self._renewer.join()
        if self._lost is None:
            with suppress(AuguryError):  # it ends by itself
                self._pointer.swap(self._held, json.dumps({**self._mine, "renewals": -1, "until": 0.0}).encode())

    def _swap(self, held: Held) -> bool:
        until = self._now() + self._seconds
        self._mine["renewals"] += 1  # no two contents are alike, as the pointer wants it
        content = json.dumps({**self._mine, "until": until}).encode()
        if not self._pointer.swap(held, content):
            return False
        self._held, self._until = self._pointer.read(), until
        return self._held.content == content

    def _renew_on(self) -> None:
        while not self._over.wait(self._seconds / _RENEWALS):
            try:
                if not self._swap(self._held):
                    self._lost = "somebody else has taken it"
                    return
            except AuguryError as e:
                if self._now() > self._until:
                    self._lost = str(e)
                    return


def _parsed(content: bytes | None) -> dict[str, Any]:
    try:
        found = json.loads(content or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
