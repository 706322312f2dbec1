import asyncio
import json
import logging

import httpx
import pytest
from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse

from serving.errors import install_error_handlers
from serving.metrics import Metrics
from serving.middleware import Watch


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def app(metrics: Metrics) -> FastAPI:
    app = FastAPI(middleware=[Middleware(Watch, metrics=metrics, access_log=True)])
    install_error_handlers(app)

    @app.get("/visitors/{visitor}")
    async def visitor(visitor: str, count: int = 0) -> dict:
        return {"visitor": visitor, "left": 1 // (1 - count)}

    @app.get("/half")
    async def half() -> StreamingResponse:
        def parts():
            yield b"x"
            raise RuntimeError("late")

        return StreamingResponse(parts())

    return app


def get(app: FastAPI, path: str) -> httpx.Response:
    async def run() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.get(path)

    return asyncio.run(run())


def counted(metrics: Metrics, **labels: str) -> float | None:
    return metrics.registry.get_sample_value("augury_request_seconds_count", {"method": "GET", **labels})


def test_requests_are_counted_and_logged_by_their_route(
    app: FastAPI, metrics: Metrics, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.INFO, "serving.requests"):
        assert get(app, "/visitors/somebody").status_code == 200
    assert counted(metrics, route="/visitors/{visitor}", status="200") == 1
    [record] = caplog.records
    assert (record.method, record.route, record.status) == ("GET", "/visitors/{visitor}", 200)
    assert "somebody" not in str(record.__dict__)


def test_a_defect_is_a_500_of_the_usual_shape(app: FastAPI, metrics: Metrics, caplog: pytest.LogCaptureFixture):
    response = get(app, "/visitors/somebody?count=1")
    assert response.status_code == 500
    assert response.json()["error"] == "internal_error"
    assert counted(metrics, route="/visitors/{visitor}", status="500") == 1
    assert "a request failed" in caplog.text


def test_a_defect_after_the_answer_began_ends_it(app: FastAPI):
    with pytest.raises(RuntimeError, match="late"):
        get(app, "/half")


def test_an_invalid_value_is_named_but_not_repeated(app: FastAPI):
    response = get(app, "/visitors/somebody?count=secret")
    assert response.status_code == 400
    body = response.json()
    assert (body["error"], body["fields"][0]["where"]) == ("invalid_request", "query.count")
    assert "secret" not in json.dumps(body)


def test_a_client_that_did_not_wait_is_counted_and_no_defect(metrics: Metrics, caplog: pytest.LogCaptureFixture):
    async def gone(scope: object, receive: object, send: object) -> None:
        raise ClientDisconnect

    asyncio.run(Watch(gone, metrics)({"type": "http", "method": "GET"}, None, None))
    assert counted(metrics, route="none", status="499") == 1
    assert caplog.text == ""
