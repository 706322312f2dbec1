"""Predictions of a log joined with events on Beam: every row is judged, or left out and counted."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import AuguryError
from features.events import EVENT_SCHEMA
from features.tombstones import Tombstones
from models.registry import Registry
from pipelines.outcome_options import OutcomeOptionError, OutcomeOptions
from pipelines.outcome_report import join_outcomes, run
from serving.compaction_streams import PREDICTION_SCHEMA
from tests.tiny_model import NAME, registry  # noqa: F401 - a fixture

MINUTE_US, DAY_US = 60_000_000, 86_400_000_000
MONDAY_US = 1_767_571_200_000_000
"""2026-01-05T00:00Z, a Monday. The tiny model is of `purchase`, in sessions that 30 minutes of silence end."""

PAGE, ORDER = "Page Viewed", "Order Completed"


def event(visitor: str, minute: float, name: str = PAGE, user: str | None = None) -> dict[str, Any]:
    time_us = MONDAY_US + round(minute * MINUTE_US)
    return {
        "message_id": f"{visitor}-{minute:g}-{name}",
        "anonymous_id": visitor,
        "user_id": user,
        "type": "page" if name == PAGE else "identify" if name == "Identify" else "track",
        "event": name,
        "timestamp_us": time_us,
        "received_at_us": time_us + 1000,
    }


EVENTS = [
    event("buyer", 0),
    event("buyer", 5),
    event("buyer", 10, ORDER),
    event("looker", 0),
    # a login gives the anonymous history to the user: phone and laptop are one person, who buys on the laptop
    event("phone", 0),
    event("phone", 1, "Identify", "ada"),
    event("laptop", 2, "Identify", "ada"),
    event("laptop", 9, ORDER, "ada"),
    event("gone", 0),
    event("gone", 3, ORDER),
    # the next week, and the last event
    event("buyer", 8 * 1440),
    event("late", 16 * 1440),
]


def prediction(visitor: str, minute: float, version: str, **more: Any) -> dict[str, Any]:
    return {
        "prediction_id": f"{visitor}@{minute:g}",
        "time_us": MONDAY_US + round(minute * MINUTE_US),
        "model": NAME,
        "version": version,
        "visitor": visitor,
        "known": True,
        "probability": 0.25,
        "probabilities": [0.75, 0.25],
        "asked_by": "visitor",
        **more,
    }


def write(path: Path, rows: list[dict[str, Any]], schema: pa.Schema) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema), path)
    return str(path)


@pytest.fixture
def version(registry: Path) -> str:  # noqa: F811
    return Registry(registry).versions("behavior", NAME)[-1]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    write(tmp_path / "archive/events/date=2026-01-05/hour=00/part-1.parquet", EVENTS, EVENT_SCHEMA)
    return tmp_path / "archive"


def log(archive: Path, rows: list[dict[str, Any]]) -> None:
    write(archive / "predictions/date=2026-01-05/hour=00/part-1.parquet", rows, PREDICTION_SCHEMA)


def asked(archive: Path, registry: Path, **more: Any) -> OutcomeOptions:  # noqa: F811
    given: dict[str, Any] = {"settle_days": 2.0, "shards": 3, **more}
    return OutcomeOptions(
        (f"{archive}/events",),
        (f"{archive}/predictions",),
        given.pop("model", NAME),
        str(archive.parent / "outcomes"),
        registry=str(registry),
        **given,
    )


def read(folder: Path, card: Mapping[str, Any]) -> dict[str, tuple[str, str, int | None]]:
    rows = [row for name in card["files"] for row in pq.read_table(folder / name).to_pylist()]
    assert len(rows) == card["predictions"]["judged"]
    return {row["prediction_id"]: (row["visitor"], row["status"], row["label"]) for row in rows}


def test_each_prediction_gets_the_answer_that_its_visitor_gave(
    archive: Path,
    registry: Path,  # noqa: F811
    version: str,
) -> None:
    log(
        archive,
        [
            prediction("buyer", 2, version),
            prediction("buyer", 11, version),
            prediction("buyer", 8 * 1440 + 1, version),
            prediction("looker", 2, version),
            prediction("phone", 0.5, version),  # asked before the login, about the anonymous id
            prediction("user:ada", 3, version),
            prediction("nobody", 2, version),
            prediction("late", 16 * 1440 + 1, version),
        ],
    )
    card = join_outcomes(asked(archive, registry))
    assert read(archive.parent / "outcomes", card) == {
        "buyer@2": ("buyer", "known", 1),
        "buyer@11": ("buyer", "no_instance", None),
        "buyer@11521": ("buyer", "known", 0),
        "looker@2": ("looker", "known", 0),
        "phone@0.5": ("user:ada", "known", 1),
        "user:ada@3": ("user:ada", "known", 1),
        "nobody@2": ("nobody", "no_events", None),
        "late@23041": ("late", "week_open", None),
    }
    assert card == orjson.loads((archive.parent / "outcomes/outcomes_card.json").read_bytes())
    assert card["window"] == {"start_us": MONDAY_US, "end_us": MONDAY_US + 16 * DAY_US + 1}
    assert card["predictions"]["statuses"] == {"known": 5, "no_instance": 1, "no_events": 1, "week_open": 1}
    assert card["versions"][version]["generator"] == "purchase"


def test_without_logins_every_name_is_somebody(archive: Path, registry: Path, version: str) -> None:  # noqa: F811
    log(archive, [prediction("phone", 0.5, version), prediction("user:ada", 3, version)])
    card = join_outcomes(asked(archive, registry, link_visitors=False))
    assert read(archive.parent / "outcomes", card) == {
        "phone@0.5": ("phone", "known", 0),
        "user:ada@3": ("user:ada", "known", 1),
    }


def test_what_cannot_be_judged_is_left_out_and_counted(
    archive: Path,
    registry: Path,  # noqa: F811
    version: str,
) -> None:
    Tombstones.append(str(archive / "tombstones"), ["gone"], MONDAY_US + DAY_US)
    log(
        archive,
        [
            prediction("buyer", 2, version),
            prediction("buyer", 3, version, model="signup"),
            prediction("buyer", 4, "20200101T000000Z-0000000000000000"),
            prediction("buyer", 5, version, asked_by="events"),
            prediction("buyer", 6, version, probabilities=[0.2, 0.3, 0.5]),
            prediction("gone", 1, version),
            prediction("buyer", -1, version),
            prediction("buyer", 7, version, probabilities=[0.5, 0.9]),
            prediction("", 7, version),
            {**prediction("buyer", 7, version), "time_us": None},
        ],
    )
    card = join_outcomes(asked(archive, registry, window_start="2026-01-05", max_bad_share=0.5))
    assert card["predictions"]["left_out"] == {
        "asked_for_events": 1,
        "forgotten": 1,
        "other_model": 1,
        "other_number_of_classes": 1,
        "outside_the_days": 1,
        "version_not_in_registry": 1,
    }
    assert card["predictions"]["rejected"] == {"no_time": 1, "no_visitor": 1, "not_a_probability": 1}
    assert (card["predictions"]["read"], card["predictions"]["judged"]) == (10, 1)
    assert card["events"]["dropped"] == {"forgotten": 2}
    letters = pq.read_table(str(archive.parent / "outcomes-dead-letter")).to_pylist()
    assert sorted(letter["reason"] for letter in letters) == ["no_time", "no_visitor", "not_a_probability"]


@pytest.mark.parametrize(
    ("rows", "more", "message"),
    [
        ([], {"model": "signup"}, r"there is no behavior/signup in .*; it has behavior/purchase"),
        ([("buyer", -10)], {"window_start": "2026-01-05"}, "no prediction of purchase to judge among 1 rows"),
        ([("buyer", 17 * 1440)], {}, "the events end before the first prediction"),
        ([("buyer", 1)], {"window_start": "2026-02-01", "window_end": "2026-01-01"}, "is not before window_end"),
        ([("buyer", 1)], {"tombstones": "nowhere"}, "tombstones nowhere has no tombstones in it"),
        ([("buyer", 1)], {"events_end": "soon"}, "events_end is 'soon'; expected ISO 8601"),
    ],
)
def test_what_is_impossible_is_said_in_one_line_and_leaves_nothing(
    rows: list[tuple[str, float]],
    more: dict[str, Any],
    message: str,
    archive: Path,
    registry: Path,  # noqa: F811
    version: str,
) -> None:
    log(archive, [prediction(visitor, minute, version) for visitor, minute in rows])
    with pytest.raises(AuguryError, match=message):
        join_outcomes(asked(archive, registry, **more))
    assert not (archive.parent / "outcomes").exists()


def test_a_table_that_is_no_log_is_said_by_its_column(archive: Path, registry: Path) -> None:  # noqa: F811
    path = archive / "predictions/date=2026-01-05/hour=00/part-1.parquet"
    write(path, [{"visitor": "a", "time_us": 1}], pa.schema([("visitor", pa.string()), ("time_us", pa.int64())]))
    with pytest.raises(AuguryError, match=r"part-1\.parquet lacks column 'model', so it is no prediction log"):
        join_outcomes(asked(archive, registry))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"generator": "somebody_else_s"}, "unknown_generator"),
        ({"generator": "high_value"}, "generator_without_its_fit"),
        ({"fingerprint": "0" * 64}, "other_feature_spec"),
    ],
)
def test_versions_that_cannot_be_judged_are_told_why(
    change: dict[str, str],
    why: str,
    archive: Path,
    registry: Path,  # noqa: F811
    version: str,
    tmp_path: Path,
) -> None:
    """A registry with another version whose spec says something that nobody here can follow."""
    other = tmp_path / "other"
    other.mkdir()
    folder = Registry(registry).open_version("behavior", NAME, version)
    for name in ("model_card.json", "feature_spec.json"):
        (other / name).write_bytes((folder / name).read_bytes())
    spec = orjson.loads((other / "feature_spec.json").read_bytes())
    if "fingerprint" not in change:
        del spec["fingerprint"]
    (other / "feature_spec.json").write_bytes(orjson.dumps({**spec, **change}))
    alone = tmp_path / "registry"
    odd = Registry(alone).publish(str(other), "behavior", NAME)
    log(archive, [prediction("buyer", 2, odd)])
    with pytest.raises(OutcomeOptionError, match=rf"no version of behavior/purchase in .* can be judged \({why}\)"):
        join_outcomes(asked(archive, alone))
    good = Registry(alone).publish(str(folder), "behavior", NAME)
    log(archive, [prediction("buyer", 2, odd), prediction("buyer", 3, good)])
    card = join_outcomes(asked(archive, alone))
    assert card["predictions"]["left_out"] == {why: 1}
    assert card["unusable_versions"] == {odd: why}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"events": ()}, "no events to read"),
        ({"predictions": ()}, "no predictions to read"),
        ({"settle_days": -1.0}, "settle_days is -1; expected 0 to 3650"),
        ({"shards": 0}, "shards is 0; expected 1 to 4096"),
        ({"max_bad_share": 2.0}, "max_bad_share is 2"),
    ],
)
def test_options_that_cannot_be(given: dict[str, Any], message: str) -> None:
    options: dict[str, Any] = {"events": ("e",), "predictions": ("p",), "model": "m", "output": "o", **given}
    with pytest.raises(OutcomeOptionError, match=message):
        OutcomeOptions(**options)


def test_a_batch_prediction_is_judged_as_well(archive: Path, registry: Path, version: str) -> None:  # noqa: F811
    """What batch-predict writes to a folder: the end of the window is the time of the prediction."""
    row = {"visitor": "buyer", "probability": 0.5, "model": NAME, "version": version}
    row |= {"window_end_us": MONDAY_US + 6 * MINUTE_US, "probabilities": [0.5, 0.5]}
    write(archive / "predictions/predictions-00000-of-00001-0000.parquet", [row], pa.Table.from_pylist([row]).schema)
    (archive / "predictions/predictions_card.json").write_text("{}\n")  # as batch-predict leaves it beside the rows
    card = join_outcomes(asked(archive, registry))
    assert read(archive.parent / "outcomes", card) == {None: ("buyer", "known", 1)}


def test_a_folder_with_a_card_alone_holds_no_predictions(archive: Path, registry: Path) -> None:  # noqa: F811
    (archive / "predictions").mkdir()
    (archive / "predictions/predictions_card.json").write_text("{}\n")
    with pytest.raises(OutcomeOptionError, match="predictions holds no predictions; name the archive's folder predic"):
        join_outcomes(asked(archive, registry))


def test_the_pipeline_has_a_command_of_its_own(
    archive: Path,
    registry: Path,  # noqa: F811
    version: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    log(archive, [prediction("buyer", 2, version)])
    options = asked(archive, registry)
    run(
        [
            f"--events={options.events[0]}",
            f"--predictions={options.predictions[0]}",
            f"--model={NAME}",
            f"--output={options.output}",
            f"--registry={registry}",
        ]
    )
    assert orjson.loads(capsys.readouterr().out)["predictions"]["judged"] == 1
