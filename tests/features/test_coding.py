"""The columnar coder against one that walks over events, written straight from the definitions."""

import itertools
import math
import pickle
from collections.abc import Iterable
from typing import Any

import mmh3
import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features import coding
from features.agents import agent_from_context, parse_agent
from features.bucketing import Linear, MinMax, OneHot, PowerLaw, Quantile
from features.coding import CodedInstances, FeatureCoder
from features.metadata import campaign_medium, referrer_kind
from features.sessions import MissingColumnError, SessionRules, Sessions, Window, build_sessions
from features.slices import Slice, SliceError, Slices
from features.spec import Feature, FeatureSpec, FeatureSpecError, HashSpec
from features.urls import parse_url

Event = dict[str, Any]


def reference(spec: FeatureSpec, events: list[Event]) -> dict[str, Any] | None:
    """Codes one instance from the events of its slice, one event at a time; None without a visible event."""
    events = [event for event in events if event["event"] not in spec.hides][-spec.sequence_length :]
    if not events:
        return None
    return {
        "hash": [_buckets(spec.hash, event) for event in events],
        "steps": {
            item.name: [_code(item.coding, _step(spec, item.of, events, i)) for i in range(len(events))]
            for item in spec.steps
        },
        "metadata": {item.name: _code(item.coding, _metadata(spec, item.of, events)) for item in spec.metadata},
        "last_time_us": events[-1]["timestamp_us"],
    }


def _buckets(hashing: HashSpec, event: Event) -> list[int]:
    bits = set()
    for field in hashing.fields:
        distinct: list[str] = []
        for value in _values(field, event):
            if value and value not in distinct:
                distinct.append(value)
        for value in distinct[: hashing.max_tokens]:
            bits.add(mmh3.hash(f"{field}={value}", hashing.seed, signed=False) % hashing.size)
    return sorted(bits)


def _values(field: str, event: Event) -> Iterable[str]:
    column, _, part = field.partition(".")
    if event[column] is None:
        return []
    if column == "properties":
        value = orjson.loads(event["properties"]).get(part)
        return [_text(item) for item in (value if isinstance(value, list) else [value])]
    if not part:
        return [event[column]]
    value = getattr(parse_url(event[column]), part)
    if part == "campaign":
        return [f"{key}={tag}" for key, tag in value]
    return [value] if isinstance(value, str) else list(value)


def _text(value: Any) -> str:
    if value is True or value is False:
        return str(value).lower()
    if isinstance(value, float) and value == math.floor(value):
        return str(int(value))
    return "" if value is None or isinstance(value, (dict, list)) else str(value)


def _step(spec: FeatureSpec, of: str, events: list[Event], i: int) -> float | None:
    seconds = events[i]["timestamp_us"] / 1e6 + spec.utc_offset_seconds
    if of == "dwell":
        return None if i == 0 else (events[i]["timestamp_us"] - events[i - 1]["timestamp_us"]) / 1e6
    if of == "time_of_day":
        return seconds % 86400 / 3600
    if of == "day_of_week":
        return (math.floor(seconds / 86400) + 3) % 7
    if of == "position":
        return i
    value = orjson.loads(events[i]["properties"] or "{}").get(of.removeprefix("properties."))
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None


def _metadata(spec: FeatureSpec, of: str, events: list[Event]) -> Any:
    first, last = events[0], events[-1]
    if of in ("device", "browser", "os"):
        parse = {"user_agent": parse_agent, "context": agent_from_context}[spec.agent_from]
        agent = None if last[spec.agent_from] is None else parse(last[spec.agent_from])
        return None if agent is None else getattr(agent, of)
    if of == "referrer_kind":
        referrer = (first["referrer"] or "").strip()
        return referrer_kind(parse_url(first["url"] or ""), parse_url(referrer) if referrer else None)
    if of == "campaign_medium":
        media = [campaign_medium(parse_url(event["url"] or "")) for event in events]
        return ([None] + [medium for medium in media if medium])[-1]
    if of == "event_count":
        return len(events)
    times = [event["timestamp_us"] for event in events]
    if of == "span":
        return (times[-1] - times[0]) / 1e6
    if of == "visit_count":
        gaps = [b - a for a, b in itertools.pairwise(times)]
        return 1 + sum(gap > spec.visit_gap_seconds * 1e6 for gap in gaps)
    urls = [parse_url(event["url"]) for event in events if event["url"] is not None]
    return len({(url.host, url.path) for url in urls if url.host or url.path})


def _code(how: Any, value: Any) -> Any:
    if isinstance(how, OneHot):
        assert how.vocabulary is not None
        known = list(how.vocabulary)
        return len(known) + 1 if value is None else known.index(value) if value in known else len(known)
    if isinstance(how, MinMax):
        return np.float32((min(max(value, how.low), how.high) - how.low) / (how.high - how.low))
    return len(how.edges) + 1 if value is None else sum(edge <= value for edge in how.edges)


START_US = 1_700_000_000_000_000

