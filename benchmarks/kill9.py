"""Every process of the service killed under load, again and again: ``make bench-kill9``.

A sender behaves as SDKs do: what was not acknowledged is sent again, with the same message ids, to the service that is
started in the place of the killed one. In the end the archive must hold every acknowledged event exactly once.
"""

import argparse
import asyncio
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
import pyarrow.parquet as pq
import redis

from benchmarks.figures import Figure, write_results
from benchmarks.service import WRITE_KEY, Service
from benchmarks.shop_messages import shop_messages
from features.recent_calls import read_recent, recent_calls
from features.recent_events import RecentRules, decode_events
from features.recent_scripts import RECENT
from serving.embedded import EmbeddedStore
from serving.store import clock_us

_SENDERS = 16
_SETTINGS = {"AUGURY_WORKERS": "2", "AUGURY_SPOOL_ROTATE_SECONDS": "0.5", "AUGURY_COMPACT_SECONDS": "0.3"}
"""Files are closed and compacted all the time, so that rotation and compaction are killed as well."""


@dataclass
class Sent:
    """What was acknowledged (message id -> anonymous id), and what still waits to be sent (again)."""

    waiting: list[list[dict[str, Any]]]
    acknowledged: dict[str, str] = field(default_factory=dict)
    unanswered: int = 0


def main() -> None:
    """Kills and counts, and writes ``benchmarks/results/kill9.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    moments = random.Random(given.seed)
    with tempfile.TemporaryDirectory(prefix="augury-bench-") as folder:
        state = Path(folder)
        sent = Sent(_parts(shop_messages(10_000 * (given.rounds + 1)), moments))
        for _ in range(given.rounds):
            service = Service(state, _SETTINGS)
            service.wait_until_ready()
            asyncio.run(_send_until(service, sent, kill_after=moments.uniform(0.3, 1.5)))
        service = Service(state, _SETTINGS)
        service.wait_until_ready()
        sent.waiting = sent.waiting[-200:]  # the last ones waiting are those that were never answered
        asyncio.run(_send_until(service, sent, kill_after=None))
        service.stop()
        _compact(state)
        archived, stored = _archived(state), _stored(state, set(sent.acknowledged.values()))
    write_results("kill9", _figures(sent, archived, stored, given.rounds))


def _figures(sent: Sent, archived: Counter[str], stored: Counter[str], rounds: int) -> list[Figure]:
    lost = sum(1 for message_id in sent.acknowledged if not archived[message_id])
    doubled = sum(1 for count in archived.values() if count > 1)
    not_stored = sum(1 for message_id in sent.acknowledged if stored[message_id] != 1)
    what = (
        f"{rounds} rounds of kill -9 of every process at once, the store's included; {len(sent.acknowledged)} events "
        f"acknowledged, {sent.unanswered} requests cut off and sent again"
    )
    return [
        Figure("kill9_lost", f"acknowledged events that the archive lacks: {what}", lost, "events", "<= 0"),
        Figure("kill9_duplicated", "events that the archive holds more than once", doubled, "events", "<= 0"),
        Figure("kill9_not_stored", "acknowledged events that the fast store lacks", not_stored, "events", "<= 0"),
    ]


async def _send_until(service: Service, sent: Sent, kill_after: float | None) -> None:
    """Sends what waits over many connections until everything is answered or the service is killed."""
    url = f"http://127.0.0.1:{service.port}/v1/batch"
    async with httpx.AsyncClient(auth=(WRITE_KEY, ""), timeout=30) as client:
        senders = [asyncio.create_task(_sender(client, url, sent)) for _ in range(_SENDERS)]
        if kill_after is not None:
            await asyncio.sleep(kill_after)
            service.kill()
        await asyncio.gather(*senders)


async def _sender(client: httpx.AsyncClient, url: str, sent: Sent) -> None:
    while sent.waiting:
        part = sent.waiting.pop()
        body = orjson.dumps({"batch": part, "sentAt": part[-1]["timestamp"]})
        try:
            answer = await client.post(url, content=body)
        except httpx.TransportError:
            sent.waiting.append(part)
            sent.unanswered += 1
            return
        if answer.status_code != 200:
            sent.waiting.append(part)
            return
        sent.acknowledged.update((message["messageId"], message["anonymousId"]) for message in part)


def _parts(messages: Sequence[dict[str, Any]], moments: random.Random) -> list[list[dict[str, Any]]]:
    """Returns the messages in requests of 1 to 50."""
    parts, start = [], 0
    while start < len(messages):
        size = moments.choice((1, 5, 50))
        parts.append(list(messages[start : start + size]))
        start += size
    return parts


def _compact(state: Path) -> None:
    subprocess.run([sys.executable, "-m", "augury.cli", "archive", "--state-dir", str(state)], check=True)


def _archived(state: Path) -> Counter[str]:
    """Returns how often the archive holds each message id."""
    parts = sorted((state / "archive" / "events").rglob("*.parquet"))
    return Counter(name for part in parts for name in pq.read_table(part, columns=["message_id"])[0].to_pylist())


def _stored(state: Path, visitors: set[str]) -> Counter[str]:
    """Returns how often the fast store holds each message id."""
    rules = RecentRules()
    with EmbeddedStore(state / "store") as store, redis.Redis.from_url(store.url, protocol=2) as client:
        client.script_load(RECENT.text)
        answers = [client.execute_command(*call.command) for call in recent_calls(list(visitors), rules, clock_us())]
    rows = {row for found in read_recent(answers, rules) for row in found.rows}
    return Counter(decode_events(list(rows), [""] * len(rows)).column("message_id").to_pylist())


if __name__ == "__main__":
    main()
