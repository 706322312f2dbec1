"""Predictions under load, and the same model behind BentoML: ``make bench-predict``.

One worker each; the fast store and the load share this machine's cores with them.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import orjson
import pyarrow.parquet as pq
import redis

from benchmarks.figures import Figure, write_results
from benchmarks.load import Answers, request, send
from benchmarks.published import publish_model
from benchmarks.service import PEER_MODEL, PEER_STORE, WRITE_KEY, free_port, running
from features.recent_events import RecentRules, push_events
from serving.embedded import EmbeddedStore
from serving.store import clock_us

_RATE = 200
_CONNECTIONS = 32
_ROOT = Path(__file__).parent.parent


def main() -> None:
    """Trains a little, fills a store, measures both servers, and writes ``benchmarks/results/predict.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bentoml", type=Path, required=True, help="Python of the environment with BentoML in it")
    parser.add_argument("--seconds", type=int, default=20, help="about how long each load lasts")
    given = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="augury-bench-"))
    try:
        with EmbeddedStore(scratch / "store") as store:
            write_results("predict", _figures(scratch, store, given.bentoml, given.seconds))
    finally:
        shutil.rmtree(scratch)


def _figures(scratch: Path, store: EmbeddedStore, bentoml: Path, seconds: int) -> list[Figure]:
    shop = publish_model(scratch)
    visitors = fill_store(store, shop.events)

    key = f"?writeKey={WRITE_KEY}"
    asked = [request("GET", f"/v1/predict/purchase/{visitor}{key}") for visitor in visitors]
    settings = {"REDIS_URL": store.url, "AUGURY_REGISTRY": shop.registry, "AUGURY_STORE_DAYS": "3650"}
    with running(settings) as ours:
        paced, most = _both(asked, ours.port, seconds)
    asked = [
        request("POST", "/predict", orjson.dumps({"visitors": [visitor]}), content_type="application/json")
        for visitor in visitors
    ]
    with _bentoml(bentoml, store, shop.model) as port:
        paced_peer, most_peer = _both(asked, port, seconds)

    on = f"{_RATE} requests/s, one worker, visitors of a simulated shop from the fast store"
    peer = f"BentoML: p50 {paced_peer.p50_ms:.1f} ms, p99 {paced_peer.p99_ms:.1f} ms at the same rate"
    return [
        Figure("predict_p50_ms", f"median latency at {on}; {peer}", paced.p50_ms, "ms", "< 5"),
        Figure("predict_p99_ms", f"99th percentile at {on}; {peer}", paced.p99_ms, "ms", "< 20"),
        Figure(
            "predict_max_rps",
            f"predictions a second over {_CONNECTIONS} connections, one worker: p99 then {most.p99_ms:.0f} ms",
            most.per_second,
            "requests/s",
        ),
        Figure(
            "predict_vs_bentoml",
            f"that rate over BentoML's {most_peer.per_second:.0f}, one worker, adaptive batching; the same model, "
            "store and functions",
            most.per_second / most_peer.per_second,
            "ratio",
        ),
    ]


def _both(asked: Sequence[bytes], port: int, seconds: int) -> tuple[Answers, Answers]:
    """Returns the answers at the paced rate, then as fast as they come; a warm-up goes before each."""
    count = _RATE * seconds
    paced = send(_cycle(asked, count + count // 4), port, _CONNECTIONS, _RATE, warm=count // 4)
    return paced, send(_cycle(asked, 5 * count // 2), port, _CONNECTIONS, None, warm=count // 4)


def _cycle(asked: Sequence[bytes], count: int) -> Iterator[bytes]:
    return (asked[place % len(asked)] for place in range(count))


def fill_store(store: EmbeddedStore, events: str) -> list[str]:
    """Pushes the simulated events and returns the visitors, in the order in which they are first seen."""
    client = redis.Redis.from_url(store.url, protocol=2)
    rules = RecentRules(max_age_days=3650)
    visitors: dict[str, None] = {}
    for path in sorted(Path(events).parent.glob("*.parquet")):
        for batch in pq.ParquetFile(path).iter_batches(10_000):
            push_events(client, batch, rules, clock_us())
            visitors.update(dict.fromkeys(batch.column("anonymous_id").to_pylist()))
    client.close()
    return list(visitors)


@contextmanager
def _bentoml(python: Path, store: EmbeddedStore, model: Path) -> Iterator[int]:
    """Yields the port of a BentoML server that is ready."""
    port = free_port()
    environment = {**os.environ, PEER_STORE: store.url, PEER_MODEL: str(model), "BENTOML_DO_NOT_TRACK": "1"}
    command = [str(python), "-m", "bentoml", "serve", "benchmarks.predict_bentoml:Predictions"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(command, cwd=_ROOT, env=environment, stdout=sys.stderr)
    try:
        until = time.monotonic() + 120
        while not _answers(f"http://127.0.0.1:{port}/readyz"):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError("BentoML did not get ready; what it said is above")
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(60)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1):
            return True
    except (urllib.error.URLError, OSError):
        return False


if __name__ == "__main__":
    main()
