"""`augury rollback` while a service answers: ``make bench-rollback``.

Two workers with the settings they have by default, under a load of predictions and of events, every connection known
by the worker it leads to. In each round the newer version is made the champion, then the command is run, and every
answer's version and time are kept. The predecessor is not in the workers' memory: they load it.
"""

import argparse
import http.client
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import numpy as np
import orjson
import psutil

from benchmarks.figures import Figure, write_results
from benchmarks.predict import fill_store
from benchmarks.process_tree import tree_of
from benchmarks.published import Published, publish_model
from benchmarks.service import WRITE_KEY, Service, running
from benchmarks.shop_messages import shop_messages
from features.storage import StoragePath
from models.gates import GateResult
from models.registry import Registry
from serving.embedded import EmbeddedStore
from serving.settings import Settings
from tests.fake_credentials import fake_credentials
from tests.storage_server import storage_server

_MODEL = ("behavior", "purchase")
_WORKERS = 2
_ASKERS, _SENDERS = 8, 2
_ASK_SECONDS, _SEND_SECONDS = 0.08, 0.1
_MOST_SECONDS = 30.0
_MORE = 10
_LOOKS = 500


class Answered(NamedTuple):
    """One answer: when it was asked and when it came, seconds of the monotonic clock, and what it was."""

    worker: int
    asked: float
    came: float
    status: int
    version: str


@dataclass
class Load:
    """Requests over connections that stay open, until it is stopped.

    Attributes:
        predictions: every answer.
        statuses: of all requests, predictions and events; 0 for one without an answer.
        average: load average of the last minute when it began: what else the machine had to do.
    """

    service: Service
    predictions: list[Answered] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    stopped: threading.Event = field(default_factory=threading.Event)
    average: float = field(default_factory=lambda: os.getloadavg()[0])

    def ask(self, connection: http.client.HTTPConnection, worker: int, visitors: Sequence[str]) -> None:
        """Asks for predictions, one every so often."""
        chosen = random.Random(connection.port)
        while not self.stopped.wait(_ASK_SECONDS):
            path = f"/v1/predict/purchase/{quote(chosen.choice(visitors), safe='')}?writeKey={WRITE_KEY}"
            asked = time.monotonic()
            status, body = _call(connection, "GET", path)
            version = json.loads(body)["version"] if status == 200 else ""
            self.predictions.append(Answered(worker, asked, time.monotonic(), status, version))
            self.statuses[status] += 1

    def send(self, connection: http.client.HTTPConnection, bodies: Sequence[bytes]) -> None:
        """Sends events, some every so often."""
        for place in range(sys.maxsize):
            if self.stopped.wait(_SEND_SECONDS):
                return
            status, _ = _call(connection, "POST", f"/v1/batch?writeKey={WRITE_KEY}", bodies[place % len(bodies)])
            self.statuses[status] += 1


class Round(NamedTuple):
    """What one rollback took, in seconds: from the command's start, from the pointer's change, and the command."""

    from_start: float
    from_pointer: float
    command: float


def main() -> None:
    """Rolls back again and again under load, and writes ``benchmarks/results/rollback.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="augury-bench-"))
    try:
        with EmbeddedStore(scratch / "store") as store:
            shop = publish_model(scratch)
            visitors = fill_store(store, shop.events)
            settings = {
                "AUGURY_WORKERS": str(_WORKERS),
                "AUGURY_REGISTRY": shop.registry,
                "AUGURY_STORE_DAYS": "3650",
                "REDIS_URL": store.url,
            }
            with running(settings) as service:
                rounds, load = _rounds(service, shop, visitors, given.rounds, random.Random(given.seed))
        looks = _looks(scratch, shop.model)
    finally:
        shutil.rmtree(scratch)
    write_results("rollback", [*_figures(rounds, load), *looks])


def _figures(rounds: Sequence[Round], load: Load) -> list[Figure]:
    starts, pointers, commands = (np.array(values) for values in zip(*rounds, strict=True))
    latency = np.array([answer.came - answer.asked for answer in load.predictions]) * 1e3
    total, failed = load.statuses.total(), load.statuses.total() - load.statuses[200]
    return [
        Figure(
            "rollback_seconds",
            f"the longest of {len(rounds)} rollbacks, from the start of `augury rollback` until the last of "
            f"{_WORKERS} workers answers with the other version and none with the former (median "
            f"{np.median(starts):.2f}; from the change of champion.json: longest {pointers.max():.2f}, median "
            f"{np.median(pointers):.2f}; the command itself: median {np.median(commands):.2f}), with the settings of "
            f"a service by default, under load (the machine's load average was {load.average:.1f} before)",
            float(starts.max()),
            "s",
            "< 5",
        ),
        Figure(
            "rollback_failed_requests",
            f"of {total} requests during these rollbacks ({len(load.predictions)} predictions, p99 "
            f"{np.percentile(latency, 99):.0f} ms; the others send 10 events each), those that were not answered 200",
            failed,
            "requests",
            "<= 0",
        ),
    ]


def _looks(scratch: Path, model: Path) -> list[Figure]:
    """Returns what it costs to look for a new champion on Cloud Storage's protocol."""
    os.environ.update(fake_credentials(scratch))
    with storage_server():
        from google.cloud import storage

        storage.Client().create_bucket("models")
        registry = Registry("gs://models/registry", cache=scratch / "cache")
        version = registry.publish(model, *_MODEL)
        registry.promote(*_MODEL, version, lambda *_: [GateResult("benchmark", True, "not judged")])
        began, processor = time.perf_counter(), time.process_time()
        for _ in range(_LOOKS):
            registry.champion(*_MODEL)
        seconds, busy = time.perf_counter() - began, time.process_time() - processor
    poll = Settings.model_fields["model_poll_seconds"].default
    figure = (
        f"processor time of a worker to look once for a new champion of one model on Cloud Storage's protocol, mean of "
        f"{_LOOKS} ({seconds / _LOOKS * 1e3:.1f} ms until the answer, from a server on this machine); one read a model "
        f"and worker every {poll:g} s is {30 * 86_400 / poll / 1e6:.2f} million a month"
    )
    return [Figure("champion_look_ms", figure, busy / _LOOKS * 1e3, "ms")]


