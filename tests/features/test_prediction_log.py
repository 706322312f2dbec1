"""The prediction log read back: the archive's rows, BigQuery's types, a batch's columns, and rows that are none."""

from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest

from features.columns import ColumnsError
from features.jsonrows import RowsError
from features.prediction_log import LOGGED_SCHEMA, PredictionLogAdapter
from features.tables import load_table
from serving.compaction_streams import PREDICTION_SCHEMA
from transforms.score_visitors import PREDICTION_SCHEMA as BATCH_SCHEMA

ROW = {
    "prediction_id": "p1",
    "time_us": 5,
    "model": "purchase",
    "version": "v1",
    "visitor": "a",
    "known": True,
    "probability": 0.25,
    "probabilities": [0.75, 0.25],
    "asked_by": "visitor",
}


def adapted(*rows: dict[str, Any], schema: pa.Schema | None = PREDICTION_SCHEMA) -> tuple[list[Any], list[Any]]:
    made = PredictionLogAdapter().adapt(pa.Table.from_pylist(list(rows), schema), "log.parquet")
    assert made.events.schema == LOGGED_SCHEMA
    return made.events.to_pylist(), made.rejected.to_pylist()


def test_a_logged_row_leads_with_class_one_of_two() -> None:
    [row], rejected = adapted(ROW)
    assert rejected == []
    assert row == {
        "visitor": "a",
        "time_us": 5,
        "prediction_id": "p1",
        "model": "purchase",
        "version": "v1",
        "asked_by": "visitor",
        "known": True,
        "probability": 0.25,
        "predicted": 1,
        "classes": 2,
    }


def test_of_more_classes_it_is_the_likeliest() -> None:
    rows, _ = adapted({**ROW, "probabilities": [0.5, 0.2, 0.3]}, ROW, {**ROW, "probabilities": [0.1, 0.2, 0.7]})
    found = [(row["predicted"], row["classes"], round(row["probability"], 6)) for row in rows]
    assert found == [(0, 3, 0.5), (1, 2, 0.25), (2, 3, 0.7)]


def test_one_probability_alone_is_of_class_one() -> None:
    [row], _ = adapted({**ROW, "probabilities": None})
    assert (row["probability"], row["predicted"], row["classes"]) == (0.25, 1, 0)


def test_a_batch_prediction_was_made_at_the_end_of_its_window() -> None:
    row = {**ROW, "window_end_us": 9, "segment": "high", "events_used": 1, "truncated": False}
    [found], _ = adapted({name: row[name] for name in BATCH_SCHEMA.names if name in row}, schema=None)
    assert (found["time_us"], found["asked_by"], found["prediction_id"]) == (9, "batch", None)


def test_bigquery_s_doubles_are_the_bits_that_were_logged() -> None:
    value = np.float32(0.1)
    schema = pa.schema([(name, pa.float64()) if name == "probability" else (name, kind.type) for name, kind in
                        ((field.name, field) for field in PREDICTION_SCHEMA)])  # fmt: skip
    schema = schema.set(schema.get_field_index("probabilities"), pa.field("probabilities", pa.list_(pa.float64())))
    [row], _ = adapted({**ROW, "probabilities": [1 - float(value), float(value)]}, schema=schema)
    assert np.float32(row["probability"]) == value
    logged = {field["name"] for field in load_table("predictions").fields}
    assert {"time_us", "model", "version", "visitor", "probabilities"} <= logged


def test_a_prediction_for_no_events_at_all_is_of_nobody_and_no_dead_letter() -> None:
    rows, letters = adapted({**ROW, "visitor": None, "asked_by": "events"})
    assert [(row["visitor"], row["asked_by"]) for row in rows] == [("", "events")]
    assert letters == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"visitor": None}, "no_visitor"),
        ({"visitor": ""}, "no_visitor"),
        ({"time_us": None}, "no_time"),
        ({"version": None}, "no_version"),
        ({"model": ""}, "no_version"),
        ({"probabilities": [0.5, 0.6]}, "not_a_probability"),
        ({"probabilities": [1.5, -0.5]}, "not_a_probability"),
        ({"probabilities": [float("nan"), 0.5]}, "not_a_probability"),
        ({"probabilities": [0.5, None]}, "not_a_probability"),
        ({"probabilities": [1.0]}, "not_a_probability"),
        ({"probabilities": [], "probability": None}, "not_a_probability"),
        ({"probabilities": [], "probability": 1.2}, "not_a_probability"),
    ],
)
def test_rows_that_are_no_predictions_are_dead_letters(change: dict[str, Any], reason: str) -> None:
    rows, [letter] = adapted(ROW, {**ROW, "prediction_id": "bad", **change})
    assert [row["prediction_id"] for row in rows] == ["p1"]
    assert (letter["reason"], letter["source"]) == (reason, "log.parquet")
    assert orjson.loads(letter["row"])["prediction_id"] == "bad"


@pytest.mark.parametrize("missing", ["visitor", "model", "version", "time_us"])
def test_a_table_without_a_column_is_no_log(missing: str) -> None:
    schema = PREDICTION_SCHEMA.remove(PREDICTION_SCHEMA.get_field_index(missing))
    with pytest.raises(ColumnsError, match=f"log.parquet lacks column '{missing}', so it is no prediction log"):
        adapted(schema=schema)


def test_columns_of_other_types_and_lines_are_said() -> None:
    with pytest.raises(ColumnsError, match=r"log.parquet is no prediction log"):
        adapted({**ROW, "time_us": "yesterday"}, schema=None)
    with pytest.raises(RowsError, match="the prediction log is read from Parquet or BigQuery"):
        PredictionLogAdapter().adapt(pa.array([b"{}"]), "log.jsonl")
