"""Predictions over HTTP, from a running service with a real store: exactly what training would have computed."""

import asyncio
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import redis
from pydantic import SecretStr

from features.recent_events import encode_events, push_events
from features.segment import adapt_messages
from models.behavior.loaded import LoadedModel, load_model
from models.behavior.scoring import History, score
from models.registry import Registry
from serving.assembly import recent_rules
from serving.loopback import Loopback, loopback_service
from tests.tiny_model import NAME, artifact, publish, registry  # noqa: F401 - a fixture

SECOND_US = 1_000_000


@pytest.fixture(scope="module")
def service(registry: Path) -> Iterator[Loopback]:  # noqa: F811
    with loopback_service(registry=str(registry), write_keys=(SecretStr("w"),), prediction_log_share=0.0) as running:
        yield running


@pytest.fixture
def client(service: Loopback) -> Iterator[httpx.Client]:
    address = f"http://{service.host}:{service.port}"
    with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {service.admin_key}"}) as made:
        yield made


@pytest.fixture(scope="module")
def model(registry: Path) -> LoadedModel:  # noqa: F811
    champion = Registry(registry).champion("behavior", NAME)
    return load_model(artifact(), NAME, champion.version)


def messages(visitor: str, *events: str, seconds: float = 30.0, before: float = 600.0) -> list[dict[str, object]]:
    """Makes received messages of a visitor, ending ``before`` seconds ago."""
    last_us = time.time_ns() // 1000 - round(before * SECOND_US)
    made = []
    for index, event in enumerate(events):
        at_us = last_us - round((len(events) - 1 - index) * seconds * SECOND_US)
        at = f"{np.datetime64(at_us, 'us')}Z"
        context = {"page": {"url": f"https://shop.example/page/{index % 4}", "referrer": "https://www.google.com/"}}
        kind = {"type": "page"} if event == "page" else {"type": "track", "event": event}
        made.append({**kind, "messageId": f"{visitor}-{index}", "anonymousId": visitor, "timestamp": at})
        made[-1]["context"] = context
    return made


