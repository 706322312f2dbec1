"""The guides from events to a first prediction, run as they stand; and the pages that are computed."""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import httpx
import orjson
import pytest

from augury.simulator import SimulationOptions, simulate
from benchmarks import costs
from tests.running_service import ADMIN_KEY, WRITE_KEY, running_service

DOCS = Path(__file__).resolve().parents[2] / "docs"
GA4_NAMES = {
    "Home": "page_view",
    "Product Viewed": "view_item",
    "Product Added": "add_to_cart",
    "Order Completed": "purchase",
    "Checkout Started": "begin_checkout",
}
# What a shop of some thousand visitors needs besides the guide's words: its test split says little of calibration.
FOR_A_TINY_SHOP = {
    "examples": ["--sequence-length", "16", "--hash-size", "256"],
    "train": ["--units", "16", "--embedding-units", "8", "--max-epochs", "2", "--learning-rate", "0.01"],
    "promote": ["--thresholds", "tiny.toml"],
}


def shown(guide: str) -> list[list[str]]:
    """Returns the words of every `augury` and `curl` command in a guide's console blocks, in order."""
    blocks = re.findall(r"^```console\n(.*?)^```", (DOCS / guide).read_text(), re.DOTALL | re.MULTILINE)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return [shlex.split(line) for line in lines if line.startswith(("augury ", "curl "))]


def run(words: list[str], folder: Path, **more: str) -> str:
    command = [sys.executable, "-c", "from augury.cli import main; main()", *words[1:]]
    command += FOR_A_TINY_SHOP.get(words[1], [])
    environment = {**os.environ, "PYTHONPATH": os.environ.get("PYTHONPATH", str(DOCS.parent)), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment | more, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    simulate(SimulationOptions(output=str(tmp_path / "shop"), visitors=3_000))
    (tmp_path / "tiny.toml").write_text("max_ece = 0.08\n")
    return tmp_path


def as_ga4(row: dict) -> dict:
    """Returns a simulated event as the GA4 export would have it."""
    name = row.get("event") or row.get("name") or row["type"]
    time_us = _time_us(row["timestamp"])
    page = row.get("context", {}).get("page", {})
    params = [{"key": "page_location", "value": {"string_value": page["url"]}}] if page.get("url") else []
    revenue = row.get("properties", {}).get("revenue")
    return {
        "event_date": row["timestamp"][:10].replace("-", ""),
        "event_timestamp": time_us,
        "event_name": "page_view" if row["type"] == "page" else GA4_NAMES.get(name, name.lower().replace(" ", "_")),
        "event_params": params,
        "user_pseudo_id": row["anonymousId"],
        "device": {"category": "desktop", "operating_system": "Windows"},
        "stream_id": "1",
        "ecommerce": {"purchase_revenue": revenue} if revenue is not None else {},
    }


def _time_us(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1e6)


def _events(folder: Path) -> list[dict]:
    found = []
    for path in sorted((folder / "shop" / "events").glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue  # the simulator's malformed rows are tested elsewhere
            known = isinstance(row, dict) and row.get("anonymousId") and row.get("type") in ("page", "track")
            if known and str(row.get("timestamp")).startswith("2026-"):
                found.append(row)
    return found


def test_from_a_ga4_export_to_the_first_prediction(shop: Path) -> None:
    (shop / "ga4").mkdir()
    rows = [orjson.dumps(as_ga4(row)) for row in _events(shop)]
    (shop / "ga4" / "part-0.jsonl").write_bytes(b"\n".join(rows))
    commands = shown("from-ga4.md")
    assert [words[1] for words in commands[:6]] == [
        *("check-generator", "examples", "train", "publish", "promote", "serve")
    ]
    for words in commands[:5]:
        run(words, shop)
    assert commands[5] == ["augury", "serve", "--registry", "registry"]
    asked = commands[6]
    settings = {"AUGURY_REGISTRY": str(shop / "registry")}
    with running_service(shop / "state", settings) as service:
        assert asked[:3] == ["curl", "-u", "my-key:"] and asked[4] == "-d"
        url = asked[3].replace("http://127.0.0.1:8000", service.url)
        answer = httpx.post(url, content=asked[5], auth=(WRITE_KEY, ""), timeout=60.0)
        assert answer.status_code == 200, answer.text
        assert answer.json()["model"] == "purchase" and answer.json()["events_used"] == 2
        assert 0 < answer.json()["probability"] < 1


def test_from_the_collector_to_examples(shop: Path) -> None:
    commands = shown("from-the-collector.md")
    names = ["serve", "archive", "check-generator", "examples", "train", "publish", "promote"]
    assert [words[1] for words in commands[:7]] == names
    batches = _events(shop)
    for row in batches:
        row.pop("receivedAt", None)
    with running_service(shop / "augury-state", {}) as service, service.client(timeout=60.0) as client:
        for start in range(0, len(batches), 500):
            answer = client.post("/v1/batch", json={"batch": batches[start : start + 500]})
            assert answer.status_code == 200, answer.text
        assert service.stop() == 0
    given = {"AUGURY_WRITE_KEYS": WRITE_KEY, "AUGURY_ADMIN_KEYS": ADMIN_KEY, "AUGURY_STATE_DIR": "augury-state"}
    assert "written" in run(commands[1], shop, **given)
    for words in commands[2:4]:
        run(words, shop)
    card = orjson.loads((shop / "examples" / "dataset_card.json").read_bytes())
    assert card["generator"] == "purchase"


@pytest.mark.parametrize("guide", ["costs.md", "sizing.md"])
def test_a_computed_page_holds_what_is_computed(guide: str) -> None:
    text = (DOCS / guide).read_text()
    assert costs.filled(text, guide) == text, "python -m benchmarks.costs --write"
    for mark, (name, table) in costs.TABLES.items():
        if name == guide:
            assert f"<!-- computed: {mark} -->\n\n{table()}" in text


def test_every_price_and_assumption_is_shown() -> None:
    rows = [
        re.findall(r"^\| `(\w+)`: [^|:]", table(), re.MULTILINE)
        for table in (costs.prices_table, costs.assumptions_table)
    ]
    assert rows == [list(vars(costs.Prices())), list(vars(costs.Site()))]
    assert "| to 4 GB 0.049, 0.064; to 10 GB 0.027, 0.054;" in costs.prices_table()


def test_every_price_and_assumption_is_computed_with() -> None:
    def paid(site: costs.Site, prices: costs.Prices) -> list[dict[str, float]]:
        return [costs.lines(events, site, prices) | costs.options(events, site, prices) for events in costs.SIZES]

    site, prices = replace(costs.Site(), store_days=7.0), costs.Prices()
    before = paid(site, prices)
    for name, value in vars(prices).items():
        doubled = (
            tuple((most, 2 * low, 2 * high) for most, low, high in value) if isinstance(value, tuple) else 2 * value
        )
        assert paid(site, replace(prices, **{name: doubled})) != before, name
    for name, value in vars(site).items():
        assert paid(replace(site, **{name: 2 * value}), prices) != before, name
