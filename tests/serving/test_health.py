"""Readiness follows what the service depends on, whether or not anybody uses it."""

from collections.abc import Callable
from pathlib import Path

from tests.real_redis import RedisServer
from tests.running_service import eventually, running_service


def test_a_store_that_goes_away_while_nobody_uses_it_is_noticed(tmp_path: Path, new_redis: Callable[..., RedisServer]):
    redis = new_redis()
    with running_service(tmp_path, {"REDIS_URL": redis.url}) as service, service.client() as client:
        assert client.get("/readyz").status_code == 200
        redis.kill()
        eventually(lambda: client.get("/readyz").status_code == 503)
        assert client.get("/readyz").json()["missing"] == ["store"]
        eventually(lambda: "augury_store_up 0.0" in client.get("/metrics").text)
        redis.start()
        eventually(lambda: client.get("/readyz").status_code == 200)
