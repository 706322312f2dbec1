"""`augury serve` as a set of processes: it loses nothing when it stops, and brings back what dies."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.running_service import WRITE_KEY, Service, eventually, running_service


class Load:
    """Clients that send one event after the other, and remember which were acknowledged."""

    def __init__(self, service: Service) -> None:
        self.acknowledged: list[str] = []
        self.statuses: set[int] = set()
        self._service, self._over = service, threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(number,)) for number in range(4)]

    def _send(self, number: int) -> None:
        count = 0
        with self._service.client(timeout=30) as client:
            while not self._over.is_set():
                count += 1
                name = f"{number}-{count}"
                sent = {"event": "Clicked", "anonymousId": f"a{number}", "messageId": name}
                try:
                    status = client.post("/v1/track", json=sent).status_code
                except httpx.TransportError:
                    continue
                self.statuses.add(status)
                if status == 200:
                    self.acknowledged.append(name)

    @contextmanager
    def running(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in self._threads:
                thread.join()


def archived(service: Service) -> list[str]:
    return [json.loads(line)["messageId"] for line in service.archived()]


def gone(pids: list[int]) -> bool:
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_under_load_without_losing_an_event_or_leaving_a_process(tmp_path: Path, number: int):
    with running_service(tmp_path, workers=2) as service:
        pids = service.children()
        assert len(pids) == 4  # two workers, the compactor and the store
        load = Load(service)
        with load.running():
            eventually(lambda: len(load.acknowledged) > 50)
            assert service.stop(number) == 0
        assert load.statuses <= {200, 503}
        found = archived(service)
        assert set(load.acknowledged) <= set(found)
        assert len(set(found)) == len(found)
        assert gone(pids)
        assert not any("Traceback" in line for line in service.lines)


def test_a_killed_worker_is_replaced_while_the_other_goes_on(tmp_path: Path):
    with running_service(tmp_path, workers=2) as service:
        before = service.children("serving.worker")
        load = Load(service)
        with load.running():
            eventually(lambda: len(load.acknowledged) > 20)
            os.kill(before[0], signal.SIGKILL)
            eventually(lambda: len(set(service.children("serving.worker")) - set(before)) == 1)
            seen = len(load.acknowledged)
            eventually(lambda: len(load.acknowledged) > seen + 20)
        assert load.statuses == {200}
        assert set(load.acknowledged) <= set(archived(service))
        assert any("worker 1 ended with code -9 and is started again" in line for line in service.lines)
        counts = httpx.get(f"{service.url}/metrics").text
        total = float(re.search(r'augury_events_total\{outcome="accepted",reason=""\} (\S+)', counts)[1])
        assert total >= len(load.acknowledged)  # what the dead worker counted still counts


def test_the_store_and_the_compactor_are_brought_back(tmp_path: Path):
    with running_service(tmp_path) as service, service.client() as client:
        [compactor], [worker] = service.children("serving.compactor"), service.children("serving.worker")
        [store] = set(service.children()) - {compactor, worker}
        for pid in (store, compactor):
            os.kill(pid, signal.SIGKILL)
        sent = {"event": "Clicked", "anonymousId": "a", "messageId": "while away"}
        assert client.post("/v1/track", json=sent).json()["accepted"] == 1
        eventually(lambda: len(service.children()) == 3 and service.children("serving.compactor") != [compactor])
        eventually(lambda: client.get("/readyz").status_code == 200)
        # What came while the store was away is in it once it is back, so the same again is a duplicate.
        eventually(lambda: not list((tmp_path / "spool" / "behind").glob("**/*.jsonl")))
        assert client.post("/v1/track", json=sent).json()["duplicates"] == 1


def test_workers_end_when_their_supervisor_is_killed(tmp_path: Path):
    with running_service(tmp_path, workers=2) as service:
        pids = service.children("serving.worker") + service.children("serving.compactor")
        [store] = set(service.children()) - set(pids)
        service.process.kill()
        service.process.wait()
        eventually(lambda: gone(pids))
        os.kill(store, signal.SIGTERM)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"AUGURY_WRITE_KEYS": ""}, "AUGURY_WRITE_KEYS is not set, so nobody could send events; give one or more keys"),
        ({"AUGURY_WROTE_KEYS": "k"}, "AUGURY_WROTE_KEYS is no setting; expected one of AUGURY_ACCESS_LOG, "),
        ({"AUGURY_PORT": "http"}, "AUGURY_PORT is 'http': Input should be a valid integer"),
        ({"AUGURY_CLEANING": "/nowhere.toml"}, "cannot read /nowhere.toml"),
        ({"AUGURY_HASH_FIELDS": "userId"}, "hash_fields needs hash_key; set it to a secret of up to 64 bytes"),
        ({"AUGURY_STATE_DIR": "/proc/nowhere"}, "/proc/nowhere"),
        ({"AUGURY_HOST": "192.0.2.1"}, "cannot listen on 192.0.2.1 port 0 (Cannot assign requested address)"),
    ],
)
def test_settings_that_cannot_be_are_one_line(tmp_path: Path, settings: dict[str, str], said: str):
    environment = {name: text for name, text in os.environ.items() if not name.startswith("AUGURY_")}
    environment |= {"AUGURY_WRITE_KEYS": WRITE_KEY, "AUGURY_STATE_DIR": str(tmp_path), "AUGURY_PORT": "0", **settings}
    command = [sys.executable, "-m", "augury.cli", "serve"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    [line] = done.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert said in line


def test_workers_may_open_as_many_connections_as_the_system_lets_them(tmp_path: Path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))  # what the service inherits
    try:
        with running_service(tmp_path) as service:
            [worker] = service.children("serving.worker")
            limits = Path(f"/proc/{worker}/limits").read_text()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert f"Max open files            {min(hard, 65_536)} " in limits
