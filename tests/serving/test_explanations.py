"""Predictions that are explained, over HTTP, from a running service: the same answer, and what moved it."""

import asyncio
import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
import redis
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from features.recent_events import encode_events, push_events
from features.segment import adapt_messages
from models.behavior.loaded import LoadedModel, load_model
from models.behavior.scoring import History, score
from models.gates import GateResult
from models.registry import Registry
from serving import explanations
from serving.app import create_app
from serving.assembly import recent_rules
from serving.errors import ProblemError
from serving.explanations import Explainer
from serving.loopback import Loopback, loopback_service
from serving.settings import Settings
from tests.deciding_model import DECIDES, write_deciding_model
from tests.running_service import running_service

NAME = "purchase"
WITH, WITHOUT = 1 / (1 + np.exp(-2)), 1 / (1 + np.exp(2))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_deciding_model(tmp_path_factory.mktemp("deciding") / "model")


@pytest.fixture(scope="module")
def registry(folder: Path) -> Path:
    root = folder.parent / "registry"
    opened = Registry(root)
    version = opened.publish(folder, "behavior", NAME)
    opened.promote("behavior", NAME, version, lambda *_: [GateResult("test", True, "")])
    return root


@pytest.fixture(scope="module")
def service(registry: Path) -> Iterator[Loopback]:
    with loopback_service(registry=str(registry), write_keys=(SecretStr("w"),)) as running:
        yield running


@pytest.fixture
def client(service: Loopback) -> Iterator[httpx.Client]:
    address = f"http://{service.host}:{service.port}"
    with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {service.admin_key}"}) as made:
        yield made


def messages(visitor: str, *events: str) -> list[dict[str, object]]:
    """Makes events of a visitor, half a minute apart, ending ten minutes ago."""
    first_us = time.time_ns() // 1000 - 600_000_000 - 30_000_000 * len(events)
    return [
        {
            "type": "track",
            "event": event,
            "messageId": f"{visitor}-{index}",
            "anonymousId": visitor,
            "timestamp": f"{np.datetime64(first_us + 30_000_000 * index, 'us')}Z",
        }
        for index, event in enumerate(events)
    ]


def store(service: Loopback, *given: dict[str, object]) -> None:
    events = adapt_messages(list(given), [json.dumps(each).encode() for each in given], "test").events
    with redis.Redis.from_url(service.settings.redis_url) as client:
        push_events(client, events, recent_rules(service.settings), time.time_ns() // 1000)


def plain(answer: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in answer.items() if name not in ("prediction_id", "attribution")}


def test_the_event_that_decides_is_named_and_the_answer_is_otherwise_the_same(
    service: Loopback, client: httpx.Client, folder: Path
) -> None:
    given = messages("ada", "Help Opened", DECIDES, "Help Opened")
    store(service, *given)
    path = f"/v1/predict/{NAME}/ada"
    bare, answer = client.get(path).json(), client.get(f"{path}?explain=occlusion").json()
    assert "attribution" not in bare
    assert plain(bare) == plain(answer)
    assert answer["probability"] == pytest.approx(WITH, abs=1e-6)
    found = answer["attribution"]
    assert set(found) == {"method", "base", "events"}
    assert (found["method"], found["base"]) == ("occlusion", load_model(folder, NAME, "v1").base_rate)
    assert [set(each) for each in found["events"]] == [{"message_id", "event", "time_us", "change"}] * 3
    assert [each["message_id"] for each in found["events"]] == ["ada-0", "ada-1", "ada-2"]
    assert [each["event"] for each in found["events"]] == ["Help Opened", DECIDES, "Help Opened"]
    assert [each["change"] for each in found["events"]] == [0, pytest.approx(WITH - WITHOUT, abs=1e-6), 0]
    first, second = (np.datetime64(given[index]["timestamp"][:-1], "us").astype(int) for index in (0, 1))
    assert [each["time_us"] for each in found["events"][:2]] == [first, second]


def test_without_an_event_the_service_says_the_probability_less_its_change(client: httpx.Client) -> None:
    given = messages("bob", "Help Opened", DECIDES, "Help Opened", DECIDES)
    answer = client.post(f"/v1/predict/{NAME}?explain=occlusion", json={"events": given}).json()
    assert len(answer["attribution"]["events"]) == 4
    for index, each in enumerate(answer["attribution"]["events"]):
        others = [*given[:index], *given[index + 1 :]]
        rest = client.post(f"/v1/predict/{NAME}", json={"events": others}).json()["probability"]
        assert np.float32(answer["probability"] - each["change"]) == np.float32(rest)


def test_the_guide_shows_an_answer_as_it_is(client: httpx.Client) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "interpretation.md").read_text()
    [shown] = [
        json.loads(text) for text in re.findall(r"```json\n(.*?)```", guide, re.DOTALL) if '"attribution"' in text
    ]
    sent = {"events": messages("fay", *(event["event"] for event in shown["attribution"]["events"]))}
    answer = client.post(f"/v1/predict/{NAME}?explain=occlusion", json=sent).json()
    assert list(shown) == list(answer)
    assert list(shown["attribution"]) == list(answer["attribution"])
    for one, other in zip(shown["attribution"]["events"], answer["attribution"]["events"], strict=True):
        assert list(one) == list(other)
        assert one["event"] == other["event"]


