"""``DELETE /v1/visitors/{id}``: who may, what goes at once, what the next compaction takes out."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import httpx
import orjson
import pyarrow as pa
import pytest

from features.recent_rules import RecentRules
from features.segment import SegmentAdapter
from features.tombstones import Tombstones, visitor_hash
from serving.app import create_app
from serving.compaction import compact
from serving.metrics import Metrics
from serving.settings import Settings
from serving.state import Services
from serving.store import RecentEventsStore, clock_us
from tests.real_redis import RedisServer
from tests.spooled import keys_of, message, write_spool

ADMIN = {"Authorization": "Bearer the-admin-key"}


def push(url: str, *messages: dict[str, Any]) -> None:
    events = SegmentAdapter().adapt(pa.array([orjson.dumps(item) for item in messages], pa.binary()), "test").events

    async def run() -> None:
        store = RecentEventsStore(url, RecentRules())
        await store.push(events)
        await store.close()

    asyncio.run(run())


class Client:
    """Asks a service of its own for each request."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._settings = Settings(
            state_dir=folder, write_keys="the-write-key", admin_keys="the-admin-key", REDIS_URL=url
        )

    def delete(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        return asyncio.run(self._delete(path, headers))

    async def _delete(self, path: str, headers: dict[str, str] | None) -> httpx.Response:
        app = create_app(self._settings, self._open)
        transport = httpx.ASGITransport(app)
        async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://x") as ask:
            return await ask.delete(path, headers=headers)

    @asynccontextmanager
    async def _open(self, settings: Settings, metrics: Metrics) -> AsyncIterator[Services]:
        store = RecentEventsStore(self._url, RecentRules())
        yield Services(settings, metrics, store, SimpleNamespace(), SimpleNamespace())
        await store.close()


@pytest.fixture
def client(redis_url: str, tmp_path: Path) -> Client:
    return Client(redis_url, tmp_path)


def test_a_visitor_leaves_the_store_at_once_and_the_archive_with_the_next_compaction(
    client: Client, redis_url: str, tmp_path: Path
) -> None:
    before_us = clock_us()
    sent = [message("1", "a", before_us), message("2", "a", before_us, userId="42"), message("3", "b", before_us)]
    push(redis_url, *sent)
    write_spool(tmp_path / "spool", sent[:2], before_us)
    compact(tmp_path / "spool", str(tmp_path / "archive"))
    write_spool(tmp_path / "spool", sent[2:], before_us)

    answer = client.delete("/v1/visitors/a", headers=ADMIN)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert before_us <= body.pop("forgotten_until_us") <= clock_us()
    assert body == {
        "visitor": "user:42",
        "store": {"events": 2, "links": 1},
        "archive": {"status": "pending until compaction", "tombstones": 2},
    }
    again = client.delete("/v1/visitors/user:42", headers=ADMIN).json()
    assert again["store"] == {"events": 0, "links": 0}

    report = compact(tmp_path / "spool", str(tmp_path / "archive"))
    assert report.forgotten.rows == Counter(events=2)
    assert keys_of(tmp_path / "archive") == Counter({("b", "3"): 1})


def test_an_id_may_hold_anything(client: Client, tmp_path: Path) -> None:
    assert client.delete("/v1/visitors/..%2F..%2Fetc%2Fpasswd%20%C3%A9", headers=ADMIN).status_code == 200
    assert {*Tombstones.load(str(tmp_path / "archive" / "tombstones")).until_us} == {
        visitor_hash("../../etc/passwd \u00e9")
    }


@pytest.mark.parametrize("visitor", ["a\nb", "a\n", "\n"])
def test_an_id_may_hold_line_feeds(client: Client, visitor: str) -> None:
    answer = client.delete(f"/v1/visitors/{quote(visitor)}", headers=ADMIN)
    assert (answer.status_code, answer.json().get("visitor")) == (200, visitor)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer the-write-key"}, {"Authorization": "Bearer x"}])
def test_only_an_admin_key_may(client: Client, tmp_path: Path, headers: dict[str, str]) -> None:
    answer = client.delete("/v1/visitors/a", headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized")
    assert len(Tombstones.load(str(tmp_path / "archive" / "tombstones"))) == 0


def test_an_id_that_none_can_be_is_refused(client: Client) -> None:
    answer = client.delete(f"/v1/visitors/{'x' * 257}", headers=ADMIN)
    assert (answer.status_code, answer.json()["error"]) == (400, "id_too_long")
    assert client.delete("/v1/visitors/", headers=ADMIN).status_code in (400, 404)


def test_a_store_that_is_away_is_said_and_the_archive_forgets(
    new_redis: Callable[..., RedisServer], tmp_path: Path
) -> None:
    server = new_redis()
    server.kill()
    answer = Client(server.url, tmp_path).delete("/v1/visitors/a", headers=ADMIN)
    assert (answer.status_code, answer.json()["error"]) == (503, "store_unavailable")
    assert answer.json()["archive"] == {"status": "pending until compaction", "tombstones": 1}
    assert {*Tombstones.load(str(tmp_path / "archive" / "tombstones")).until_us} == {visitor_hash("a")}


def test_an_archive_that_takes_no_tombstone_is_said_and_nothing_is_removed(
    client: Client, redis_url: str, tmp_path: Path
) -> None:
    (tmp_path / "archive").write_text("a file")
    push(redis_url, message("1", "a", clock_us()))
    answer = client.delete("/v1/visitors/a", headers=ADMIN)
    assert (answer.status_code, answer.json()["error"]) == (503, "archive_unavailable")
    (tmp_path / "archive").unlink()
    assert client.delete("/v1/visitors/a", headers=ADMIN).json()["store"]["events"] == 1
