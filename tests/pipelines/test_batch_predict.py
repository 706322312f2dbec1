"""Batch predictions are the answers of a running service that was sent the same events."""

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson
import pyarrow.parquet as pq
import pytest

from pipelines.batch_options import BatchPredictOptions
from pipelines.batch_predict import batch_predict
from tests.running_service import Service, running_service
from tests.tiny_model import NAME, registry  # noqa: F401 - a fixture

DAY_S = 86_400.0
STORE = {"store_events": 20, "store_days": 30.0}
AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36"
NOW = time.time()


def iso(before_s: float) -> str:
    return f"{np.datetime64(round((NOW - before_s) * 1e6), 'us')}Z"


def visit(visitor: str, number: int, before_s: float, event: str = "page", **more: Any) -> dict[str, Any]:
    """An event that happened so many seconds ago."""
    kind = {"type": "page"} if event == "page" else {"type": "track", "event": event}
    context = {"page": {"url": f"https://shop.example/page/{number % 5}?utm_source=x"}, "userAgent": AGENT}
    return {
        **kind,
        "anonymousId": visitor,
        "messageId": f"{visitor}-{number}",
        "timestamp": iso(before_s),
        "context": context,
        **more,
    }


def identify(visitor: str, number: int, before_s: float, user: str, **traits: Any) -> dict[str, Any]:
    return {**visit(visitor, number, before_s), "type": "identify", "userId": user, "traits": traits}


