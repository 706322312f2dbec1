"""The streaming pipeline: its options, and the whole of it on streams whose watermark the test moves."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.io.gcp.pubsub import PubsubMessage

from features.errors import AuguryError
from features.recent_events import RecentRules
from pipelines.ingest_events import IngestOptions, build, start
from pipelines.launch import PipelineOptionError
from pipelines.store_options import StoreOptionError
from tests.real_redis import RedisServer, running_server
from tests.transforms.streams import add, at, clock, message, rows_below, run_stream, stream, track

SUBSCRIPTION = "projects/my-shop/subscriptions/received"
TOPIC = "projects/my-shop/topics/received"


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with running_server() as running:
        yield running


def options(folder: Path | str = "archive", **more: Any) -> IngestOptions:
    given = {"subscription": SUBSCRIPTION, "recent_events": False, **more}
    return IngestOptions(archive=str(folder), dead_letter=f"{folder}-bad", **given)


def ingest(test_stream: Any, asked: IngestOptions) -> dict[str, int]:
    def compose(messages: beam.PCollection) -> None:
        build(messages.pipeline, asked, messages | beam.Map(lambda each: each).with_output_types(PubsubMessage))

    # files wait for real seconds here, of which a test stream has as many as it likes
    result = run_stream(test_stream.advance_processing_time(2e9), compose)
    return {each.key.metric.name: each.committed for each in result.metrics().query()["counters"]}


def test_late_events_are_kept_and_marked(tmp_path: Path) -> None:
    s = add(stream(), 0, message(track("ann", "in time", 0)))
    s = add(s.advance_watermark_to(at(7200)), 7201, message(track("ann", "late", 3600)))  # an hour and a second
    s = add(s, 7202, message(track("ann", "not quite", 3602)))
    s = add(s, 60, message(track("ann", "overtaken", 59)))  # the watermark passed it two hours ago, but it was quick
    s = add(s, 7203, message(track("ann", "sent before", 7200, receivedAt=clock(7199))))
    ingest(s, options(tmp_path / "archive"))
    found = {row["message_id"]: (row["late"], row["partition"][-2:]) for row in rows_below(tmp_path / "archive/events")}
    assert found == {
        "in time": (False, "12"),
        "late": (True, "14"),
        "not quite": (False, "14"),
        "overtaken": (False, "12"),
        "sent before": (False, "14"),
    }


def test_copies_are_archived_once_within_the_window(tmp_path: Path) -> None:
    call = track("ann", "m1", 0)
    s = add(stream(), 0, message(call), message(call), message({**call, "anonymousId": "bob"}))
    s = add(s.advance_watermark_to(at(50)), 59, message(call))
    s = add(s.advance_watermark_to(at(119)), 120, message(call))  # a minute after the first: the memory is gone
    ingest(s, options(tmp_path / "archive", dedup_seconds=60))
    assert sorted((row["anonymous_id"], row["received_at_us"]) for row in rows_below(tmp_path / "archive/events")) == [
        ("ann", at(0).micros),
        ("ann", at(120).micros),
        ("bob", at(0).micros),
    ]


def test_every_message_is_counted_in_one_place(tmp_path: Path, server: RedisServer) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('test_hosts = ["staging.shop.example"]\n')
    test = {"page": {"url": "https://staging.shop.example/"}}
    s = add(  # one bundle: of a step's later ones, this runner forgets the counters
        stream(),
        0,
        message(track("ann", "m1", 0)),
        message(track("ann", "m1", 0)),
        message(track("ann", "m2", 0, context=test)),
        message(b"bad"),
        message({"reason": "no_time", "row": "{}", "source": "spool"}, stream="rejected"),
        message(track("old", "m3", 0, timestamp="2019-01-01T00:00:00Z")),
    )
    asked = options(
        tmp_path / "archive", cleaning=str(rules), recent_events=True, redis_url=server.url, store_days=3650
    )
    counters = ingest(s, asked)
    assert {name: n for name, n in counters.items() if name.split("/")[0] not in ("archive", "dead_letter")} == {
        "read/rows": 6,
        "rejected/not_json": 1,
        "rejected_before/no_time": 1,
        "dropped/test_event": 1,
        "kept/cleaned": 3,
        "dropped/repeat": 1,
        "kept/first": 2,
        "arrived/in_time": 1,
        "arrived/late": 1,
        "recent/new": 2,
    }
    assert counters["archive/rows"] == 2
    letters = rows_below(tmp_path / "archive-bad")
    assert sorted((row["reason"], row["row"], row["source"]) for row in letters) == [
        ("no_time", "{}", "spool"),
        ("not_json", "bad", SUBSCRIPTION),
    ]
    with server.client() as client:
        assert sorted(client.keys("augury:*")) == [b"augury:h:ann", b"augury:h:old", b"augury:z:ann", b"augury:z:old"]


def test_the_archive_is_what_the_examples_pipeline_reads(tmp_path: Path) -> None:
    from pipelines.behavior_examples import make_examples
    from pipelines.behavior_recipe import ExamplesOptions

    agent = {"userAgent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"}
    calls = [track(f"v{n}", f"m{n}", n, context=agent) for n in range(20)]
    ingest(add(stream(), 20, *map(message, calls)), options(tmp_path / "archive"))
    card = make_examples(
        ExamplesOptions(
            events=(str(tmp_path / "archive/events"),), output=str(tmp_path / "data"), adapter="canonical", golden=0
        )
    )
    assert (card["events"]["read"], card["visitors"]) == (20, 20)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"subscription": None}, "give either subscription or topic"),
        ({"topic": TOPIC}, "give either subscription or topic"),
        ({"subscription": "s"}, "subscription is 's'; expected projects/PROJECT/subscriptions/NAME"),
        ({"subscription": None, "topic": SUBSCRIPTION}, "expected projects/PROJECT/topics/NAME"),
        ({"subscription": "projects/p/subscriptions/received"}, "Invalid PubSub project name: 'p'"),
        (
            {"dead_letter": "projects/p/topics/bad"},
            "topic is 'projects/p/topics/bad'; expected projects/PROJECT/topics",
        ),
        ({"dedup_seconds": 0}, "dedup_seconds is 0; expected 1 to 2592000"),
        ({"lateness_seconds": -1}, "lateness_seconds is -1; expected 0 to 2592000"),
        ({"archive_seconds": 4000}, "archive_seconds is 4000; expected 0.1 to 3600"),
        ({"archive_shards": 0}, "archive_shards is 0; expected 1 to 256"),
        ({"archive": "bq://table"}, "'bq://table' names no BigQuery table; expected bq://project.dataset.table"),
        ({"archive": TOPIC}, f"archive is '{TOPIC}'; expected a folder or bq://"),
        ({"archive": ""}, "archive is ''; expected a folder"),
        ({"archive": "what://x"}, "unknown protocol"),
        ({"dead_letter": SUBSCRIPTION}, "expected a folder, projects/P/topics/T or bq://"),
        ({"subscription": None, "topic": TOPIC, "dead_letter": TOPIC}, "it would come back for ever"),
        ({"recent_events": True}, "no Redis to write recent events to; give redis_url or set REDIS_URL"),
        ({"recent_events": True, "redis_url": "http://:pw@h"}, "begins with 'http'; expected redis://HOST:PORT/0"),
        ({"recent_events": True, "redis_url": "redis://h", "store_events": 0}, "store: count 0 is not possible"),
        ({"recent_events": True, "redis_url": "redis://h", "store_types": ("tracks",)}, r"types \['tracks'\]"),
    ],
)
def test_options_that_cannot_be_are_refused(
    more: dict[str, Any], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    given = {"archive": "a", "dead_letter": "d", "subscription": SUBSCRIPTION, "recent_events": False, **more}
    with pytest.raises(AuguryError, match=expected) as caught:
        IngestOptions(**given)
    assert "\n" not in str(caught.value) and "pw" not in str(caught.value)


def test_the_store_is_that_of_the_environment_and_its_url_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:secret@h:1/0")
    asked = options(recent_events=True, redis_url="redis://:hidden@h:2/0", store_events=7, store_namespace="site")
    assert asked.store().url == "redis://:hidden@h:2/0"
    assert asked.store().rules == RecentRules(count=7, dedup_seconds=0, namespace="site")
    assert options(recent_events=True).store().url == "redis://:secret@h:1/0"
    assert "hidden" not in repr(asked)


def test_an_unknown_flag_is_refused_before_anything_is_read() -> None:
    with pytest.raises(PipelineOptionError, match="unknown option --archve"):
        start(options(), ["--archve=x"])


def test_rules_of_the_store_that_cannot_be_are_the_options_error() -> None:
    with pytest.raises(StoreOptionError, match="max_age_days 0"):
        options(recent_events=True, redis_url="redis://h", store_days=0)


@pytest.mark.parametrize("target", ["bq://shop.web.{}", "gs://bucket/{}"])
def test_dataflow_gets_a_streaming_job_of_it(target: str) -> None:
    """Only the job's graph is made: nothing is asked of any network."""
    more = {"recent_events": True, "redis_url": "redis://:secret@10.0.0.3:6379/0"}
    asked = IngestOptions(target.format("events"), target.format("bad"), subscription=SUBSCRIPTION, **more)
    flags = ["--runner=DataflowRunner", "--dry_run=True", "--project=shop", "--region=europe-west1"]
    result = start(asked, [*flags, "--temp_location=gs://bucket/t", "--staging_location=gs://bucket/s"])
    job = str(result.job.json())
    assert "JOB_TYPE_STREAMING" in job
    assert "secret" not in job
