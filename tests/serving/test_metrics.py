"""Counts of one worker, and of all together."""

from pathlib import Path

from serving.metrics import Metrics
from tests.running_service import ADMIN_KEY, running_service
from tests.serving.console.test_routes import browsing


def test_totals_by_labels() -> None:
    metrics = Metrics()
    metrics.events.labels("accepted", "").inc(3)
    metrics.events.labels(outcome="rejected", reason="no_time").inc()
    assert metrics.totals("augury_events") == {("accepted", ""): 3.0, ("rejected", "no_time"): 1.0}
    assert metrics.totals("augury_behind_events") == {(): 0.0}
    assert metrics.totals("augury_nothing") == {}


def test_totals_of_all_workers(tmp_path: Path) -> None:
    with running_service(tmp_path / "state", workers=2) as service, browsing(service, ADMIN_KEY) as browser:
        for number in range(20):
            with service.client() as client:  # a new connection each: now one worker, now the other
                client.post("/v1/track", json={"event": "E", "anonymousId": "a", "messageId": str(number)})
        answers = {browser.get("/console/behavior/throughput").text.count('<td class="n">20</td>') for _ in range(3)}
    assert answers == {1}