def store(service: Loopback, *given: dict[str, object]) -> list[bytes]:
    """Puts messages into the service's store; returns the rows."""
    events = adapt_messages(list(given), [json.dumps(each).encode() for each in given], "test").events
    with redis.Redis.from_url(service.settings.redis_url) as client:
        counts = push_events(client, events, recent_rules(service.settings), time.time_ns() // 1000)
    assert counts.new == len(given)
    return encode_events(events)


def bits(values: list[float]) -> list[int]:
    return np.array(values, np.float64).astype(np.float32).view(np.uint32).tolist()


def test_an_answer_says_what_it_was_made_from(service: Loopback, client: httpx.Client, model: LoadedModel) -> None:
    rows = store(service, *messages("ada", "page", "Product Added", "page", "page"))
    answer = client.get(f"/v1/predict/{NAME}/ada").json()
    assert len(answer.pop("prediction_id")) == 32
    [expected] = score(model, [History(rows)])
    assert bits(answer["probabilities"]) == expected.probabilities.view(np.uint32).tolist()
    assert answer["probability"] == answer["probabilities"][1]
    assert answer == {
        **answer,
        "model": NAME,
        "version": model.version,
        "visitor": "ada",
        "segment": model.headline(expected.probabilities)[1],
        "events_used": 4,
        "known": True,
        "truncated": False,
    }
    assert set(answer) == {
        *("model", "version", "visitor", "probability", "probabilities", "segment", "events_used", "known"),
        "truncated",
    }


def test_the_same_events_in_the_body_give_the_same_bits(service: Loopback, client: httpx.Client) -> None:
    given = messages("bob", "page", "page", "Order Completed", "Product Added", "page", "page", seconds=200)
    store(service, *given)
    stored = client.get(f"/v1/predict/{NAME}/bob").json()
    sent = client.post(f"/v1/predict/{NAME}", json={"events": given[::-1]}).json()
    assert stored["events_used"] == 3
    assert {**stored, "prediction_id": ""} == {**sent, "prediction_id": "", "visitor": "bob"}


def test_an_unknown_visitor_gets_the_base_rate_and_a_flag(client: httpx.Client, model: LoadedModel) -> None:
    response = client.get(f"/v1/predict/{NAME}/nobody at all")
    assert response.status_code == 200
    answer = response.json()
    assert (answer["known"], answer["events_used"], answer["visitor"]) == (False, 0, "nobody at all")
    assert bits([answer["probability"]]) == bits([model.base_rate])


def test_no_events_in_the_body_are_the_base_rate_too(client: httpx.Client, model: LoadedModel) -> None:
    answer = client.post(f"/v1/predict/{NAME}", json={"events": []}).json()
    assert (answer["known"], answer["visitor"]) == (False, None)
    assert bits(answer["probabilities"]) == model.base_rates.view(np.uint32).tolist()


def test_ids_with_slashes_and_of_users(service: Loopback, client: httpx.Client) -> None:
    store(service, *messages("a/b?c", "page"))
    assert client.get(f"/v1/predict/{NAME}/a%2Fb%3Fc").json()["events_used"] == 1
    given = messages("cat", "page", "page")
    given[1]["userId"] = "7"
    store(service, *given)
    for visitor in ("cat", "user:7"):
        answer = client.get(f"/v1/predict/{NAME}/{visitor}").json()
        assert (answer["visitor"], answer["events_used"]) == ("user:7", 2)


def test_many_at_once_get_the_bits_that_each_gets_alone(service: Loopback, client: httpx.Client) -> None:
    names = [f"crowd-{index}" for index in range(24)]
    for index, name in enumerate(names):
        store(service, *messages(name, *(["page", "Product Added"] * 6)[: 1 + index % 9], seconds=20 + 7 * index))
    alone = [client.get(f"/v1/predict/{NAME}/{name}").json()["probabilities"] for name in names]

    async def ask() -> list[list[float]]:
        async with httpx.AsyncClient(base_url=client.base_url, headers=client.headers) as many:
            found = await asyncio.gather(*(many.get(f"/v1/predict/{NAME}/{name}") for name in names))
        return [each.json()["probabilities"] for each in found]

    assert asyncio.run(ask()) == alone
    assert len({tuple(each) for each in alone}) > 10


@pytest.mark.parametrize(
    ("body", "error", "detail"),
    [
        (b"{", "not_json", "the body is not JSON"),
        (b"[]", "no_events", "the body has no list of events; expected one under 'events'"),
        (b'{"events": {}}', "no_events", "no list of events"),
        (b'{"events": [1]}', "wrong_type", "event 0: the event is not a JSON object"),
        (b'{"events": [{"type": "page", "anonymousId": "a"}, {"type": "x"}]}', "unknown_type", "event 1: the type"),
        (b'{"events": [{"type": "track", "event": "E"}]}', "no_visitor_id", "event 0: nobody is named"),
    ],
)
def test_events_that_are_none_are_refused_by_place(client: httpx.Client, body: bytes, error: str, detail: str) -> None:
    response = client.post(f"/v1/predict/{NAME}", content=body)
    assert (response.status_code, response.json()["error"]) == (400, error)
    assert response.json()["detail"].startswith(detail) or detail in response.json()["detail"]


def test_bots_count_as_little_as_when_they_are_collected(client: httpx.Client) -> None:
    given = messages("bot", "page", "page")
    given[0]["context"] = {"userAgent": "Googlebot/2.1 (+http://www.google.com/bot.html)"}
    assert client.post(f"/v1/predict/{NAME}", json={"events": given}).json()["events_used"] == 1


def test_models_and_versions_that_are_not_there(client: httpx.Client) -> None:
    for path, error in (
        ("/v1/predict/other/ada", "unknown_model"),
        (f"/v1/predict/{NAME}/ada?version=20260101T000000Z-0123456789abcdef", "unknown_version"),
        (f"/v1/predict/{NAME}/ada?version=..%2F..", "unknown_version"),
    ):
        response = client.get(path)
        assert (response.status_code, response.json()["error"]) == (404, error)
        assert "/behavior/" not in response.json()["detail"]  # no path of the server


def test_keys(service: Loopback, model: LoadedModel) -> None:
    with httpx.Client(base_url=f"http://{service.host}:{service.port}") as anybody:
        path = f"/v1/predict/{NAME}/ada"
        assert anybody.get(path).status_code == 401
        assert anybody.post(f"/v1/predict/{NAME}", json={"events": []}).status_code == 401
        assert anybody.get("/v1/models").status_code == 401
        assert anybody.post(f"/v1/models/{NAME}/reload").status_code == 401


def test_a_write_key_may_ask_the_champion_but_have_no_version_loaded(service: Loopback, model: LoadedModel) -> None:
    with httpx.Client(base_url=f"http://{service.host}:{service.port}", auth=("w", "")) as page:
        path = f"/v1/predict/{NAME}/ada"
        assert page.get(path).status_code == 200
        assert page.get(path, params={"version": model.version}).json()["version"] == model.version
        response = page.get(path, params={"version": "20260101T000000Z-0123456789abcdef"})
        assert (response.status_code, response.json()["error"]) == (401, "unauthorized")
        assert page.get("/v1/models").status_code == 401


def test_models_say_what_they_are(client: httpx.Client, model: LoadedModel) -> None:
    [listed] = client.get("/v1/models").json()["models"]
    shown = client.get(f"/v1/models/{NAME}").json()
    assert listed == shown
    assert (shown["version"], shown["error"], shown["hides"]) == (model.version, None, ["Order Completed"])
    assert shown["begins_after"] == ["Order Completed"]
    assert shown["segment_edges"][1] == list(model.segment_edges[1])
    assert shown["metrics"]["auc"] == model.card["metrics"]["auc"]
    assert client.get("/v1/models/other").json()["error"] == "unknown_model"
    assert client.post("/v1/models/other/reload").json()["error"] == "unknown_model"


def test_a_write_key_is_told_that_it_is_one_where_an_admin_key_is_needed(service: Loopback) -> None:
    address = f"http://{service.host}:{service.port}"
    found = httpx.get(f"{address}/v1/predict/{NAME}/x?version=20260101", headers={"Authorization": "Bearer w"})
    assert found.status_code == 401
    assert found.json()["detail"].startswith("the key given is a write key; expected an admin key")
    assert (
        "unknown; expected an admin key"
        in httpx.get(f"{address}/v1/models", headers={"Authorization": "Bearer v"}).text
    )


def test_a_reload_takes_the_new_champion_without_waiting(tmp_path: Path) -> None:
    root = tmp_path / "registry"
    publish(root)
    with loopback_service(registry=str(root), model_poll_seconds=3600.0) as running:
        headers = {"Authorization": f"Bearer {running.admin_key}"}
        with httpx.Client(base_url=f"http://{running.host}:{running.port}", headers=headers) as client:
            first = client.get(f"/v1/predict/{NAME}/x").json()["version"]
            folder = Path(shutil.copytree(artifact(), tmp_path / "other"))
            (folder / "note.txt").write_text("another version")
            opened = Registry(root)
            second = opened.publish(folder, "behavior", NAME)
            pinned = client.get(f"/v1/predict/{NAME}/x?version={second}").json()
            assert pinned["version"] == second
            assert client.get(f"/v1/predict/{NAME}/x").json()["version"] == first
            from models.gates import GateResult

            opened.promote("behavior", NAME, second, lambda *_: [GateResult("g", True, "")])
            assert client.post(f"/v1/models/{NAME}/reload").json()["version"] == second
            assert client.get(f"/v1/predict/{NAME}/x").json()["version"] == second


def test_while_the_store_is_away_nobody_gets_an_answer_but_events_in_the_body_do(tmp_path: Path) -> None:
    root = tmp_path / "registry"
    publish(root)
    with loopback_service(registry=str(root)) as running:
        headers = {"Authorization": f"Bearer {running.admin_key}"}
        with httpx.Client(base_url=f"http://{running.host}:{running.port}", headers=headers) as client:
            with redis.Redis.from_url(running.settings.redis_url) as store_client:
                store_client.shutdown(nosave=True)
            response = client.get(f"/v1/predict/{NAME}/ada")
            assert (response.status_code, response.json()["error"]) == (503, "store_unavailable")
            assert response.headers["Retry-After"] == "5"
            assert client.post(f"/v1/predict/{NAME}", json={"events": messages("x", "page")}).json()["known"]


def test_a_service_without_models_says_so() -> None:
    with loopback_service() as running:
        headers = {"Authorization": f"Bearer {running.admin_key}"}
        with httpx.Client(base_url=f"http://{running.host}:{running.port}", headers=headers) as client:
            response = client.get(f"/v1/predict/{NAME}/ada")
            assert (response.status_code, response.json()["error"]) == (404, "unknown_model")
            assert client.get("/v1/models").json() == {"models": []}
