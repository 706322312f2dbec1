"""Explanations beside predictions: ``make bench-explain``.

One worker under a steady load of predictions, first alone, then while somebody asks for one explanation after the other
of the visitors with the most events. The fast store and both loads share this machine's cores with it.
"""

import argparse
import http.client
import json
import os
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import numpy as np

from benchmarks.figures import Figure, write_results
from benchmarks.load import Answers, request, send
from benchmarks.predict import fill_store
from benchmarks.published import publish_model
from benchmarks.service import ADMIN_KEY, WRITE_KEY, running
from serving.embedded import EmbeddedStore

_RATE = 100
_CONNECTIONS = 16
_AT_ONCE = 4
_LONGEST = 40
_VISITORS = 50
_HEADERS = {"Authorization": f"Bearer {ADMIN_KEY}"}


@dataclass
class Explained:
    """What became of explanations: seconds of those that were made, and how many ended with which status."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)


def main() -> None:
    """Measures, and writes ``benchmarks/results/explain.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=20, help="about how long each load lasts")
    given = parser.parse_args()
    average = os.getloadavg()[0]
    scratch = Path(tempfile.mkdtemp(prefix="augury-bench-"))
    try:
        with EmbeddedStore(scratch / "store") as store:
            shop = publish_model(scratch)
            visitors = fill_store(store, shop.events)
            settings = {"REDIS_URL": store.url, "AUGURY_REGISTRY": shop.registry, "AUGURY_STORE_DAYS": "3650"}
            with running(settings) as service:
                longest = _with_most_events(service.port, visitors)
                alone = _predictions(service.port, visitors, given.seconds)
                with _explaining(service.port, longest) as explained:
                    beside = _predictions(service.port, visitors, given.seconds)
    finally:
        shutil.rmtree(scratch)
    write_results("explain", _figures(alone, beside, explained, average))


def _figures(alone: Answers, beside: Answers, explained: Explained, average: float) -> list[Figure]:
    made = np.array(explained.seconds) * 1e3
    told = ", ".join(f"{count} with status {status}" for status, count in sorted(explained.statuses.items()))
    return [
        Figure(
            "explain_p50_ms",
            f"median time to explain a prediction from {_LONGEST} events, asked {_AT_ONCE} at a time beside {_RATE} "
            f"predictions a second, one worker (p99 {np.percentile(made, 99):.0f} ms; {told})",
            float(np.median(made)),
            "ms",
        ),
        Figure(
            "predict_beside_explanations_p99_ms",
            f"99th percentile of {beside.requests} predictions, {_RATE} a second, while explanations are asked for "
            f"without a pause (median {beside.p50_ms:.1f} ms); without them {alone.p99_ms:.1f} ms (median "
            f"{alone.p50_ms:.1f} ms); the machine's load average was {average:.1f} before",
            beside.p99_ms,
            "ms",
        ),
    ]


def _predictions(port: int, visitors: Sequence[str], seconds: int) -> Answers:
    asked = [request("GET", f"/v1/predict/purchase/{visitor}?writeKey={WRITE_KEY}") for visitor in visitors]
    count = _RATE * seconds
    requests = (asked[place % len(asked)] for place in range(count + count // 4))
    return send(requests, port, _CONNECTIONS, _RATE, warm=count // 4)


def _with_most_events(port: int, visitors: Sequence[str]) -> list[str]:
    """Returns visitors whose predictions are made from as many events as the model reads: some, or all there are."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    found = []
    for visitor in visitors:
        status, body = _ask(connection, visitor, "")
        if status == 200 and json.loads(body)["events_used"] == _LONGEST:
            found.append(visitor)
        if len(found) == _VISITORS:
            break
    if len(found) < _AT_ONCE:
        raise RuntimeError(f"only {len(found)} visitors have {_LONGEST} events")
    return found


@contextmanager
def _explaining(port: int, visitors: Sequence[str]) -> Iterator[Explained]:
    """Asks for explanations until the block ends."""
    explained, stopped = Explained(), threading.Event()

    def explain() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for place in range(1 << 30):
            if stopped.is_set():
                return
            began = time.perf_counter()
            status, _ = _ask(connection, visitors[place % len(visitors)], "?explain=occlusion")
            explained.statuses[status] += 1
            if status == 200:
                explained.seconds.append(time.perf_counter() - began)

    threads = [threading.Thread(target=explain) for _ in range(_AT_ONCE)]
    for thread in threads:
        thread.start()
    try:
        yield explained
    finally:
        stopped.set()
        for thread in threads:
            thread.join()


def _ask(connection: http.client.HTTPConnection, visitor: str, query: str) -> tuple[int, bytes]:
    connection.request("GET", f"/v1/predict/purchase/{quote(visitor, safe='')}{query}", headers=_HEADERS)
    response = connection.getresponse()
    return response.status, response.read()


if __name__ == "__main__":
    main()
