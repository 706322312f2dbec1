"""Our browser library in a real browser against the running service: nothing is lost, nothing is there twice."""

import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from tests.collected import Collected
from tests.running_service import WRITE_KEY, eventually
from tests.tiny_model import SPEC, registry

__all__ = ["registry"]  # a fixture

ROOT = Path(__file__).resolve().parents[2]
LIST = "Product List Viewed"
POINT = "Prediction Point"
CLICK = "Element Clicked"
# What the visitor of collector/e2e/shop.mjs does, page by page; when pages are left depends on the machine's speed.
DONE = {
    "/": ["Page Viewed", LIST, POINT, CLICK],
    "/shoes": ["Page Viewed", LIST, CLICK],
    "/shoes/red": [
        *("Page Viewed", CLICK, "Product Added", CLICK, POINT, CLICK, "Order Completed", POINT, "Closed Off-line"),
    ],
    "/help": [*("Page Viewed", LIST) * 3, "Closed With Handlers", "Killed"],
}


def _path(row: dict[str, Any]) -> str:
    return urlsplit(row["url"]).path


def _messages(collected: Collected, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the messages that became these rows, at the times that the service found for them."""
    received = {message["messageId"]: message for message in map(orjson.loads, collected.service.archived())}
    return [
        {
            key: received[row["message_id"]].get(key)
            for key in ("type", "messageId", "anonymousId", "properties", "context")
        }
        | ({"event": row["event"]} if row["type"] == "track" else {})
        | {"timestamp": datetime.fromtimestamp(row["timestamp_us"] / 1e6, UTC).isoformat()}
        for row in rows
    ]


def _predict(collected: Collected, messages: list[dict[str, Any]]) -> float:
    """Returns the service's prediction for events sent along."""
    with collected.service.client() as client:
        answer = client.post("/v1/predict/purchase", json={"events": messages})
    assert answer.status_code == 200, answer.text
    return answer.json()["probability"]


def test_a_visit_with_all_its_accidents(
    collecting: Callable[..., Collected], run_node: Callable[..., Any], chromium: str, registry: Path
) -> None:
    collected = collecting(AUGURY_REGISTRY=str(registry))
    told = run_node("shop.mjs", service=collected.url, key=WRITE_KEY, model="purchase", chromium=chromium)
    assert told["errors"] == []
    assert told["kept"] >= 2  # what happened off-line waited in the page
    assert told["same"]
    assert 0 < told["packed"] <= 5120  # the script, as it came over the network

    # Each answer is the prediction for exactly what the visitor had done by then, and it changed with that.
    answers = told["answers"]
    assert all(answer["known"] and answer["visitor"] == told["visitor"] for answer in answers)
    assert [answer["events_used"] for answer in answers] == [3, SPEC.sequence_length, 1]  # a new start with the order
    assert len({answer["probability"] for answer in answers}) == 3
    rows = collected.stored(told["visitor"])
    messages = _messages(collected, rows)
    asked = [place for place, row in enumerate(rows) if row["event"] == POINT]
    expected = [_predict(collected, messages[: place + 1]) for place in asked]
    assert [answer["probability"] for answer in answers] == expected

    archived = collected.archived()
    ids = Counter(row["message_id"] for row in archived)
    assert set(ids.values()) == {1}
    assert Counter(row["message_id"] for row in rows) == ids
    assert {row["anonymous_id"] for row in archived} == {told["visitor"]}

    left = [row for row in rows if row["event"] == "Page Left"]
    done = Counter((_path(row), row["event"]) for row in rows if row["event"] != "Page Left")
    assert done == Counter((path, event) for path, events in DONE.items() for event in events)
    # In order, where order is known: one tab's events by the visitor's clock.
    shoes = [row["event"] for row in rows if _path(row) == "/shoes/red" and row["event"] != "Page Left"]
    assert shoes == DONE["/shoes/red"]

    assert {_path(row) for row in left} >= {"/", "/shoes", "/shoes/red"}
    seconds = Counter({_path(row): orjson.loads(row["properties"])["visible_seconds"] for row in left})
    assert min(seconds["/"], seconds["/shoes"]) >= 0.5
    depths = {_path(row): orjson.loads(row["properties"])["scroll_depth"] for row in left}
    assert depths["/shoes"] > 0.5 > depths["/"]

    clicks = [orjson.loads(row["properties"]) for row in rows if row["event"] == CLICK]
    assert [click["element"].split(">", 2)[2] for click in clicks] == [
        *("main#shop>a", "main#shop>button#red", "main#shop>button#add>b", "main#shop>input#card"),
        "main#shop>button#buy",
    ]
    assert [click.get("text") for click in clicks] == ["Our shoes", "Red ones", "Add to cart", None, "Buy now"]
    assert clicks[0]["href"].endswith("/shoes")
    assert all(0 < click["x"] < click["page_width"] == 1280 for click in clicks)
    assert all(0 < click["y"] < 720 == click["viewport_height"] < 3000 <= click["page_height"] for click in clicks)
    assert not any("secret" in str(row) or "Ann" in str(row) for row in archived)

    contexts = [orjson.loads(row["context"]) for row in rows]
    assert len({context["sessionId"] for context in contexts}) == 1  # three tabs, one visit
    assert {row["source"] for row in rows} == {"augury.js"}


def test_what_is_stored_and_what_is_not(collected: Collected, run_node: Callable[..., Any], chromium: str) -> None:
    text = (ROOT / "docs" / "browser-library.md").read_text()
    guide = re.search(r"```html\n(.*?)```", text, re.DOTALL)
    assert guide is not None
    page = guide[1].replace("https://collect.shop.example", collected.url).replace('"KEY"', f'"{WRITE_KEY}"')
    told = run_node("modes.mjs", service=collected.url, key=WRITE_KEY, chromium=chromium, guide=page)
    visitors, nothing, refusal = told["visitors"], [[], []], [["augury.consent"], []]

    # Asked first: nothing before, a cookie and three names after a yes, only the no after a no.
    assert told["before"] == nothing
    assert told["names"] == ["augury.consent", "augury.id", "augury.session"]
    assert told["cookies"] == [["augury_id", visitors["asking"]]]
    assert told["after"] == refusal
    asked = collected.stored(visitors["asking"])
    assert [row["event"] for row in asked] == ["Page Viewed", "Before Consent"]

    # Without storage, the tab's last words still arrive: the browser carries them.
    assert told["stored"] == nothing
    eventually(lambda: len(collected.stored(visitors["stateless"])) >= 2)
    assert [row["event"] for row in collected.stored(visitors["stateless"])][:2] == ["Page Viewed", "Nothing Stored"]

    # The guide's page: its calls, its offer (the script waits for it), its way out: what was not sent by then is gone.
    assert told["refused"] == refusal
    events = [row["event"] for row in collected.stored(visitors["guide"])]
    assert events == ["Page Viewed", "Product Viewed", CLICK, "Product Added", POINT]
