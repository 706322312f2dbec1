"""Which predictions are judged, and whose they are."""

from typing import Any

import pyarrow as pa

from features.identities import LOGIN_SCHEMA, Identities
from features.prediction_log import LOGGED_SCHEMA
from features.tombstones import Tombstones, visitor_hash
from transforms.choose_predictions import PredictionRules, choose_predictions

RULES = PredictionRules("purchase", {"v1": 2, "v3": 3}, {"odd": "unknown_generator"}, start_us=100, end_us=1000)


def logged(*rows: dict[str, Any]) -> pa.RecordBatch:
    base = {
        "visitor": "a",
        "time_us": 500,
        "prediction_id": "p",
        "model": "purchase",
        "version": "v1",
        "asked_by": "visitor",
        "known": True,
        "probability": 0.5,
        "predicted": 1,
        "classes": 2,
    }
    return pa.RecordBatch.from_pylist([{**base, **row} for row in rows], LOGGED_SCHEMA)


def identities(*logins: tuple[int, str, str]) -> Identities:
    rows = [
        {"received_us": at, "time_us": at, "message_id": f"m{at}", "anonymous_id": anonymous, "user_id": user}
        for at, anonymous, user in logins
    ]
    return Identities.of([pa.RecordBatch.from_pylist(rows, LOGIN_SCHEMA)])


def test_every_row_is_chosen_or_counted() -> None:
    rows = logged(
        {"prediction_id": "good"},
        {"prediction_id": "three", "version": "v3", "classes": 3, "predicted": 2},
        {"prediction_id": "alone", "classes": 0},
        {"prediction_id": "batch", "asked_by": None},
        {"model": "signup"},
        {"time_us": 99},
        {"time_us": 1000},
        {"asked_by": "events"},
        {"version": "v0"},
        {"version": "odd"},
        {"version": "v3"},
    )
    chosen, left_out = choose_predictions(rows, RULES, Identities())
    assert chosen.column("prediction_id").to_pylist() == ["good", "three", "alone", "batch"]
    assert left_out == {
        "other_model": 1,
        "outside_the_days": 2,
        "asked_for_events": 1,
        "version_not_in_registry": 1,
        "unknown_generator": 1,
        "other_number_of_classes": 1,
    }


def test_a_login_before_or_after_makes_it_the_user_s() -> None:
    found = identities((300, "phone", "ada"))
    rows = logged({"visitor": "phone", "time_us": 200}, {"visitor": "user:ada"}, {"visitor": "other"})
    chosen, _ = choose_predictions(rows, RULES, found)
    assert chosen.column("visitor").to_pylist() == ["user:ada", "user:ada", "other"]
    assert chosen.column("asked").to_pylist() == ["phone", "user:ada", "other"]


def test_a_shared_device_is_whose_it_was_at_that_time() -> None:
    found = identities((300, "kiosk", "ada"), (600, "kiosk", "bob"))
    rows = logged(*({"visitor": "kiosk", "time_us": time} for time in (400, 700)))
    chosen, _ = choose_predictions(rows, RULES, found)
    assert chosen.column("visitor").to_pylist() == ["user:ada", "user:bob"]


def test_what_was_said_of_the_forgotten_is_dropped_up_to_then() -> None:
    rules = PredictionRules("purchase", {"v1": 2}, tombstones=Tombstones({visitor_hash("a"): 500}))
    rows = logged({"time_us": 500}, {"time_us": 501, "prediction_id": "later"}, {"visitor": "b", "prediction_id": "b"})
    chosen, left_out = choose_predictions(rows, rules, Identities())
    assert (chosen.column("prediction_id").to_pylist(), left_out) == (["later", "b"], {"forgotten": 1})


def test_nothing_logged() -> None:
    chosen, left_out = choose_predictions(logged(), RULES, Identities())
    assert (chosen.num_rows, left_out) == (0, {})
