"""Tables that are written to: checked at start-up, streamed into from Pub/Sub, and loaded by batch jobs."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from google.cloud import bigquery, pubsub_v1

from features.tables import load_table
from pipelines.ingest_events import IngestOptions, start
from serving.compaction_streams import PREDICTION_SCHEMA
from tests.pubsub_server import PubSubServer
from tests.real_redis import wait_until
from tests.transforms.streams import at, clock, track
from transforms.bigquery_check import TableMismatchError, check_tables
from transforms.bigquery_clients import BigQueryError
from transforms.log_predictions import LogPredictions, check_prediction_log
from transforms.sources import plan_reads, read_chunks

PROJECT = "projects/test-proj"
TOPIC, SUBSCRIPTION = f"{PROJECT}/topics/events", f"{PROJECT}/subscriptions/events"


@pytest.fixture
def pubsub(monkeypatch: pytest.MonkeyPatch) -> Iterator[PubSubServer]:
    with PubSubServer() as server:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", server.address)
        publisher = pubsub_v1.PublisherClient()
        publisher.create_topic(name=TOPIC)
        publisher.transport.close()
        with pubsub_v1.SubscriberClient() as subscriber:
            subscriber.create_subscription(name=SUBSCRIPTION, topic=TOPIC, ack_deadline_seconds=600)
        yield server


def new_letters(new_table: Callable[..., str]) -> str:
    return new_table("dead_letters", [dict(field) for field in load_table("dead_letters").fields])


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # of Beam's clients, which close nothing
def test_received_events_are_streamed_into_the_archive_and_read_back(
    beam_emulators: None,
    pubsub: PubSubServer,
    archive_table: Callable[..., str],
    new_table: Callable[..., str],
    client: bigquery.Client,
) -> None:
    archive, letters = archive_table(), new_letters(new_table)
    with pubsub_v1.PublisherClient() as publisher:
        good = [track(f"v{n % 3}", f"m{n}", n, receivedAt=clock(n)) for n in range(30)]
        late = track("v0", "late", 0, receivedAt=clock(2 * 86_400))
        lines = [json.dumps(call).encode() for call in [*good, good[0], late]]
        publisher.publish(TOPIC, b"\n".join(lines)).result()
        publisher.publish(TOPIC, b'{"type": "track", ').result()
    options = IngestOptions(archive=archive, dead_letter=letters, subscription=SUBSCRIPTION, recent_events=False)
    result = start(options)
    try:
        wait_until(lambda: _rows(client, archive) == 31 and _rows(client, letters) == 1, "writing all rows", 60)
    finally:
        result.cancel()
    [letter] = _all(client, letters)
    assert (letter["reason"], letter["source"]) == ("not_json", SUBSCRIPTION)
    [task] = plan_reads([archive])
    rows = {row["message_id"]: row for chunk in read_chunks(task) for row in chunk.to_pylist()}
    assert set(rows) == {*(f"m{n}" for n in range(30)), "late"}
    assert rows["m7"]["timestamp_us"] == at(7).micros
    assert (rows["m7"]["late"], rows["late"]["late"]) == (False, True)
    days = {str(rows[name]["day"]) for name in ("m0", "late")}
    assert days == {clock(0)[:10], clock(2 * 86_400)[:10]}  # of receipt


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # of Beam's clients, which close nothing
def test_predictions_are_loaded_into_their_log(
    beam_emulators: None, new_table: Callable[..., str], new_bucket: Callable[[str], str], client: bigquery.Client
) -> None:
    table = load_table("predictions")
    target = new_table("predictions", [dict(field) for field in table.fields])
    check_prediction_log(target)
    rows = [
        {
            "prediction_id": f"p{n}",
            "time_us": at(n).micros,
            "model": "purchase",
            "version": "v1",
            "visitor": f"v{n}",
            "known": True,
            "probability": 0.25,
            "probabilities": [0.75, 0.25],
            "segment": "high",
            "events_used": n,
        }
        for n in range(5)
    ]
    flags = PipelineOptions([f"--temp_location={new_bucket('loads')}/temp", "--project=test-proj"])
    with beam.Pipeline("FnApiRunner", options=flags) as pipeline:
        batches = [pa.RecordBatch.from_pylist(part, PREDICTION_SCHEMA) for part in (rows[:2], rows[2:])]
        _ = pipeline | beam.Create(batches) | LogPredictions(target)
    found = sorted(_all(client, target), key=lambda row: row["prediction_id"])
    assert [{name: row[name] for name in rows[0]} for row in found] == rows
    assert {str(row["day"]) for row in found} == {clock(0)[:10]}


def test_a_table_that_is_not_there_is_told_before_anything_is_read(dataset: str) -> None:
    target = f"bq://{dataset}.events"
    asked = IngestOptions(archive=target, dead_letter="dead", subscription=SUBSCRIPTION, recent_events=False)
    with pytest.raises(BigQueryError) as refused:
        start(asked)
    assert str(refused.value).startswith(
        f"{target} (to be made by Terraform, or of features/tables/events.json): not found; check project"
    )


def test_a_table_with_other_columns_is_told_before_anything_is_read(new_table: Callable[..., str]) -> None:
    fields = [dict(field) for field in load_table("events").fields if field["name"] != "late"]
    fields[5]["type"] = "TIMESTAMP"
    target = new_table("events", fields)
    asked = IngestOptions(archive=target, dead_letter="dead", subscription=SUBSCRIPTION, recent_events=False)
    with pytest.raises(TableMismatchError) as refused:
        start(asked)
    assert str(refused.value) == (
        f"{target}: column 'timestamp_us' is TIMESTAMP REQUIRED, expected INTEGER REQUIRED; column 'late' is missing, "
        "expected BOOLEAN REQUIRED; make it as features/tables/events.json says"
    )


def test_a_table_as_it_should_be_passes(archive_table: Callable[..., str], new_table: Callable[..., str]) -> None:
    check_tables({archive_table(): load_table("events"), new_letters(new_table): load_table("dead_letters")})


def _rows(client: bigquery.Client, target: str) -> int:
    return len(_all(client, target))


def _all(client: bigquery.Client, target: str) -> list[dict[str, Any]]:
    return [dict(row) for row in client.query(f"SELECT * FROM `{target.removeprefix('bq://')}`").result()]
