"""What tests of the service share: a real fast store."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.real_redis import RedisServer, running_server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """One server for the whole run; ``redis_url`` empties it for each test."""
    with running_server() as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """Where an empty server listens."""
    with redis_server.client() as client:
        client.flushall()
    return redis_server.url


@pytest.fixture
def new_redis() -> Iterator[Callable[..., RedisServer]]:
    """Starts a server for this test alone, to be killed, frozen and started again; takes the server's options."""
    with ExitStack() as stack:
        yield lambda *options: stack.enter_context(running_server(*options))
