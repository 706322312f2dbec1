"""``augury serve``: the processes of the service, from the first to the last.

The supervisor opens the port and keeps it, so that connections wait while workers come and go; starts the embedded
store where no ``REDIS_URL`` is set, the workers and the compactor; starts again whatever dies; and on SIGTERM or Ctrl-C
lets the workers finish, then ends the rest. If the supervisor itself is killed, a pipe that only it holds tells the
others to stop.
"""

import asyncio
import contextlib
import logging
import os
import resource
import select
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from prometheus_client import multiprocess

from features.cleaning_file import read_cleaning_rules
from features.errors import AuguryError
from serving.archive import SpoolArchive
from serving.assembly import recent_rules
from serving.children import Child, wait_for
from serving.collection import collection_rules
from serving.embedded import EmbeddedStore
from serving.metrics import MULTIPROCESS
from serving.settings import Settings, SettingsError

_LOOK_SECONDS = 0.25
_KILL_SECONDS = 5.0  # beyond what a worker allows its requests
_BACKLOG = 2048
_OPEN_FILES = 65_536

_log = logging.getLogger(__name__)


class ServeError(AuguryError, RuntimeError):
    """The service cannot be started."""


def serve(settings: Settings, announce: Callable[[str], None]) -> None:
    """Runs the service until SIGTERM or SIGINT.

    Args:
        settings: those of the environment; the workers read it again.
        announce: told the service's URL once it answers.

    Raises:
        SettingsError: settings that cannot be followed.
        ServeError: the port is taken, or no worker can start.
        AuguryError: the archive or the embedded store cannot be used.
    """
    _check(settings)
    _raise_limit_of_files()
    with ExitStack() as stack:
        signals = stack.enter_context(_signals())
        listener = stack.enter_context(_listen(settings))
        # Only this process holds the writing end: when it ends, however it ends, the reading end says so.
        lifeline, held = os.pipe()
        stack.callback(os.close, lifeline)
        stack.callback(os.close, held)
        environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
        environment[MULTIPROCESS] = stack.enter_context(tempfile.TemporaryDirectory(prefix="augury-metrics-"))
        store = None
        if not settings.redis_url:
            store = stack.enter_context(EmbeddedStore(settings.state_dir / "store"))
            environment["REDIS_URL"] = store.url
        given = {"listener": listener.fileno(), "lifeline": lifeline}
        workers = [Child(f"worker {i + 1}", "serving.worker", given, environment) for i in range(settings.workers)]
        others = []
        if not settings.pubsub_topic:
            others.append(Child("compactor", "serving.compactor", {"lifeline": lifeline}, environment))
        for child in (*workers, *others):
            stack.callback(child.close)
        host, port = listener.getsockname()[:2]
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        _Supervision(workers, others, store, signals, environment[MULTIPROCESS]).run(lambda: announce(url))
        _log.info("stopping")
        for step, seconds in ((workers, settings.shutdown_seconds + _KILL_SECONDS), (others, _KILL_SECONDS)):
            for child in step:
                child.send(signal.SIGTERM)
            for child in wait_for(step, seconds, lambda: signals.count > 1):
                _log.error("%s did not stop in time and is killed", child.name)
                child.close()


def _raise_limit_of_files() -> None:
    """Lets the workers, which inherit it, hold more connections than the usual limit of 1024 open files.

    Beyond the limit no file of the spool can be opened either, so that idle connections would stop collection.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):  # a system that allows less than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _Signals:
    """How often the process was told to stop."""

    def __init__(self, wake: int) -> None:
        self.count = 0
        self._wake = wake

    def wait(self, seconds: float) -> None:
        """Waits until a signal comes or the time is over."""
        if select.select([self._wake], [], [], seconds)[0]:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake, 4096)

    def note(self, *_: object) -> None:
        self.count += 1


class _Supervision:
    """Keeps children running until it is told to stop."""

    def __init__(
        self,
        workers: list[Child],
        others: list[Child],
        store: EmbeddedStore | None,
        signals: _Signals,
        metrics_folder: str,
    ) -> None:
        self._workers, self._others, self._store, self._signals = workers, others, store, signals
        self._metrics_folder = metrics_folder

    def run(self, announce: Callable[[], None]) -> None:
        """Returns when the process is told to stop.

        Raises:
            ServeError: a worker ended before any was ready.
        """
        announced = False
        while not self._signals.count:
            for child in (*self._workers, *self._others):
                self._look_after(child)
            if not announced and any(worker.was_ready for worker in self._workers):
                announced = True
                announce()
            self._look_after_store()
            self._signals.wait(_LOOK_SECONDS if announced else 0.05)

    def _look_after(self, child: Child) -> None:
        pid = child.pid
        code = child.look()
        if code is not None:
            if child in self._workers:
                multiprocess.mark_process_dead(pid, self._metrics_folder)  # type: ignore[no-untyped-call]
                if not any(worker.was_ready for worker in self._workers):
                    raise ServeError(f"{child.name} ended with code {code} before it was ready; the log above says why")
            _log.error("%s ended with code %d and is started again", child.name, code)
        if child.due():
            child.start(says_ready=child in self._workers)

    def _look_after_store(self) -> None:
        if self._store is None or self._store.alive:
            return
        _log.error("the embedded store ended and is started again")
        try:
            self._store.revive()
        except AuguryError as e:
            _log.error("the embedded store cannot be started: %s", e)


def _check(settings: Settings) -> None:
    """Refuses what a worker would fail at, before there is one."""
    if not settings.write_keys:
        raise SettingsError(
            "AUGURY_WRITE_KEYS is not set, so nobody could send events; give one or more keys, separated by commas"
        )
    recent_rules(settings)
    collection_rules(settings, read_cleaning_rules(settings.cleaning))
    if settings.recommend_rules is not None:
        from models.creative.brand_rules import BrandRules  # with OpenCV, which nobody else needs here

        BrandRules.read(settings.recommend_rules)
    if not settings.pubsub_topic:
        asyncio.run(_try_archive(settings))


async def _try_archive(settings: Settings) -> None:
    archive = SpoolArchive(settings.spool)
    try:
        await archive.check()
    finally:
        await archive.close()


@contextmanager
def _listen(settings: Settings) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
            listener.listen(_BACKLOG)
        except OSError as e:
            raise ServeError(
                f"cannot listen on {settings.host} port {settings.port} ({e.strerror}); set AUGURY_HOST and AUGURY_PORT"
            ) from e
        yield listener


@contextmanager
def _signals() -> Iterator[_Signals]:
    """Counts SIGTERM and SIGINT, and wakes a ``select`` on them and on the end of a child."""
    wake, waker = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(waker, False)
    signals = _Signals(wake)
    before = {number: signal.signal(number, signals.note) for number in (signal.SIGTERM, signal.SIGINT)}
    before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
    previous = signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    try:
        yield signals
    finally:
        signal.set_wakeup_fd(previous)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(wake)
        os.close(waker)
