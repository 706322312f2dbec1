"""A real Redis server for the tests of the fast store's rules."""

from collections.abc import Iterator

import pytest

from tests.real_redis import RedisServer, running_server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    with running_server() as server:
        yield server
