"""What the console of a worker holds: ``request.app.state.console``."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import Request

from serving.addresses import Proxies
from serving.console.attempts import Attempts
from serving.console.promotions import Promotions
from serving.console.secret import signing_key
from serving.console.sessions import Sessions
from serving.console.throughput import Throughput
from serving.state import Services


@dataclass
class Console:
    """Everything that a page may need besides the services.

    Attributes:
        sessions: who is signed in.
        attempts: who tried to and failed.
        proxies: whose word about addresses and https is believed.
        throughput: what collection took during the last minutes.
        promotions: starts promotions and tells how they go.
    """

    sessions: Sessions
    attempts: Attempts
    proxies: Proxies
    throughput: Throughput
    promotions: Promotions


@asynccontextmanager
async def open_console(services: Services) -> AsyncIterator[Console]:
    """Opens the console of a worker, and closes it when the block ends.

    Raises:
        ConsoleKeyError: its secret cannot be kept.
    """
    settings = services.settings
    console = Console(
        sessions=Sessions(signing_key(settings), settings.console_hours * 3600),
        attempts=Attempts(),
        proxies=Proxies(settings.trusted_proxies),
        throughput=Throughput(services.metrics),
        promotions=Promotions(settings.state_dir / "console"),
    )
    try:
        yield console
    finally:
        await console.throughput.close()
        await console.promotions.close()


def console(request: Request) -> Console:
    """Returns the worker's console."""
    found: Console = request.app.state.console
    return found