def requests() -> list[list[dict[str, Any]]]:
    """Batches in the order in which they are sent."""
    random = np.random.default_rng(7)
    crowd = []
    for index in range(60):
        length, start = int(random.integers(1, 30)), float(random.uniform(1, 29)) * DAY_S
        times = start - np.cumsum(random.choice([5.0, 40.0, 400.0, 4000.0], length))
        names = random.choice(["page", "Product Added", "Order Completed"], length, p=[0.7, 0.2, 0.1])
        ages = np.maximum(60.0, times).tolist()
        crowd += [visit(f"c{index}", n, ages[n], str(names[n])) for n in range(length)]
    bot = {"userAgent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}
    return [
        crowd,
        [visit("laptop", 1, 5000), visit("laptop", 2, 4900, "Product Added"), visit("phone", 1, 4800)],
        [identify("laptop", 3, 4700, "ada", email=" Ada@Example.com "), visit("laptop", 4, 4600)],
        [visit("phone", 2, 4500, userId="ada"), visit("phone", 3, 4400)],
        # a device that two use: what came before the second login stays with the first
        [visit("kiosk", 1, 4000), identify("kiosk", 2, 3900, "bob"), visit("kiosk", 3, 3800)],
        [identify("kiosk", 4, 3700, "cyd"), visit("kiosk", 5, 3600)],
        # received after the second login, though it happened before: it goes to the newest login, as in the store
        [visit("kiosk", 6, 3850), identify("kiosk", 7, 3750, "bob")],
        [visit("kiosk", 8, 3500)],
        # two users become one, with the device of the first
        [identify("tablet", 1, 3000, "old"), visit("tablet", 2, 2900)],
        [{**visit("tablet", 3, 2800), "type": "alias", "userId": "new", "previousId": "old"}],
        [visit("tablet", 4, 2700), visit("watch", 1, 2600, userId="old")],
        [visit("ancient", 1, 40 * DAY_S), visit("ancient", 2, 200)],
        [visit("gone", 1, 40 * DAY_S)],
        [visit("bot", 1, 100, context=bot)],
        [visit("buyer", 1, 300), visit("buyer", 2, 200, "Order Completed")],
        [visit("forgotten", 1, 300), identify("forgotten", 2, 250, "fay")],
        [visit("many", n, 9000 - 100 * n) for n in range(45)],
    ]


@dataclass
class Collected:
    service: Service
    archive: Path


@pytest.fixture(scope="module")
def collected(registry: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collected]:  # noqa: F811
    folder = tmp_path_factory.mktemp("batch")
    settings = {
        "AUGURY_REGISTRY": str(registry),
        "AUGURY_STORE_EVENTS": str(STORE["store_events"]),
        "AUGURY_STORE_DAYS": str(STORE["store_days"]),
        "AUGURY_ARCHIVE": str(folder / "archive"),
    }
    with running_service(folder / "state", settings) as service:
        with service.client() as client:
            for batch in requests():
                for message in batch:  # one request each, so that every event has a time of receipt of its own
                    assert client.post("/v1/batch", json={"batch": [message]}).status_code == 200
        with service.admin() as admin:
            assert admin.delete("/v1/visitors/user:fay").status_code in (200, 202)
        yield Collected(service, folder / "archive")


def options(collected: Collected, registry: Path, output: Path, **more: Any) -> BatchPredictOptions:  # noqa: F811
    given = {"adapter": "segment", "window_end": iso(0), "shards": 3, **STORE, **more}
    return BatchPredictOptions(
        events=(str(collected.service.folder / "spool" / "events"),),
        model=NAME,
        output=str(output),
        registry=str(registry),
        tombstones=str(collected.archive / "tombstones"),
        **given,
    )


def read(folder: Path) -> dict[str, dict[str, Any]]:
    paths = sorted(folder.glob("predictions-*.parquet"))
    return {row["visitor"]: row for path in paths for row in pq.read_table(path).to_pylist()}


def bits(values: list[float]) -> list[int]:
    return np.array(values, np.float64).astype(np.float32).view(np.uint32).tolist()


def test_every_prediction_is_the_answer_of_the_service(
    collected: Collected,
    registry: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    card = batch_predict(options(collected, registry, tmp_path / "made", emails=True))
    found = read(tmp_path / "made")
    assert card == orjson.loads((tmp_path / "made" / "predictions_card.json").read_bytes())
    assert (
        card["visitors"]
        == len(found)
        == 60 + len({"user:ada", "user:bob", "user:cyd", "user:new", "ancient", "buyer", "many"})
    )
    with collected.service.client() as client:
        answers = {visitor: ask(client, visitor) for visitor in found}
        aliases = {name: ask(client, name)["visitor"] for name in ("laptop", "phone", "kiosk", "tablet", "watch")}
        nobody = {name: ask(client, name)["known"] for name in ("bot", "gone", "forgotten", "user:fay")}
    assert aliases == {
        "laptop": "user:ada",
        "phone": "user:ada",
        "kiosk": "user:cyd",
        "tablet": "user:new",
        "watch": "watch" if "watch" in found else "user:new",
    }
    assert not any(nobody.values()) and not nobody.keys() & found.keys()
    for visitor, row in found.items():
        answer = answers[visitor]
        assert answer["visitor"] == visitor
        assert bits(row["probabilities"]) == bits(answer["probabilities"]), visitor
        assert bits([row["probability"]]) == bits([answer["probability"]])
        for name in ("segment", "model", "version", "events_used", "known", "truncated"):
            assert row[name] == answer[name], (visitor, name)
    assert len({tuple(bits(row["probabilities"])) for row in found.values()}) > 30
    assert found["many"]["events_used"] == 8 and not found["buyer"]["known"]
    assert card["segments"] == dict(sorted_counts(found))
    told = {visitor: row["email_sha256"] for visitor, row in found.items() if row["email_sha256"]}
    assert told == {"user:ada": hashlib.sha256(b"ada@example.com").hexdigest()}
    # of gone nothing is left but an old event; no store was asked to keep it
    assert card["left_out"] == {}
    assert card["events"] == {
        "read": card["events"]["read"],
        "rejected": {},
        "dropped": {"forgotten": 2, "outdated": 2},
    }


def ask(client: httpx.Client, visitor: str) -> dict[str, Any]:
    return client.get(f"/v1/predict/{NAME}/{visitor}").json()


def sorted_counts(found: dict[str, dict[str, Any]]) -> list[tuple[str, int]]:
    names = [row["segment"] for row in found.values()]
    return sorted(((name, names.count(name)) for name in set(names)), key=lambda pair: -pair[1])
