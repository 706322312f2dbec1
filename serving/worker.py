"""A worker: answers requests on a socket that the supervisor opened. ``python -m serving.worker``."""

import argparse
import asyncio
import gc
import os
import signal
import socket
import sys
from types import FrameType

import uvicorn

from features.errors import AuguryError
from models.registry import Registry
from serving.app import create_app
from serving.logs import set_up_logs
from serving.server import server_config
from serving.settings import Settings, load_settings

_ALLOCATIONS = 20_000  # between looks for garbage: a batch of events is some thousands of objects

_KEEP_ALIVE_SECONDS = 75  # longer than the usual load balancer's 60, so that it is the one to close


class _Server(uvicorn.Server):
    """Says when it is ready, and stops when the supervisor is gone."""

    def __init__(self, config: uvicorn.Config, lifeline: int, ready: int) -> None:
        super().__init__(config)
        self._lifeline, self._ready = lifeline, ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # What is there now stays: without it, collections have only requests to look through, and seldom any to keep.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_ALLOCATIONS)
        asyncio.get_running_loop().add_reader(self._lifeline, self._orphaned)
        os.write(self._ready, b"+")
        os.close(self._ready)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if sig != signal.SIGINT:  # Ctrl-C in a terminal reaches every process; the supervisor decides what it means
            super().handle_exit(sig, frame)

    def _orphaned(self) -> None:
        asyncio.get_running_loop().remove_reader(self._lifeline)
        self.should_exit = True


def _predicts(settings: Settings) -> bool:
    """Whether models of ``behavior`` will be loaded, so that TensorFlow is better imported before any thread."""
    names = settings.names_of("behavior")
    if settings.registry is None or names is None:
        return False
    try:
        return bool(names or Registry(settings.registry).names("behavior"))
    except (AuguryError, OSError):  # the shelf will say so, and look again
        return True


def main(arguments: list[str]) -> None:
    """Serves until it is told to stop, then finishes what is under way."""
    parser = argparse.ArgumentParser(prog="python -m serving.worker")
    for name in ("listener", "lifeline", "ready"):
        parser.add_argument(f"--{name}", type=int, required=True, help="file descriptor")
    given = parser.parse_args(arguments)
    settings = load_settings()
    set_up_logs(settings.log_level)
    if _predicts(settings):
        from models.behavior.silence import import_tensorflow

        import_tensorflow()
    config = server_config(
        create_app(settings),
        loop="uvloop",
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=max(1, round(settings.shutdown_seconds)),
    )
    listener = socket.socket(fileno=given.listener)
    _Server(config, given.lifeline, given.ready).run(sockets=[listener])


if __name__ == "__main__":
    main(sys.argv[1:])