def _rounds(
    service: Service, shop: Published, visitors: Sequence[str], rounds: int, moments: random.Random
) -> tuple[list[Round], Load]:
    registry = Registry(shop.registry)
    champion = registry.champion(*_MODEL)
    assert champion is not None
    older = champion.version
    newer = registry.publish(_changed(shop.model), *_MODEL)
    load = Load(service)
    connections = _connect(service)
    bodies = [orjson.dumps({"batch": part}) for part in _parts(shop_messages(2_000))]
    threads = [threading.Thread(target=load.ask, args=(c, worker, visitors)) for c, worker in connections]
    threads += [threading.Thread(target=load.send, args=(_open(service), bodies)) for _ in range(_SENDERS)]
    for thread in threads:
        thread.start()
    try:
        found = []
        for _ in range(rounds):
            registry.promote(*_MODEL, newer, lambda *_: [GateResult("benchmark", True, "not judged")])
            _effective(load, newer, time.monotonic())
            time.sleep(moments.uniform(0, 2))  # at any moment between two looks at the registry
            found.append(_roll_back(load, shop.registry, older))
    finally:
        load.stopped.set()
        for thread in threads:
            thread.join()
    return found, load


def _roll_back(load: Load, registry: str, older: str) -> Round:
    """Runs the command and waits until it is effective."""
    command = [sys.executable, "-m", "augury.cli", "rollback", "behavior/purchase", "--registry", registry]
    began, began_at = time.monotonic(), time.time()
    subprocess.run([*command, "--reason", "benchmark"], check=True, stdout=subprocess.DEVNULL)
    done = time.monotonic()
    changed = os.stat(f"{registry}/behavior/purchase/champion.json").st_mtime - began_at
    effective = _effective(load, older, began)
    return Round(effective - began, effective - began - changed, done - began)


def _effective(load: Load, version: str, since: float) -> float:
    """Returns when the last worker gave its first answer with a version, after which none gave another.

    Raises:
        RuntimeError: it did not come to that.
    """
    while time.monotonic() < since + _MOST_SECONDS:
        time.sleep(0.3)
        by_worker: dict[int, list[Answered]] = defaultdict(list)
        for answer in list(load.predictions):
            if answer.came > since and answer.status == 200:
                by_worker[answer.worker].append(answer)
        changed = [_changed_at(answers, version, since) for answers in by_worker.values()]
        if len(changed) == _WORKERS and None not in changed:
            return max(filter(None, changed))
    raise RuntimeError(f"the workers do not answer with {version} after {_MOST_SECONDS:g} s")


def _changed_at(answers: Sequence[Answered], version: str, since: float) -> float | None:
    """Returns when a worker gave its first answer with a version after the last without it, if some more followed."""
    last = max((answer.came for answer in answers if answer.version != version), default=since)
    after = sorted(answer.came for answer in answers if answer.version == version and answer.came > last)
    return after[0] if len(after) > _MORE else None


def _connect(service: Service) -> list[tuple[http.client.HTTPConnection, int]]:
    """Returns connections and the worker that each leads to, the same number for each worker."""
    held: dict[int, list[http.client.HTTPConnection]] = defaultdict(list)
    wanted = _ASKERS // _WORKERS
    for _ in range(1_000):
        connection = _open(service)
        held[_worker_of(service, connection)].append(connection)
        if len(held) == _WORKERS and min(map(len, held.values())) >= wanted:
            break
    else:
        raise RuntimeError(f"1,000 connections led to {len(held)} workers")
    for connections in held.values():
        for left in connections[wanted:]:
            left.close()
    return [(connection, worker) for worker, connections in held.items() for connection in connections[:wanted]]


def _open(service: Service) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    status, _ = _call(connection, "GET", "/healthz")
    assert status == 200
    return connection


def _worker_of(service: Service, connection: http.client.HTTPConnection) -> int:
    """Returns the process at the other end."""
    ours = connection.sock.getsockname()[:2]
    for process in tree_of(service.process):
        for each in psutil.Process(process).net_connections("tcp"):
            if each.status == psutil.CONN_ESTABLISHED and tuple(each.raddr) == ours:
                return process
    raise RuntimeError(f"no process of the service holds the other end of {ours}")


def _call(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None
) -> tuple[int, bytes]:
    """Returns status and body; 0 where there was no answer, after which the connection is opened anew."""
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        connection.close()
        return 0, b""


def _changed(model: StoragePath) -> Path:
    """Returns a copy of an artifact that is another version: its card says so."""
    folder = Path(shutil.copytree(model, f"{model}-newer"))
    card = json.loads((folder / "model_card.json").read_text())
    (folder / "model_card.json").write_text(json.dumps({**card, "note": "the newer version"}))
    return folder


def _parts(messages: Sequence[dict[str, object]], size: int = 10) -> list[Sequence[dict[str, object]]]:
    return [messages[start : start + size] for start in range(0, len(messages), size)]


if __name__ == "__main__":
    main()
