"""Fitting to a sample: whole visitors, only of the train split."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from example_generators.purchase import Purchase
from features.adapters import get_adapter
from features.bucketing import Quantile
from features.cleaning import CleaningRules
from features.events import EVENT_SCHEMA
from features.fields import Feature
from features.spec import FeatureSpec, SplitSpec
from pipelines.fit_sample import EmptySampleError, fit_to_sample, sample_sessions, train_sessions
from transforms.sources import plan_reads

DAY_US = 86_400_000_000
START_US = 1_785_542_400_000_000  # 2026-08-01


def write_events(folder: Path, visitors: int, per_visitor: int) -> str:
    rows = [
        {
            "message_id": f"{visitor}-{n}",
            "anonymous_id": f"v{visitor}",
            "type": "track",
            "event": "Product Viewed",
            "timestamp_us": START_US + visitor * DAY_US // 10 + n * 1_000_000 * (visitor + 1),
        }
        for visitor in range(visitors)
        for n in range(per_visitor)
    ]
    path = folder / "events.parquet"
    pq.write_table(pa.Table.from_pylist(rows, EVENT_SCHEMA), path)
    return str(path)


def reading(path: str) -> dict[str, object]:
    return {
        "tasks": plan_reads([path]),
        "adapter": get_adapter("canonical"),
        "rules": CleaningRules(),
        "columns": EVENT_SCHEMA.names,
    }


def test_a_sample_keeps_whole_visitors_and_stays_below_its_limit(tmp_path: Path) -> None:
    path = write_events(tmp_path, visitors=100, per_visitor=5)
    everything = sample_sessions(spec=FeatureSpec(), window=None, **reading(path))  # type: ignore[arg-type]
    assert len(everything) == 100
    part = sample_sessions(spec=FeatureSpec(), window=None, most=200, **reading(path))  # type: ignore[arg-type]
    assert 5 <= len(part) <= 40
    assert set((part.offsets[1:] - part.offsets[:-1]).tolist()) == {5}


def test_only_train_decides_by_time(tmp_path: Path) -> None:
    path = write_events(tmp_path, visitors=100, per_visitor=5)
    spec = FeatureSpec(split=SplitSpec(by="time", validation=0.0, test=0.5))
    sessions = sample_sessions(spec=spec, window=None, **reading(path))  # type: ignore[arg-type]
    train = train_sessions(sessions, spec)
    names = {train.events.column("visitor")[int(at)].as_py() for at in train.offsets[:-1]}
    assert names == {f"v{n}" for n in range(50)}  # visitor n comes on day n / 10 of 10


def test_edges_are_the_quantiles_of_train(tmp_path: Path) -> None:
    path = write_events(tmp_path, visitors=100, per_visitor=5)
    spec = FeatureSpec(
        steps=(Feature("dwell", Quantile(bins=2)),), split=SplitSpec(by="time", validation=0.0, test=0.5)
    )
    _, fitted = fit_to_sample(Purchase(), spec, window=None, **reading(path))
    # dwell of visitor n is n + 1 seconds, visitors 0 to 49 train: 26 parts 1 to 25 from 26 to 50, edges being inclusive
    assert fitted.steps[0].coding.edges.tolist() == [26.0]
    assert not fitted.needs_fitting


def test_nothing_left_is_said_so(tmp_path: Path) -> None:
    path = write_events(tmp_path, visitors=3, per_visitor=2)
    rules = CleaningRules(test_event_names=("Product Viewed",))
    with pytest.raises(EmptySampleError, match="no event was left to fit to after cleaning"):
        sample_sessions(spec=FeatureSpec(), window=None, **{**reading(path), "rules": rules})  # type: ignore[arg-type]
