"""The compactor's loop, and the compactor beside a running service."""

import logging
from collections import Counter
from pathlib import Path

import httpx
import pytest

from features.tombstones import Tombstones
from serving import compaction
from serving.settings import Settings
from tests.running_service import ADMIN_KEY, eventually, running_service
from tests.spooled import NOON_US, keys_of, message, rows_of, write_spool


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(compaction, "_STEPS_BACK", 0)  # a test stays as quick as it is
    return Settings(state_dir=tmp_path, compact_seconds=7)


def test_the_loop_goes_on_after_an_error_and_counts(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[compaction.CompactionMetrics] = []

    class Metrics(compaction.CompactionMetrics):
        def __init__(self) -> None:
            super().__init__()
            made.append(self)

    monkeypatch.setattr(compaction, "CompactionMetrics", Metrics)
    write_spool(tmp_path / "spool", [message("1"), message("1"), message("g", "gone"), b"nonsense"])
    Tombstones.append(f"{settings.archive}/tombstones", ["gone"], NOON_US)
    turns: list[float] = []

    def wait(seconds: float) -> bool:
        turns.append(seconds)
        part = next((tmp_path / "archive").rglob("part-*"), None)
        if len(turns) == 2:
            assert part is not None
            write_spool(tmp_path / "spool", [message("2")])
            part.rename(tmp_path / "kept")
            part.write_bytes(b"broken")
        if len(turns) == 3:
            (tmp_path / "kept").rename(part)
        return len(turns) == 4

    with caplog.at_level(logging.INFO, compaction.__name__):
        compaction.run_forever(settings, wait)
    assert turns == [7, 7, 7, 7]
    assert keys_of(settings.archive) == Counter({("v", "1"): 1, ("v", "2"): 1})
    said = [(record.levelname, record.getMessage().split(":")[0]) for record in caplog.records]
    assert said == [("INFO", "compacted"), ("ERROR", "the spool cannot be compacted"), ("INFO", "compacted")]
    [metrics] = made

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"augury_compaction_{name}_total", labels)

    assert (value("rows", stream="events"), value("rows", stream="rejected"), value("failures")) == (2, 1, 1)
    assert (value("dropped", reason="duplicate"), value("dropped", reason="forgotten")) == (1, 1)
    assert value("rejected", reason="not_json") == 1


def test_a_services_events_become_partitions_and_are_forgotten_on_demand(tmp_path: Path) -> None:
    quick = {"AUGURY_SPOOL_ROTATE_SECONDS": "0.2", "AUGURY_COMPACT_SECONDS": "0.2"}
    archive = tmp_path / "state" / "archive"
    with running_service(tmp_path / "state", quick) as service:
        with service.client() as client:
            for visitor in ("a", "b"):
                body = {"event": "Seen", "anonymousId": visitor, "messageId": f"of-{visitor}"}
                assert client.post("/v1/track", json=body).status_code == 200
        eventually(lambda: len(rows_of(archive)) == 2)
        headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
        answer = httpx.delete(f"{service.url}/v1/visitors/a", headers=headers)
        assert answer.json()["store"]["events"] == 1
        eventually(lambda: [row["anonymous_id"] for row in rows_of(archive)] == ["b"])
        eventually(
            lambda: 'augury_compaction_forgotten_total{stream="events"} 1.0' in httpx.get(f"{service.url}/metrics").text
        )
        assert service.stop() == 0
    assert keys_of(archive) == Counter({("b", "of-b"): 1})
