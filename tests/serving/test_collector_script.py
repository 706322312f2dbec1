"""What a page fetches before it sends anything."""

import asyncio
import gzip
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from serving import collector_script
from serving.auth import KeyRing
from serving.errors import install_error_handlers
from serving.settings import Settings

SCRIPT = (Path(collector_script.__file__).parent / "static" / "augury.js").read_bytes()


class Client:
    """Asks an app that has our routes and nothing else."""

    def __init__(self) -> None:
        self._app = FastAPI()
        self._app.state.keys = KeyRing(Settings(write_keys=("key-1", "key/2")))
        self._app.include_router(collector_script.router)
        install_error_handlers(self._app)

    def get(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://collect.example:8000") as client:
                return await client.get(path, headers=headers)

        return asyncio.run(ask())


@pytest.fixture
def client() -> Client:
    return Client()


def test_the_script_is_compressed_for_those_who_can_read_that(client: Client) -> None:
    packed = client.get("/augury.js", headers={"Accept-Encoding": "br, gzip;q=0.5"})
    assert packed.status_code == 200
    assert packed.content == SCRIPT
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["content-type"] == "text/javascript; charset=utf-8"
    assert packed.headers["cache-control"] == "public, max-age=3600, stale-while-revalidate=86400"
    assert packed.headers["vary"] == "Accept-Encoding"
    assert int(packed.headers["content-length"]) == len(gzip.compress(SCRIPT, 9, mtime=0)) <= 5120
    for refusing in ("identity", "gzip;q=0", "gzip ; q=0.000, *", ""):
        plain = client.get("/augury.js", headers={"Accept-Encoding": refusing})
        assert (plain.content, plain.headers.get("content-encoding")) == (SCRIPT, None)


def test_the_script_is_not_sent_again(client: Client) -> None:
    tag = client.get("/augury.js").headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}'):
        again = client.get("/augury.js", headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert client.get("/augury.js", headers={"If-None-Match": '"other"'}).status_code == 200


def test_any_page_may_load_the_script(client: Client) -> None:
    headers = client.get("/augury.js", headers={"Origin": "https://shop.example"}).headers
    assert headers["access-control-allow-origin"] == "*"
    assert headers["cross-origin-resource-policy"] == "cross-origin"
    assert headers["x-content-type-options"] == "nosniff"


def test_settings_send_segments_library_here(client: Client) -> None:
    answer = client.get("/v1/projects/key-1/settings")
    assert answer.status_code == 200
    document = answer.json()
    segment = document["integrations"]["Segment.io"]
    assert (segment["apiKey"], segment["apiHost"], segment["protocol"]) == ("key-1", "collect.example:8000/v1", "http")
    assert list(document["integrations"]) == ["Segment.io"]
    assert document["metrics"]["sampleRate"] == 0
    assert answer.headers["cache-control"] == "private, max-age=300"


def test_settings_name_the_host_and_scheme_that_were_asked(client: Client) -> None:
    document = client.get("https://stats.shop.example/v1/projects/key-1/settings").json()
    segment = document["integrations"]["Segment.io"]
    assert (segment["apiHost"], segment["protocol"]) == ("stats.shop.example/v1", "https")
    document = client.get("http://[::1]:8000/v1/projects/key-1/settings").json()
    assert document["integrations"]["Segment.io"]["apiHost"] == "[::1]:8000/v1"


def test_settings_of_an_unknown_key_are_none(client: Client) -> None:
    answer = client.get("/v1/projects/key-3/settings")
    assert answer.status_code == 404
    assert answer.json()["error"] == "unknown_write_key"
    assert "key-3" not in answer.text


def test_settings_repeat_nothing_that_is_no_host(client: Client) -> None:
    answer = client.get("/v1/projects/key-1/settings", headers={"Host": 'evil"><script>'})
    assert "evil" not in answer.text
