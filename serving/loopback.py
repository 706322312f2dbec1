"""A service of one's own on a loopback port: the real app over real HTTP and a real fast store, gone afterwards."""

import secrets
import socket
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import uvicorn
from pydantic import SecretStr

from features.errors import AuguryError
from serving.app import create_app
from serving.assembly import open_services
from serving.embedded import EmbeddedStore
from serving.metrics import Metrics
from serving.server import server_config
from serving.settings import Settings, load_settings
from serving.state import Services

_START_SECONDS = 120.0
_PAUSE_SECONDS = 0.01


class LoopbackError(AuguryError, RuntimeError):
    """A service of one's own that did not start."""


class Loopback(NamedTuple):
    """A running service.

    Attributes:
        host: of the address to connect to.
        port: of it.
        admin_key: may ask for everything.
        settings: as the service has them; ``redis_url`` is its fast store.
    """

    host: str
    port: int
    admin_key: str
    settings: Settings


@contextmanager
def loopback_service(**given: Any) -> Iterator[Loopback]:
    """Runs the service in a thread, with an embedded store and a folder that is removed afterwards.

    Args:
        given: settings; the admin key and those about where things are kept are set here, and there is no write key
            unless given.

    Raises:
        LoopbackError: it did not start.
        AuguryError: a setting that cannot be, or no embedded store.
    """
    with (
        tempfile.TemporaryDirectory(prefix="augury-loopback-") as folder,
        EmbeddedStore(Path(folder, "store")) as store,
    ):
        key = secrets.token_urlsafe(24)
        here = {
            "redis_url": store.url,
            "state_dir": Path(folder),
            "archive": f"{folder}/archive",
            "pubsub_topic": None,
            "admin_keys": (SecretStr(key),),
        }
        settings = load_settings({}, **{"write_keys": (), "console": False, **given, **here})
        with socket.create_server(("127.0.0.1", 0)) as listener, _serving(settings, listener):
            host, port = listener.getsockname()
            yield Loopback(host, port, key, settings)


@contextmanager
def _serving(settings: Settings, listener: socket.socket) -> Iterator[None]:
    problem: Exception | None = None

    @asynccontextmanager
    async def opener(settings: Settings, metrics: Metrics) -> AsyncIterator[Services]:
        try:
            async with open_services(settings, metrics) as services:
                yield services
        except Exception as e:
            nonlocal problem
            problem = e
            raise

    server = uvicorn.Server(server_config(create_app(settings, opener)))

    def run() -> None:
        with suppress(SystemExit):  # what uvicorn makes of a start that failed; ``problem`` says why
            server.run(sockets=[listener])

    thread = threading.Thread(target=run, name="loopback service", daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not server.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                if isinstance(problem, AuguryError):
                    raise problem
                raise LoopbackError("the service did not start on a loopback port") from problem
            time.sleep(_PAUSE_SECONDS)
        yield
    finally:
        server.should_exit = True
        thread.join()
