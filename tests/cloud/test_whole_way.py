"""The whole way in the cloud, on its emulators: events in BigQuery to a prediction of a published model."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.cloud import bigquery

from benchmarks.examples_equal import require_equal
from features.events import EVENT_SCHEMA
from features.storage import list_files, local_folder
from features.tables import load_table
from models.gates import GateResult
from models.registry import ConflictError, Registry
from pipelines.batch_options import BatchOptionError, BatchPredictOptions
from pipelines.batch_predict import batch_predict
from pipelines.behavior_examples import make_examples
from pipelines.behavior_recipe import ExamplesOptions
from tests.running_service import running_service
from tests.tiny_model import START_US, shop_events
from transforms.read_tasks import SourceError

MODEL = ("behavior", "purchase")
TINY = ("--units=8", "--embedding-units=4", "--max-epochs=2", "--batch-size=64", "--learning-rate=0.01")


def augury(*words: str, folder: Path) -> str:
    """Runs the command in an empty folder, with caches of its own; returns what it printed."""
    root = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": root, "XDG_CACHE_HOME": str(folder / "cache")}
    command = [sys.executable, "-m", "augury.cli", *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def canonical(events: pa.Table) -> pa.Table:
    columns = {name: events[name] for name in EVENT_SCHEMA.names if name in events.column_names}
    given = [columns.get(field.name, pa.nulls(len(events), field.type)).cast(field.type) for field in EVENT_SCHEMA]
    return pa.table(given, schema=EVENT_SCHEMA)


@pytest.fixture
def events() -> pa.Table:
    return canonical(shop_events(600, 1))


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # of Beam's clients, which close nothing
def test_from_events_in_bigquery_to_a_prediction(
    beam_emulators: None,
    client: bigquery.Client,
    archive_table: Callable[..., str],
    new_table: Callable[..., str],
    new_bucket: Callable[[str], str],
    events: pa.Table,
    tmp_path: Path,
) -> None:
    table, bucket = archive_table(events), new_bucket("whole-way")
    asked = {"adapter": "canonical", "gap_minutes": 30.0, "sequence_length": 8, "hash_size": 64, "shards": 2}
    card = make_examples(ExamplesOptions(events=(table,), output=f"{bucket}/examples", **asked))
    assert card["events"] == {"read": len(events), "rejected": {}, "dropped": {}}
    assert card["sources"] == [table]

    # The same events from a file give the same examples.
    pq.write_table(events, tmp_path / "events.parquet")
    make_examples(ExamplesOptions(events=(str(tmp_path / "events.parquet"),), output=str(tmp_path / "same"), **asked))
    assert require_equal(local_folder(f"{bucket}/examples"), tmp_path / "same") > 500

    model, registry = f"{bucket}/models/first", f"{bucket}/registry"
    said = augury("train", "behavior", "--examples", f"{bucket}/examples", "--output", model, *TINY, folder=tmp_path)
    assert f"report: {model}/report.html" in said
    assert f"{model}/model_card.json" in list_files(model)
    assert not (tmp_path / "first.work" / "checkpoint.npz").exists()
    augury("publish", model, "/".join(MODEL), "--registry", registry, folder=tmp_path)
    thresholds = tmp_path / "gates.toml"
    thresholds.write_text("max_ece = 1.0\n[at_least]\nauc = 0.0\n")
    promoted = augury(
        "promote", "/".join(MODEL), "--registry", registry, "--thresholds", str(thresholds), folder=tmp_path
    )
    [version] = Registry(registry, cache=tmp_path / "versions").versions(*MODEL)
    assert f"behavior/purchase has champion {version}" in promoted  # its golden set came back bit for bit over HTTP

    logged = load_table("predictions")
    log = new_table("predictions", [dict(field) for field in logged.fields])
    asked = {"events": (table,), "model": "purchase", "registry": registry, "shards": 2, "store_days": 1e4}
    batch = BatchPredictOptions(**asked, output=log, dead_letter=f"{bucket}/bad")
    with pytest.raises(BatchOptionError, match="loaded into from files: say with --temp_location=gs://"):
        batch_predict(batch)
    counts = batch_predict(batch, [f"--temp_location={bucket}/temp", "--project=test-proj"])
    rows = [dict(row) for row in client.query(f"SELECT * FROM `{log.removeprefix('bq://')}`").result()]
    assert len(rows) == counts["predictions"]["rows"] > 500
    assert {(row["model"], row["version"], row["asked_by"]) for row in rows} == {("purchase", version, "batch")}
    folder = f"{bucket}/predictions"
    batch_predict(replace(batch, output=folder))
    written = pa.concat_tables([pq.read_table(path) for path in Path(local_folder(folder)).glob("*.parquet")])
    wanted = {row["visitor"]: row["probability"] for row in written.to_pylist()}
    assert {row["visitor"]: row["probability"] for row in rows} == pytest.approx(wanted, abs=1e-6)

    settings = {"AUGURY_REGISTRY": registry, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    with running_service(tmp_path / "state", settings) as service, service.client() as client:
        context = {"page": {"url": "https://shop.example/page/1"}}
        page = {"type": "page", "anonymousId": "ann", "messageId": "m1", "context": context}
        answer = client.post("/v1/predict/purchase", json={"events": [page]}).raise_for_status().json()
        assert (answer["version"], answer["visitor"], answer["known"]) == (version, "ann", True)
        assert 0 < answer["probability"] < 1


def test_of_two_racing_promotions_one_wins_and_one_is_told(new_bucket: Callable[[str], str], tmp_path: Path) -> None:
    registry = Registry(f"{new_bucket('races')}/registry", cache=tmp_path / "cache")
    versions = []
    for auc in (0.7, 0.8):
        folder = tmp_path / f"model{auc}"
        folder.mkdir()
        (folder / "model_card.json").write_text(f'{{"metrics": {{"auc": {auc}}}}}')
        versions.append(registry.publish(folder, *MODEL))
    both_have_passed = threading.Barrier(2, timeout=60)
    told: dict[str, str] = {}

    def gates(candidate: Path, champion: Path | None) -> list[GateResult]:
        both_have_passed.wait()
        return [GateResult("metrics", True, "good enough")]

    def promote(version: str) -> None:
        try:
            registry.promote(*MODEL, version, gates, by=version)
            told[version] = "won"
        except ConflictError as e:
            told[version] = str(e)

    racers = [threading.Thread(target=promote, args=(version,)) for version in versions]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    winner = registry.champion(*MODEL)
    assert winner is not None
    assert told.pop(winner.version) == "won"
    [(loser, message)] = told.items()
    assert loser in versions
    assert f"the champion is now {winner.version}" in message
    changes = [line for line in registry.history(*MODEL) if line["action"] == "promote"]
    assert [line["version"] for line in changes] == [winner.version]


def test_the_window_of_an_archive_decides_what_is_read(
    archive_table: Callable[..., str], events: pa.Table, tmp_path: Path
) -> None:
    day_us = 86_400_000_000
    days = [time // day_us for time in events["timestamp_us"].to_pylist()]
    first = START_US // day_us
    wanted = sum(day == first for day in days)
    assert 0 < wanted < len(days)
    table = archive_table(events)
    source = f"{table}?from=2023-11-14&to=2023-11-14"  # the day of START_US
    card = make_examples(ExamplesOptions(events=(source,), output=str(tmp_path / "out"), adapter="canonical"))
    assert card["events"]["read"] == wanted


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # of Beam's clients, which close nothing
def test_beam_runs_a_query_inside_the_pipeline(
    beam_emulators: None,
    archive_table: Callable[..., str],
    new_bucket: Callable[[str], str],
    events: pa.Table,
    tmp_path: Path,
) -> None:
    sql = tmp_path / "query.sql"
    # BigQuery's JSON has no nulls in it, the emulator's has, and Beam fails at those of integers.
    sql.write_text(f"SELECT * EXCEPT (day, received_at_us) FROM `{archive_table(events).removeprefix('bq://')}`")
    pq.write_table(events, tmp_path / "events.parquet")
    first = {"events": (str(tmp_path / "events.parquet"),), "output": str(tmp_path / "first"), "adapter": "canonical"}
    make_examples(ExamplesOptions(**first, gap_minutes=30.0))
    asked = {
        "events": (f"bq-query://test-proj/{sql}?by=beam",),
        "output": str(tmp_path / "again"),
        "adapter": "canonical",
    }
    with pytest.raises(SourceError, match="sql.by=beam can only be read inside a pipeline: give the spec"):
        make_examples(ExamplesOptions(**asked, generator="high_value"))
    asked["spec"] = str(tmp_path / "first" / "feature_spec.json")
    with pytest.raises(SourceError, match="sql.by=beam: Beam does not say beforehand how many rows it has; give --sh"):
        make_examples(ExamplesOptions(**asked))
    flags = [f"--temp_location={new_bucket('by-beam')}/temp", "--project=test-proj"]
    card = make_examples(ExamplesOptions(**asked, shards=2), flags)
    assert card["events"] == {"read": len(events), "rejected": {}, "dropped": {}}
    assert require_equal(tmp_path / "again", tmp_path / "first") > 500
