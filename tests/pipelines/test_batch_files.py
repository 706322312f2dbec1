"""Batch predictions from files: forms, windows, consent, and what stops a job."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import apache_beam as beam
import orjson
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from features.errors import AuguryError
from features.tombstones import Tombstones
from pipelines.batch_options import BatchOptionError, BatchPredictOptions
from pipelines.batch_predict import batch_predict, build, make_batch_recipe
from pipelines.launch import PipelineFailedError
from tests.tiny_model import NAME, registry  # noqa: F401 - a fixture
from tests.transforms.streams import NOON_US, SECOND_US, clock, track
from transforms.staging import Staging

DAY = 86_400.0


def lines(path: Path, *messages: Any) -> str:
    path.write_bytes(b"".join((each if isinstance(each, bytes) else orjson.dumps(each)) + b"\n" for each in messages))
    return str(path)


def options(registry: Path, events: str, output: Path, **more: Any) -> BatchPredictOptions:  # noqa: F811
    given = {"adapter": "segment", "registry": str(registry), "model": NAME, **more}
    return BatchPredictOptions(events=(events,), output=str(output), **given)


def consent(advertising: bool) -> dict[str, Any]:
    return {"consent": {"categoryPreferences": {"Advertising": advertising}}}


@pytest.fixture
def events(tmp_path: Path) -> str:
    return lines(
        tmp_path / "events.jsonl",
        track("ann", "m1", -40 * DAY),
        track("ann", "m2", 0),
        track("ann", "m3", 5),
        track("ann", "m3", 5),
        track("bob", "m4", -20 * DAY),
        track("cyd", "m5", 1, context=consent(True)),
        track("cyd", "m6", 2, context=consent(False)),
        track("cyd", "m7", 3),
        track("dan", "m8", 1, context=consent(False)),
        track("dan", "m9", 2, context=consent(True)),
        track("eve", "m10", 1),
        track("user:fay", "m11", 1),
    )


def visitors(folder: Path) -> dict[str, dict[str, Any]]:
    found = [row for path in sorted(folder.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]
    return {row["visitor"]: row for row in found}


def test_who_is_scored_and_who_is_left_out(registry: Path, events: str, tmp_path: Path) -> None:  # noqa: F811
    Tombstones.append(str(tmp_path / "tombstones"), ["eve"], NOON_US + 10 * SECOND_US)
    given = {"tombstones": str(tmp_path / "tombstones"), "shards": 2}
    card = batch_predict(options(registry, events, tmp_path / "all", **given))
    assert visitors(tmp_path / "all").keys() == {"ann", "bob", "dan"}
    assert card["left_out"] == {"opted_out": 1}
    assert card["window"]["end_us"] == NOON_US + 5 * SECOND_US + 1
    assert card["events"] == {
        "read": 12,
        "rejected": {},
        "dropped": {"opted_out": 2, "copy": 1, "forgotten": 1, "outdated": 1, "refused_id": 1},
    }
    ann = visitors(tmp_path / "all")["ann"]
    assert (ann["events_used"], ann["known"], ann["window_end_us"]) == (2, True, card["window"]["end_us"])
    since = batch_predict(options(registry, events, tmp_path / "since", window_start="2026-08-01", **given))
    assert visitors(tmp_path / "since").keys() == {"ann", "dan"}
    assert since["left_out"] == {"not_in_window": 1, "opted_out": 1}
    until = batch_predict(options(registry, events, tmp_path / "until", window_end=clock(4), **given))
    assert visitors(tmp_path / "until")["ann"]["events_used"] == 1
    assert until["events"]["dropped"]["after_window"] == 2


def test_numbers_of_shards_and_processes_change_nothing(registry: Path, events: str, tmp_path: Path) -> None:  # noqa: F811
    batch_predict(options(registry, events, tmp_path / "one", shards=1))
    batch_predict(options(registry, events, tmp_path / "five", shards=5))
    assert visitors(tmp_path / "one") == visitors(tmp_path / "five")


def test_csv_holds_the_same_bits(registry: Path, events: str, tmp_path: Path) -> None:  # noqa: F811
    batch_predict(options(registry, events, tmp_path / "parquet", shards=1))
    batch_predict(options(registry, events, tmp_path / "csv", shards=1, output_format="csv"))
    [path] = (tmp_path / "csv").glob("predictions-*.csv")
    rows = {row["visitor"]: row for row in pacsv.read_csv(path).to_pylist()}
    for visitor, row in visitors(tmp_path / "parquet").items():
        assert rows[visitor]["probability"] == row["probability"]
        assert [float(each) for each in rows[visitor]["probabilities"].split()] == row["probabilities"]
        assert rows[visitor]["segment"] == row["segment"]


def test_an_output_is_whole_or_as_it_was(registry: Path, events: str, tmp_path: Path) -> None:  # noqa: F811
    batch_predict(options(registry, events, tmp_path / "out"))
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises(AuguryError, match="holds files already; choose another output or pass --overwrite"):
        batch_predict(options(registry, events, tmp_path / "out"))
    bad = lines(tmp_path / "bad.jsonl", track("ann", "m1", 0), b"broken")
    with pytest.raises(PipelineFailedError, match=r"1 of 2 rows \(50.0%\) were rejected \(not_json 1\)"):
        batch_predict(options(registry, bad, tmp_path / "out", overwrite=True))
    early = lines(tmp_path / "early.jsonl", track("ann", "m1", 0))
    with pytest.raises(PipelineFailedError, match="no visitor to score among 1 rows"):
        batch_predict(options(registry, early, tmp_path / "out", overwrite=True, window_end="2026-07-01"))
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    assert not list(tmp_path.glob(".out*"))
    batch_predict(options(registry, early, tmp_path / "out", overwrite=True))
    assert visitors(tmp_path / "out").keys() == {"ann"}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"version": "2020"}, "'2020' is no version of behavior/purchase"),
        ({"model": "signup"}, "there is no behavior/signup in this registry; it has behavior/purchase"),
        ({"store_events": 4}, "reads the last 8 events, but the fast store keeps 4"),
        ({"store_types": ("page",)}, "sees alias events, which the fast store does not keep"),
        ({"window_start": "2026-09-01", "window_end": "2026-08-01"}, "window_start 2026-09-01 is not before"),
        ({"tombstones": "nowhere"}, "tombstones nowhere has no tombstones in it"),
    ],
)
def test_a_job_that_cannot_be_is_refused_before_any_work(
    more: dict[str, Any],
    message: str,
    registry: Path,  # noqa: F811
    events: str,
    tmp_path: Path,
) -> None:
    with pytest.raises(AuguryError, match=message):
        make_batch_recipe(options(registry, events, tmp_path / "out", **more))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"events": ()}, "no events to read"),
        ({"shards": 0}, "shards is 0; expected 1 to 4096"),
        ({"output_format": "xlsx"}, "output_format is 'xlsx'; expected parquet or csv"),
        ({"store_days": 0}, "store: max_age_days 0 is not possible"),
        ({"output": "bq://p.d.t"}, "output is bq://p.d.t; name a folder for rejected rows with dead_letter"),
    ],
)
def test_options_that_cannot_be_are_refused(more: dict[str, Any], message: str) -> None:
    with pytest.raises(BatchOptionError, match=message):
        BatchPredictOptions(**{"events": ("a",), "model": "m", "output": "o", **more})


@pytest.mark.parametrize("target", ["folder", "bq://shop-one.augury.predictions"])
def test_one_shuffle_of_few_large_values(registry: Path, events: str, tmp_path: Path, target: str) -> None:  # noqa: F811
    table = target.startswith("bq://")
    asked = options(registry, events, Path(target), dead_letter=str(tmp_path / "bad"))
    asked = replace(asked, output=target)
    pipeline = beam.Pipeline()
    build(pipeline, asked, make_batch_recipe(asked), None if table else Staging(str(tmp_path), str(tmp_path)))
    steps = pipeline.to_runner_api().components.transforms.values()
    shuffles = [step.unique_name for step in steps if step.spec.urn == "beam:transform:group_by_key:v1"]
    # reading plans, side inputs and Beam's own sink have shuffles of theirs; events cross one
    ours = [name for name in shuffles if "Reshuffle" not in name and not name.startswith("LogPredictions/")]
    assert ours == ["GroupByShard/GroupByKey"]
    assert any(step.unique_name.startswith("LogPredictions/") for step in steps) is table
