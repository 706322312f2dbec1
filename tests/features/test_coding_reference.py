"""The columnar coder against one that walks over events, and against itself with each instance alone."""

import pickle
import random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.bucketing import Linear, MinMax, OneHot, PowerLaw, Quantile
from features.coding import FeatureCoder
from features.sessions import Sessions
from features.spec import Feature, FeatureSpec, HashSpec
from tests.features.reference_coder import (
    POOLS,
    START_US,
    assert_same,
    build,
    instance,
    reference,
    rows_of,
    slices_of,
)

_EVENTS = st.fixed_dictionaries(
    {
        **{name: st.sampled_from(pool) for name, pool in POOLS.items()},
        "timestamp_us": st.one_of(
            st.integers(0, 5_000_000), st.sampled_from([0, 1_800_000_000, 1_800_000_001]), st.integers(0, 10**13)
        ).map(lambda us: START_US + us),
    }
)

_FIELDS = (
    "event type url.host url.path url.segments url.query_keys url.campaign referrer.host referrer.path "
    "properties.price properties.tags"
).split()

_STEPS = (
    Feature("dwell", PowerLaw(1, 3, 4000, 5)),
    Feature("hour", Linear(0, 0.5, 48), of="time_of_day"),
    Feature("day_of_week", Linear(0, 1, 7)),
    Feature("position", Quantile(3, (1, 3))),
    Feature("price", Linear(0, 2.5, 6), of="properties.price"),
)

_METADATA = (
    Feature("device", OneHot(("desktop", "mobile"))),
    Feature("browser", OneHot(("Chrome",))),
    Feature("os", OneHot(("iOS",))),
    Feature("referrer_kind", OneHot(("direct", "internal", "search", "social", "email", "campaign"))),
    Feature("campaign_medium", OneHot(("email", "cpc"))),
    Feature("visit_count", Linear(0, 1, 5)),
    Feature("event_count", PowerLaw(1, 3, 40, 3)),
    Feature("pages", MinMax(1, 4), of="distinct_pages"),
    Feature("span", PowerLaw(1, 3, 4000, 5)),
    Feature("span_scaled", MinMax(0, 1e6), of="span"),
)

_SPECS = st.builds(
    FeatureSpec,
    sequence_length=st.integers(1, 6),
    hash=st.builds(
        HashSpec,
        size=st.sampled_from([2, 13, 1024]),
        seed=st.integers(0, 2**32 - 1),
        fields=st.lists(st.sampled_from(_FIELDS), min_size=1, unique=True),
        max_tokens=st.integers(1, 3),
    ),
    steps=st.lists(st.sampled_from(_STEPS), unique=True),
    metadata=st.lists(st.sampled_from(_METADATA), unique=True),
    agent_from=st.sampled_from(["user_agent", "context"]),
    utc_offset_seconds=st.sampled_from([0, -5 * 3600, 5400]),
    hides=st.sampled_from([(), ("Hidden",), ("Hidden", "Order Completed", "Never Seen")]),
)


@st.composite
def _batches(draw: st.DrawFn) -> tuple[Sessions, list[tuple[int, int, int]]]:
    gap = draw(st.sampled_from([None, 3600.0]))
    sessions = build(draw(st.lists(_EVENTS, max_size=25)), gap)
    wanted = []
    for session in draw(st.lists(st.sampled_from(range(len(sessions))), max_size=12)) if len(sessions) else []:
        start, end = sorted(draw(st.tuples(*[st.integers(0, len(sessions[session]))] * 2)))
        wanted.append((session, start, end))
    return sessions, wanted


@given(_SPECS, _batches())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_coder_equals_the_reference(spec: FeatureSpec, batch: tuple[Sessions, list[tuple[int, int, int]]]) -> None:
    sessions, wanted = batch
    coded = FeatureCoder(spec).encode(sessions, slices_of(wanted))
    expected = [reference(spec, rows_of(sessions, *row)) for row in wanted]
    assert coded.rows.tolist() == [i for i, row in enumerate(expected) if row]
    assert [instance(coded, n) for n in range(len(coded))] == [row for row in expected if row]
    for name, tensor in spec.tensors().items():
        kind, _, feature = name.partition("/")
        if kind in ("step", "metadata") and tensor.size:
            values = (coded.steps if kind == "step" else coded.metadata)[feature]
            assert values.dtype == np.int64
            assert ((values >= 0) & (values < tensor.size)).all()


@given(_SPECS, _batches())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_instance_alone_gives_the_bits_of_the_batch(
    spec: FeatureSpec, batch: tuple[Sessions, list[tuple[int, int, int]]]
) -> None:
    sessions, wanted = batch
    coder = FeatureCoder(spec)
    coded = coder.encode(sessions, slices_of(wanted))
    ends = np.cumsum(coded.lengths)
    for n, length in enumerate(coded.lengths.tolist()):
        events = sessions.events.take(pa.array(coded.event_rows[ends[n] - length : ends[n]]))
        alone = build(events.to_pylist()) if n % 2 else Sessions(events, np.array([0, length]), sessions.window)
        fresh = coder if n % 3 else pickle.loads(pickle.dumps(coder))
        assert_same(fresh.encode(alone, slices_of([(0, 0, length)])), coded.take(np.array([n])))


@given(_batches(), st.data())
@settings(max_examples=50, deadline=None)
def test_take_picks_instances(batch: tuple[Sessions, list[tuple[int, int, int]]], data: st.DataObject) -> None:
    coded = FeatureCoder(FeatureSpec(hides=("Hidden",))).encode(batch[0], slices_of(batch[1]))
    picks = data.draw(st.lists(st.sampled_from(range(len(coded))), max_size=6)) if len(coded) else []
    taken = coded.take(np.array(picks, np.int64))
    assert [instance(taken, n) for n in range(len(taken))] == [instance(coded, n) for n in picks]
    mask = np.isin(np.arange(len(coded)), picks)
    assert_same(coded.take(mask), coded.take(np.flatnonzero(mask)))


@pytest.mark.parametrize("seed", range(12))
def test_coder_equals_the_reference_on_dense_sessions(seed: int) -> None:
    draw = random.Random(seed)
    spec = FeatureSpec(
        sequence_length=draw.randint(3, 12),
        hash=HashSpec(size=997, seed=seed, fields=_FIELDS, max_tokens=draw.randint(1, 3)),
        steps=_STEPS,
        metadata=_METADATA,
        visit_gap_seconds=draw.randint(1, 3),  # times are whole seconds: some gaps equal it
        hides=("Hidden",),
    )
    events: list[dict[str, Any]] = [
        {name: draw.choice(pool) for name, pool in POOLS.items()} | {"timestamp_us": START_US + second * 10**6}
        for second in draw.choices(range(200), k=150)
    ]
    sessions = build(events)
    sizes = np.diff(sessions.offsets).tolist()
    wanted = [(session, draw.randrange(end), end) for session, size in enumerate(sizes) for end in range(1, size + 1)]
    coded = FeatureCoder(spec).encode(sessions, slices_of(wanted))
    expected = [reference(spec, rows_of(sessions, *row)) for row in wanted]
    assert coded.rows.tolist() == [i for i, row in enumerate(expected) if row]
    assert [instance(coded, n) for n in range(len(coded))] == [row for row in expected if row]