def test_of_whom_nothing_is_known_nothing_moved_the_base_rate(client: httpx.Client) -> None:
    answer = client.get(f"/v1/predict/{NAME}/nobody?explain=occlusion").json()
    assert not answer["known"]
    assert answer["attribution"] == {"method": "occlusion", "base": answer["probability"], "events": []}


@pytest.mark.parametrize(
    ("method", "detail"),
    [
        ("magic", "explain is 'magic'; expected occlusion"),
        ("", "explain is ''; expected occlusion"),
        (
            "integrated_gradients",
            "explain is 'integrated_gradients': the model reads whole numbers (hash buckets and bins), which have no "
            "gradient; expected occlusion",
        ),
    ],
)
def test_what_is_no_way_to_explain_is_refused(client: httpx.Client, method: str, detail: str) -> None:
    for response in (
        client.get(f"/v1/predict/{NAME}/ada", params={"explain": method}),
        client.post(f"/v1/predict/{NAME}", params={"explain": method}, json={"events": []}),
    ):
        assert (response.status_code, response.json()["error"]) == (400, "unknown_explanation")
        assert response.json()["detail"] == detail


def test_a_write_key_learns_the_prediction_but_not_the_events(service: Loopback) -> None:
    address = f"http://{service.host}:{service.port}"
    with httpx.Client(base_url=address, auth=("w", "")) as client:
        assert client.get(f"/v1/predict/{NAME}/ada").status_code == 200
        for response in (
            client.get(f"/v1/predict/{NAME}/ada?explain=occlusion"),
            client.post(f"/v1/predict/{NAME}?explain=occlusion", json={"events": []}),
        ):
            assert (response.status_code, response.json()["error"]) == (401, "unauthorized")
            assert "expected an admin key" in response.json()["detail"]


def test_the_document_tells_of_it() -> None:
    document = create_app(Settings(_env_file=None)).openapi()
    for path, method in (("/v1/predict/{model}/{visitor}", "get"), ("/v1/predict/{model}", "post")):
        [given] = [each for each in document["paths"][path][method]["parameters"] if each["name"] == "explain"]
        assert (given["in"], given["required"], given["schema"]["enum"]) == ("query", False, ["occlusion"])
    schemas = document["components"]["schemas"]
    assert "attribution" not in schemas["Prediction"]["required"]
    assert set(schemas["Attributed"]["required"]) == {"method", "base", "events"}