_COLUMNS: dict[str, st.SearchStrategy[Any]] = {
    "visitor": st.sampled_from(["ada", "bob", "cyd"]),
    "event": st.sampled_from(["Page Viewed", "Product Added", "Order Completed", "Hidden"]),
    "type": st.sampled_from(["track", "page"]),
    "timestamp_us": st.one_of(
        st.integers(0, 5_000_000), st.sampled_from([0, 1_800_000_000, 1_800_000_001]), st.integers(0, 10**13)
    ).map(lambda us: START_US + us),
    "url": st.sampled_from(
        [
            None,
            "",
            "https://www.shop.example/",
            "https://shop.example/c/shoes/c?size=41&size=42&color=red",
            "https://shop.example/item/7?utm_source=news&utm_medium=EMail",
            "shop.example/item/7?gclid=1",
            "https://shop.example/cart?utm_source=g&utm_medium=cpc",
            "not a url",
            "http://[::1",
        ]
    ),
    "referrer": st.sampled_from(
        [
            None,
            "",
            " ",
            "https://www.google.com/search?q=x",
            "https://shop.example/",
            "https://blog.shop.example/p",
            "https://m.facebook.com/",
            "https://mail.example.org/",
            "https://elsewhere.example/",
            "rubbish",
        ]
    ),
    "user_agent": st.sampled_from(
        [
            None,
            "",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 "
            "Safari/537.36",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Version/17.5 Mobile/15E148 Safari/604.1",
        ]
    ),
    "context": st.sampled_from([None, "{}", '{"device":{"type":"mobile"},"os":{"name":"iOS"}}']),
    "properties": st.sampled_from(
        [None, "{}", '{"price":12.5,"tags":["a","b","a",3,null]}', '{"price":"7","tags":true}', '{"price":2.0}']
    ),
}

_EVENTS = st.fixed_dictionaries(_COLUMNS)

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
    Feature("campaign_medium", OneHot(("email",))),
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


def build(rows: list[Event], gap_seconds: float | None = None) -> Sessions:
    columns = {name: [row[name] for row in rows] for name in _COLUMNS} if rows else {}
    names = [*_COLUMNS]
    types = {name: pa.int64() if name == "timestamp_us" else pa.string() for name in names}
    table = pa.table({name: pa.array(columns.get(name, []), types[name]) for name in names})
    table = table.append_column("message_id", pa.array([f"m{i}" for i in range(len(rows))], pa.string()))
    return build_sessions(table, SessionRules(gap_seconds=gap_seconds), Window(START_US, START_US + 10**13))[0]


def slices_of(rows: list[tuple[int, int, int]]) -> Slices:
    session, start, end = np.array(rows, np.int64).reshape(-1, 3).T
    return Slices(session, start, end, np.zeros(len(rows), np.int64))


def rows_of(sessions: Sessions, session: int, start: int, end: int) -> list[Event]:
    begin = int(sessions.offsets[session])
    return sessions.events.slice(begin + start, end - start).to_pylist()


def instance(coded: CodedInstances, n: int) -> dict[str, Any]:
    first, last = np.concatenate([[0], np.cumsum(coded.lengths)])[n : n + 2]
    ends = np.cumsum(coded.hash_lengths)
    return {
        "hash": [coded.hash_values[ends[t] - coded.hash_lengths[t] : ends[t]].tolist() for t in range(first, last)],
        "steps": {name: bins[first:last].tolist() for name, bins in coded.steps.items()},
        "metadata": {name: values[n] for name, values in coded.metadata.items()},
        "last_time_us": coded.last_time_us[n],
    }


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


def assert_same(one: CodedInstances, other: CodedInstances) -> None:
    """Equal in every bit, but for where the events were."""
    for name in ("lengths", "hash_values", "hash_lengths", "last_time_us"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), strict=True)
    for name in ("steps", "metadata"):
        assert getattr(one, name).keys() == getattr(other, name).keys()
        for feature, values in getattr(one, name).items():
            np.testing.assert_array_equal(values, getattr(other, name)[feature], strict=True)


@given(_batches(), st.data())
@settings(max_examples=50, deadline=None)
def test_take_picks_instances(batch: tuple[Sessions, list[tuple[int, int, int]]], data: st.DataObject) -> None:
    coded = FeatureCoder(FeatureSpec(hides=("Hidden",))).encode(batch[0], slices_of(batch[1]))
    picks = data.draw(st.lists(st.sampled_from(range(len(coded))), max_size=6)) if len(coded) else []
    taken = coded.take(np.array(picks, np.int64))
    assert [instance(taken, n) for n in range(len(taken))] == [instance(coded, n) for n in picks]
    mask = np.isin(np.arange(len(coded)), picks)
    assert_same(coded.take(mask), coded.take(np.flatnonzero(mask)))


def _event(seconds: float = 0, **values: Any) -> Event:
    plain = dict.fromkeys(_COLUMNS) | {"visitor": "ada", "event": "Page Viewed", "type": "page"}
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
    # 1,811 s since the visible event before, not 1,801 since the hidden one: another visit; the first has no dwell: bin 5
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
