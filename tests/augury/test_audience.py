"""Audiences from batch predictions."""

import csv
import hashlib
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from augury.audience_files import AudienceError, Wanted, guarded, segment_names, write_audience
from augury.cli import app
from features.tombstones import Tombstones
from tests.pipelines.test_batch_files import lines
from tests.tiny_model import NAME, registry  # noqa: F401 - a fixture
from tests.transforms.streams import track
from transforms.score_visitors import PREDICTION_SCHEMA

END_US = 1_785_585_600_000_000
EMAIL = hashlib.sha256(b"ada@example.com").hexdigest()


def row(visitor: str, probability: float, segment: str, **more: Any) -> dict[str, Any]:
    return {
        "visitor": visitor,
        "probability": probability,
        "probabilities": [1 - probability, probability],
        "segment": segment,
        "model": "purchase",
        "version": "v1",
        "events_used": 3,
        "known": True,
        "truncated": False,
        "window_end_us": END_US,
        "email_sha256": None,
        **more,
    }


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    folder = tmp_path / "predictions"
    folder.mkdir()
    parts = [
        [row("ann", 0.5, "very high"), row("user:Ada", 0.75, "very high", email_sha256=EMAIL), row("low", 0.1, "low")],
        [
            row("user:ada ", 0.5, "very high", email_sha256=EMAIL),
            row("user:gone", 0.9, "very high"),
            row("fresh", 0.9, "very high", known=False),
            row("high", 0.25, "high"),
        ],
    ]
    for number, rows in enumerate(parts):
        table = pa.Table.from_pylist(rows, PREDICTION_SCHEMA)
        pq.write_table(table, folder / f"predictions-{number:05d}-of-00002.parquet")
    card = {
        "model": "purchase",
        "version": "v1",
        "created_us": END_US + 1,
        "window": {"start_us": 0, "end_us": END_US},
        "tombstones": [str(tmp_path / "archive" / "tombstones")],
        "emails": True,
    }
    (folder / "predictions_card.json").write_bytes(orjson.dumps(card))
    Tombstones.append(str(tmp_path / "archive" / "tombstones"), ["user:gone"], END_US + 5)
    Tombstones.append(str(tmp_path / "archive" / "tombstones"), ["ann"], END_US - 5)  # came back since
    return folder


def read(path: Path) -> list[list[str]]:
    return list(csv.reader(path.read_text().splitlines()))


def test_a_segment_as_people_read_it(predictions: Path, tmp_path: Path) -> None:
    found = write_audience(str(predictions), str(tmp_path / "a.csv"), Wanted(("very high",)), "purchase")
    assert read(tmp_path / "a.csv") == [
        ["visitor", "user_id", "probability", "segment"],
        ["user:Ada", "Ada", "0.75", "very high"],
        ["ann", "", "0.5", "very high"],
        ["user:ada ", "ada ", "0.5", "very high"],
    ]
    assert (found.rows, found.left_out) == (3, {"other_segment": 2, "forgotten": 1, "not_known": 1})


def test_what_a_spreadsheet_takes_for_a_formula_is_text_unless_it_is_wanted_exactly(
    predictions: Path, tmp_path: Path
) -> None:
    names = ["=1+1", "+49301", "-x", "@SUM(A1)", "\t=1", "\uff1d1", "'q", "user:=2", "user:-2", "a=1", "user:+3"]
    rows = [row(name, 0.5, "very high", email_sha256=EMAIL) for name in names]
    for part in predictions.glob("predictions-*"):
        part.unlink()
    pq.write_table(pa.Table.from_pylist(rows, PREDICTION_SCHEMA), predictions / "predictions-00000-of-00001.parquet")
    found = write_audience(str(predictions), str(tmp_path / "safe.csv"), Wanted(("very high",)))
    assert [each[:2] for each in read(tmp_path / "safe.csv")[1:]] == [
        ["'=1+1", ""],
        ["'+49301", ""],
        ["'-x", ""],
        ["'@SUM(A1)", ""],
        ["'\t=1", ""],
        ["'\uff1d1", ""],
        ["''q", ""],
        ["user:=2", "'=2"],
        ["user:-2", "'-2"],
        ["a=1", ""],
        ["user:+3", "'+3"],
    ]
    assert (found.rows, found.formulas) == (11, 10)
    assert [guarded(name).removeprefix("'") for name in names] == names
    found = write_audience(str(predictions), str(tmp_path / "exact.csv"), Wanted(("very high",), exact=True))
    assert [each[0] for each in read(tmp_path / "exact.csv")[1:]] == names
    assert [each[1] for each in read(tmp_path / "exact.csv")[8:]] == ["=2", "-2", "", "+3"]
    assert found.formulas == 10
    found = write_audience(str(predictions), str(tmp_path / "hashed.csv"), Wanted(("very high",), "user_id"))
    assert [each[0] for each in read(tmp_path / "hashed.csv")[1:]] == [
        hashlib.sha256(name).hexdigest() for name in (b"=2", b"-2", b"+3")
    ]
    assert found.formulas == 0


