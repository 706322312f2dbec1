"""A coder that walks over events, slow and straight from the definitions of docs/features.md; and what to feed it."""

import itertools
import math
from collections.abc import Iterable
from typing import Any

import mmh3
import numpy as np
import orjson
import pyarrow as pa

from features.agents import agent_from_context, parse_agent
from features.bucketing import MinMax, OneHot
from features.coding import CodedInstances
from features.metadata import campaign_medium, referrer_kind
from features.sessions import SessionRules, Sessions, Window, build_sessions
from features.slices import Slices
from features.spec import FeatureSpec, HashSpec
from features.urls import parse_url

Event = dict[str, Any]

START_US = 1_700_000_000_000_000

POOLS: dict[str, list[str | None]] = {
    "visitor": ["ada", "bob", "cyd"],
    "event": ["Page Viewed", "Product Added", "Order Completed", "Hidden"],
    "type": ["track", "page"],
    "url": [
        None,
        "",
        "https://www.shop.example/",
        "https://shop.example/c/c/shoes?size=41&size=42&color=red",
        "https://shop.example/item/7?utm_source=news&utm_medium=EMail",
        "shop.example/item/7?gclid=1",
        "https://shop.example/cart?utm_source=g&utm_medium=cpc",
        "not a url",
        "http://[::1",
    ],
    "referrer": [
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
    ],
    "user_agent": [
        None,
        "",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 "
        "Safari/537.36",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/17.5 Mobile/15E148 Safari/604.1",
    ],
    "context": [None, "{}", '{"device":{"type":"mobile"},"os":{"name":"iOS"}}'],
    "properties": [
        None,
        "{}",
        '{"price":12.5,"tags":["a","b","a",3,null]}',
        '{"price":"7","tags":true}',
        '{"price":2.0,"tags":["a","a","b"]}',
    ],
}
"""Values of every column of an event but its time and message id, the awkward ones among them."""


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


def build(rows: list[Event], gap_seconds: float | None = None) -> Sessions:
    columns = {name: [row[name] for row in rows] for name in (*POOLS, "timestamp_us")}
    table = pa.table(
        {
            name: pa.array(values, pa.int64() if name == "timestamp_us" else pa.string())
            for name, values in columns.items()
        }
    )
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


def assert_same(one: CodedInstances, other: CodedInstances) -> None:
    """Equal in every bit, but for where the events were."""
    for name in ("lengths", "hash_values", "hash_lengths", "last_time_us"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), strict=True)
    for name in ("steps", "metadata"):
        assert getattr(one, name).keys() == getattr(other, name).keys()
        for feature, values in getattr(one, name).items():
            np.testing.assert_array_equal(values, getattr(other, name)[feature], strict=True)
