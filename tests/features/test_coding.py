"""The coder on instances small enough to code by hand, and what it refuses."""

from typing import Any

import mmh3
import numpy as np
import pyarrow as pa
import pytest

from features import coding
from features.bucketing import Linear, MinMax, OneHot, Quantile
from features.coding import FeatureCoder
from features.sessions import MissingColumnError, Sessions
from features.slices import Slice, SliceError, Slices
from features.spec import Feature, FeatureSpec, FeatureSpecError, HashSpec
from tests.features.reference_coder import POOLS, START_US, Event, assert_same, build, slices_of


def _event(seconds: float = 0, **values: Any) -> Event:
    plain: Event = dict.fromkeys(POOLS) | {"visitor": "ada", "event": "Page Viewed", "type": "page"}
    return plain | {"timestamp_us": START_US + round(seconds * 1e6)} | values


def test_one_instance_by_hand() -> None:
    # 1,700,000,000 is Tuesday 2023-11-14 22:13:20 UTC
    sessions = build(
        [
            _event(0, url="https://shop.example/a?utm_medium=email", referrer="https://t.co/x", user_agent="curl/8"),
            _event(10, event="Order Completed"),
            _event(1811, url="https://shop.example/a#top"),
        ]
    )
    spec = FeatureSpec(
        hash=HashSpec(size=2**24, fields=("event", "url.path")),
        steps=(Feature("dwell", Linear(0, 600, 5)), Feature("day_of_week", Linear(0, 1, 7))),
        metadata=(
            Feature("visit_count", Linear(0, 1, 4)),
            Feature("referrer_kind", OneHot(("direct", "email"))),
            Feature("device", OneHot(("desktop",))),
            Feature("span", MinMax(0, 3622)),
            Feature("distinct_pages", Linear(0, 1, 4)),
        ),
        hides=("Order Completed",),
    )
    coded = FeatureCoder(spec).encode(sessions, Slices.from_rows([[Slice(0, 3, 1)]]))
    bits = sorted(mmh3.hash(token, 0, signed=False) % 2**24 for token in ("event=Page Viewed", "url.path=/a"))
    assert coded.hash_values.tolist() == bits * 2
    assert coded.hash_lengths.tolist() == [2, 2]
    assert coded.event_rows.tolist() == [0, 2]
    # 1,811 s since the visible event before, not 1,801 since the hidden one: another visit; bin 5 is for no dwell
    assert {name: bins.tolist() for name, bins in coded.steps.items()} == {"dwell": [5, 3], "day_of_week": [1, 1]}
    assert {name: values.tolist() for name, values in coded.metadata.items()} == {
        "visit_count": [2],
        "referrer_kind": [1],
        "device": [2],  # the last visible event has no user agent
        "span": [0.5],
        "distinct_pages": [1],
    }
    assert coded.last_time_us.tolist() == [START_US + 1_811_000_000]


def test_record_batch_has_the_tensors_of_the_spec() -> None:
    sessions = build([_event(i, event="Hidden" if i == 1 else "Page Viewed") for i in range(3)])
    spec = FeatureSpec(sequence_length=2, hides=("Hidden",), stats=("clicks",))
    coded = FeatureCoder(spec).encode(sessions, slices_of([(0, 0, 3), (0, 1, 2), (0, 0, 1)]))
    batch = coded.to_record_batch(
        label=np.array([1, 0]),
        visitor=pa.array(["ada", "ada"]).dictionary_encode(),
        example_id=pa.array(["ada/1", "ada/2"]),
        stats={"clicks": np.array([3, 4], np.float32)},
    )
    assert batch.schema.names == list(spec.tensors())
    types = {"int64": pa.int64(), "float32": pa.float32(), "bytes": pa.binary()}
    for name, tensor in spec.tensors().items():
        assert batch.schema.field(name).type == pa.large_list(types[tensor.dtype])
    assert batch.column("hash/lengths").to_pylist() == [[1, 1], [1]]
    assert batch.column("step/position").to_pylist() == [[0, 1], [0]]
    assert batch.column("label").to_pylist() == [[1], [0]]
    assert batch.column("visitor").to_pylist() == [[b"ada"], [b"ada"]]
    assert batch.column("stats/clicks").to_pylist() == [[3], [4]]
    assert batch.column("time_us").to_pylist() == [[START_US + 2_000_000], [START_US]]


def test_no_instances() -> None:
    sessions = build([_event(0)])
    for wanted in ([], [(0, 0, 0)]):
        coded = FeatureCoder(FeatureSpec()).encode(sessions, slices_of(wanted))
        assert len(coded) == len(coded.hash_values) == len(coded.steps["dwell"]) == len(coded.metadata["span"]) == 0
    coded = FeatureCoder(FeatureSpec()).encode(build([]), slices_of([]))
    assert coded.metadata["device"].dtype == np.int64


def test_memo_that_is_full_starts_afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coding, "_MEMO_LIMIT", 3)
    sessions = build([_event(i, url=f"https://shop.example/{i}") for i in range(9)])
    coder = FeatureCoder(FeatureSpec())
    wanted = slices_of([(0, 0, 9)])
    assert_same(coder.encode(sessions, wanted), coder.encode(sessions, wanted))


@pytest.mark.parametrize("row", [(0, 0, 2), (1, 0, 1), (-1, 0, 1), (0, -1, 1), (0, 1, 0)])
def test_slice_outside_its_session_is_refused(row: tuple[int, int, int]) -> None:
    with pytest.raises(SliceError, match=rf"slice 1 \(session {row[0]}, start {row[1]}, end {row[2]}\) lies outside"):
        FeatureCoder(FeatureSpec()).encode(build([_event(0)]), slices_of([(0, 0, 1), row]))


def test_missing_column_is_named() -> None:
    sessions = build([_event(0)])
    sessions = Sessions(sessions.events.drop_columns("user_agent"), sessions.offsets, sessions.window)
    with pytest.raises(MissingColumnError, match="column 'user_agent' is not among those carried here"):
        FeatureCoder(FeatureSpec()).encode(sessions, slices_of([(0, 0, 1)]))


def test_spec_that_is_not_fitted_is_refused() -> None:
    spec = FeatureSpec(steps=(Feature("dwell", Quantile(4)),), metadata=(Feature("os", OneHot()),))
    with pytest.raises(FeatureSpecError, match="features dwell, os have no edges or vocabulary yet; run fit_spec"):
        FeatureCoder(spec)