def test_a_running_service_logs_and_counts_what_it_explained(registry: Path, tmp_path: Path) -> None:
    settings = {"AUGURY_REGISTRY": str(registry)}
    with running_service(tmp_path / "state", settings) as running:
        with running.admin() as client:
            given = messages("cat", DECIDES, "Help Opened")
            sent = {"events": given}
            bare = client.post(f"/v1/predict/{NAME}", json=sent).json()
            answer = client.post(f"/v1/predict/{NAME}?explain=occlusion", json=sent).json()
            assert plain(bare) == plain(answer)
            assert len(answer["attribution"]["events"]) == 2
            counted = client.get("/metrics").text
            assert 'augury_explanations_total{outcome="made"} 1.0' in counted
        assert running.stop() == 0
        lines = {line["prediction_id"]: line for line in map(json.loads, running.archived("predictions"))}
        assert "explained" not in lines[bare["prediction_id"]]
        assert lines[answer["prediction_id"]]["explained"] == "occlusion"
        assert "attribution" not in lines[answer["prediction_id"]]


def deciding(folder: Path) -> LoadedModel:
    return load_model(folder, NAME, "v1")


def stored(*events: str) -> History:
    given = messages("dan", *events)
    found = adapt_messages(given, [json.dumps(each).encode() for each in given], "test").events
    return History(encode_events(found))


def test_predictions_that_wait_go_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The explanation asks before each call of the graph, and pauses until nobody waits."""
    model, given = deciding(folder), stored("A", "B", "C")
    [scored] = score(model, [given])
    answers = iter([True, True, False, False, True, False])
    pauses: list[float] = []
    monkeypatch.setattr(explanations.time, "sleep", pauses.append)

    async def body() -> None:
        explainer = Explainer(0, 60.0, lambda: next(answers))
        with explainer.place() as place:
            found = await explainer.explain(place, model, given, scored)
        assert len(found["events"]) == 3
        await explainer.close()

    asyncio.run(body())
    assert len(pauses) == 3
    assert next(answers, None) is None


def test_where_predictions_never_cease_it_is_given_up(folder: Path) -> None:
    model, given = deciding(folder), stored("A", "B")
    [scored] = score(model, [given])
    counts = CollectorRegistry()

    async def body() -> None:
        explainer = Explainer(0, 0.05, lambda: True, counted_in=counts)
        with pytest.raises(ProblemError) as refused, explainer.place() as place:
            await explainer.explain(place, model, given, scored)
        assert (refused.value.status, refused.value.error) == (503, "too_slow")
        assert refused.value.detail == "explanations: it took longer than 0.05 s; ask again later"
        assert refused.value.headers == {"Retry-After": "5"}
        await explainer.close()

    asyncio.run(body())
    assert counts.get_sample_value("augury_explanations_total", {"outcome": "too_slow"}) == 1


def test_no_more_are_taken_than_have_a_place(folder: Path) -> None:
    async def body() -> None:
        explainer = Explainer(1, 60.0)
        with explainer.place(), explainer.place():
            with pytest.raises(ProblemError) as refused, explainer.place():
                pass
            assert (refused.value.status, refused.value.error) == (429, "busy")
            assert refused.value.detail == "explanations: 2 requests are at work or waiting; ask again in a second"
        with explainer.place():
            pass
        await explainer.close()
        with pytest.raises(ProblemError) as refused, explainer.place():
            pass
        assert (refused.value.status, refused.value.error) == (503, "shutting_down")

    asyncio.run(body())


def test_many_at_once_are_explained_or_sent_away_and_predictions_are_all_answered(registry: Path) -> None:
    with loopback_service(registry=str(registry), explain_queue=2, explain_seconds=300.0) as running:
        sent = {"events": messages("eve", *([DECIDES, "Help Opened"] * 4))}
        headers = {"Authorization": f"Bearer {running.admin_key}"}

        def ask(number: int) -> tuple[bool, int]:
            explain = number % 2 == 0
            query = "?explain=occlusion" if explain else ""
            with httpx.Client(base_url=f"http://{running.host}:{running.port}", headers=headers, timeout=300) as client:
                answer = client.post(f"/v1/predict/{NAME}{query}", json=sent)
            return explain, answer.status_code

        with ThreadPoolExecutor(16) as threads:
            answers = list(threads.map(ask, range(64)))
    assert {status for explain, status in answers if not explain} == {200}
    assert {status for explain, status in answers if explain} <= {200, 429}
    assert (True, 200) in answers
