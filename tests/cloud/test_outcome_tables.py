"""Outcomes of a prediction log and events that lie in BigQuery, read from the emulator."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from features.events import EVENT_SCHEMA
from features.tables import load_table
from models.registry import Registry
from pipelines.outcome_options import OutcomeOptions
from pipelines.outcome_report import join_outcomes
from tests.pipelines.test_outcome_report import EVENTS, MONDAY_US, prediction, read
from tests.tiny_model import NAME, registry  # noqa: F401 - a fixture


def test_tables_give_what_files_give(
    archive_table: Callable[..., str],
    new_table: Callable[..., str],
    registry: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    [version] = Registry(registry).versions("behavior", NAME)
    log = load_table("predictions")
    rows: list[dict[str, Any]] = [
        {**prediction(visitor, minute, version), "day": "2026-01-05"}
        for visitor, minute in (("buyer", 2), ("looker", 2))
    ]
    assert rows[0]["time_us"] == MONDAY_US + 120_000_000
    card = join_outcomes(
        OutcomeOptions(
            (archive_table(pa.Table.from_pylist(EVENTS, EVENT_SCHEMA)),),
            (new_table("predictions", [dict(field) for field in log.fields], rows),),
            NAME,
            str(tmp_path / "outcomes"),
            registry=str(registry),
            settle_days=2,
        )
    )
    assert read(tmp_path / "outcomes", card) == {
        "buyer@2": ("buyer", "known", 1),
        "looker@2": ("looker", "known", 0),
    }