def test_a_list_that_is_there_is_replaced_only_when_asked(predictions: Path, tmp_path: Path) -> None:
    output = tmp_path / "a.csv"
    output.write_text("mine")
    with pytest.raises(AudienceError, match="a.csv is there already; choose another output or pass --overwrite"):
        write_audience(str(predictions), str(output), Wanted(("low",)))
    assert output.read_text() == "mine"
    write_audience(str(predictions), str(output), Wanted(("low",)), overwrite=True)
    assert read(output)[1][0] == "low"


@pytest.mark.parametrize(
    ("wanted", "header", "ids", "left_out"),
    [
        (Wanted(("very high",), "email"), "email_sha256", [EMAIL], {"no_email": 1, "same_id": 1}),
        (Wanted(("very high",), "email", "google"), "Email", [EMAIL], {"no_email": 1, "same_id": 1}),
        (Wanted(("very high",), "email", "meta"), "email", [EMAIL], {"no_email": 1, "same_id": 1}),
        (
            Wanted(("very high",), "user_id", "meta"),
            "extern_id",
            [hashlib.sha256(b"ada").hexdigest()],
            {"no_user_id": 1, "same_id": 1},
        ),
    ],
)
def test_hashes_alone_once_each(
    predictions: Path, tmp_path: Path, wanted: Wanted, header: str, ids: list[str], left_out: dict[str, int]
) -> None:
    found = write_audience(str(predictions), str(tmp_path / "a.csv"), wanted)
    assert read(tmp_path / "a.csv") == [[header], *([each] for each in ids)]
    assert found.left_out == {**left_out, "other_segment": 2, "forgotten": 1, "not_known": 1}


def test_further_tombstones_count_too(predictions: Path, tmp_path: Path) -> None:
    Tombstones.append(str(tmp_path / "more"), ["high"], END_US)
    found = write_audience(
        str(predictions), str(tmp_path / "a.csv"), Wanted(("high",)), tombstones=str(tmp_path / "more")
    )
    assert (found.rows, found.left_out["forgotten"]) == (0, 2)


def test_names_of_segments() -> None:
    assert segment_names(["very-high", "Very_High", "low"]) == ("very high", "low")
    with pytest.raises(AudienceError, match="segment 'top'; expected very-low, low, medium, high, very-high"):
        segment_names(["top"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hashed": "phone"}, "hashed is 'phone'; expected email or user_id"),
        ({"platform": "bing", "hashed": "email"}, "platform is 'bing'; expected google or meta"),
        ({"platform": "google", "hashed": "user_id"}, "google takes no list of hashed user_id"),
        ({"platform": "meta"}, "meta takes no list of hashed visitors"),
        ({"hashed": "email", "exact": True}, "exact is of ids as they are, and hashed writes none"),
    ],
)
def test_what_a_platform_does_not_take_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(AudienceError, match=message):
        Wanted(("high",), **change)


def test_what_is_no_whole_prediction_is_refused(predictions: Path, tmp_path: Path) -> None:
    output = str(tmp_path / "a.csv")
    with pytest.raises(AudienceError, match="was predicted by 'purchase', not by 'signup'"):
        write_audience(str(predictions), output, Wanted(("high",)), "signup")
    (predictions / "predictions_card.json").unlink()
    with pytest.raises(AudienceError, match="holds no predictions_card.json, so it is no whole prediction"):
        write_audience(str(predictions), output, Wanted(("high",)))
    assert not (tmp_path / "a.csv").exists()


def test_the_commands_from_events_to_a_list(registry: Path, tmp_path: Path) -> None:  # noqa: F811
    login = {**track("ann", "m1", 0, userId="Ann-7", traits={"email": "Ann@example.com"}), "type": "identify"}
    events = lines(tmp_path / "events.jsonl", login, track("ann", "m2", 5), track("bob", "m3", 1))
    asked = ["--registry", str(registry), "--adapter", "segment"]
    made = ["batch-predict", events, "--model", NAME, "--output", str(tmp_path / "made"), "--emails", *asked]
    done = CliRunner().invoke(app, made)
    assert done.exit_code == 0, done.output
    assert "2 visitors" in done.output and "3 rows read" in done.output
    every = [word for name in ("very-low", "low", "medium", "high", "very-high") for word in ("--segment", name)]
    listed = ["audience", NAME, *every, "--hashed", "email", "--output", str(tmp_path / "a.csv")]
    done = CliRunner().invoke(app, [*listed, "--predictions", str(tmp_path / "made")])
    assert done.exit_code == 0, done.output
    first = (tmp_path / "a.csv").read_text()
    assert first == f"email_sha256\n{hashlib.sha256(b'ann@example.com').hexdigest()}\n"
    assert "1 of purchase" in done.output and "no_email" in done.output
    done = CliRunner().invoke(app, [*listed, "--events", events, *asked])
    assert done.exit_code == 1
    assert "is there already" in " ".join(done.output.split())
    done = CliRunner().invoke(app, [*listed, "--events", events, *asked, "--overwrite"])
    assert (done.exit_code, (tmp_path / "a.csv").read_text()) == (0, first)
    assert CliRunner().invoke(app, listed).exit_code == 2
