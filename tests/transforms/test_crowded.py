"""Visitors over the limit are left out on the way, with the same examples and the same counts as at the end."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from example_generators.purchase import Purchase
from features.coding import FeatureCoder
from features.fields import HashSpec
from features.sessions import SessionRules, Window
from features.spec import FeatureSpec
from transforms import crowded
from transforms.crowded import unpack_within
from transforms.shard_examples import shard_examples
from transforms.shards import encode_columns, pack, unpack

LIMIT = 6
SPEC = FeatureSpec(
    sequence_length=4,
    hash=HashSpec(size=32, fields=("event", "url.path")),
    hides=Purchase().hides,
    stats=Purchase.stats,
    generator="purchase",
    session_rules=SessionRules(None, LIMIT),
)
WINDOW = Window(0, 10**9)
CODER = FeatureCoder(SPEC)


def piece(rows: list[tuple[str, str, int, str]]) -> bytes:
    """Packs events: visitor, message id, second, event."""
    table = {
        "message_id": pa.array([row[1] for row in rows], pa.string()),
        "anonymous_id": pa.array([row[0] for row in rows], pa.string()),
        "type": pa.array(["track"] * len(rows)),
        "event": pa.array([row[3] for row in rows], pa.string()),
        "timestamp_us": pa.array([row[2] * 1_000_000 for row in rows], pa.int64()),
        "url": pa.array([None if row[2] % 3 else f"https://s.example/{row[2] % 5}" for row in rows], pa.string()),
        "referrer": pa.array([None] * len(rows), pa.string()),
        "user_agent": pa.array([None] * len(rows), pa.string()),
    }
    return pack(encode_columns(pa.RecordBatch.from_pydict(table), SPEC.required_columns()))


ROWS = st.tuples(
    st.sampled_from(["ann", "bob", "robot", "robot", "robot", "crawler", "crawler"]),
    st.integers(0, 11).map("m{}".format),
    st.integers(0, 3),
    st.sampled_from(["Page Viewed", "Order Completed"]),
)


def made(events: pa.Table) -> tuple[dict[str, list], list, int, int, dict[str, int]]:
    found = shard_examples(events, coder=CODER, generator=Purchase(), window=WINDOW, golden=5)
    columns = {split: batch.to_pylist() for split, batch in found.columns.items()}
    return columns, found.golden.to_pylist(), found.sessions, found.visitors, found.dropped


@given(st.lists(st.lists(ROWS, min_size=1, max_size=15), min_size=1, max_size=8), st.integers(1, 40))
@settings(max_examples=150, deadline=None)
def test_the_same_examples_and_the_same_counts_whoever_is_left_out_when(pieces, first_look) -> None:
    """Copies with the same id and other contents, in any piece, before and after somebody is found out."""
    packed = [piece(rows) for rows in pieces]
    *wanted, dropped = made(unpack(packed))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crowded, "_FIRST_LOOK", first_look)
        found = unpack_within(iter(packed), LIMIT)
    *rest, later = made(found.events)
    assert rest == wanted
    assert {reason: count + found.dropped.get(reason, 0) for reason, count in later.items()} == dropped


def test_a_robot_is_gone_before_the_rest_is_unpacked_and_so_are_its_strings(monkeypatch) -> None:
    monkeypatch.setattr(crowded, "_FIRST_LOOK", 10)
    robots = [[("robot", f"m{n}-{k}", 3 * n, f"Click {n}-{k}") for k in range(8)] for n in range(20)]
    packed = [piece([*rows, (f"ann{n}", f"a{n}", n, "Page Viewed")]) for n, rows in enumerate(robots)]
    found = unpack_within(packed, LIMIT)
    assert found.events.column("visitor").to_pylist() == [f"ann{n}" for n in range(20)]
    assert found.dropped == {"duplicate_row": 0, "duplicate_message_id": 0, "visitor_over_limit": 160}
    kept = [chunk.dictionary.to_pylist() for chunk in found.events.column("event").chunks]
    assert kept == [["Page Viewed"]] * 20


def test_one_with_many_copies_of_few_messages_is_no_robot(monkeypatch) -> None:
    monkeypatch.setattr(crowded, "_FIRST_LOOK", 1)
    packed = [piece([("ann", f"m{n % LIMIT}", n % LIMIT, "Page Viewed")]) for n in range(50)]
    found = unpack_within(packed, LIMIT)
    assert (found.events.num_rows, found.dropped) == (50, {})


def test_without_a_limit_nobody_is_left_out(monkeypatch) -> None:
    monkeypatch.setattr(crowded, "_FIRST_LOOK", 1)
    packed = [piece([("robot", f"m{n}", n, "Page Viewed")]) for n in range(50)]
    assert unpack_within(packed, None).events.num_rows == 50


def test_a_shard_of_robots_alone_is_an_empty_one(monkeypatch) -> None:
    monkeypatch.setattr(crowded, "_FIRST_LOOK", 1)
    found = unpack_within([piece([("robot", f"m{n}", n, "Page Viewed") for n in range(50)])], LIMIT)
    columns, golden, sessions, visitors, dropped = made(found.events)
    assert (sum(map(len, columns.values())), golden, sessions, visitors) == (0, [], 0, 0)
    assert not any(dropped.values())


@given(st.lists(st.text(max_size=30), max_size=30), st.integers(0, 3))
def test_hashes_are_equal_for_equal_strings_alone(texts: list[str], start: int) -> None:
    texts = [*texts, *texts[::-1]]
    found = crowded._hashes(pa.array(texts, pa.string()).slice(start)).tolist()
    assert len(set(zip(texts[start:], found, strict=True))) == len(set(texts[start:])) == len(set(found))


def test_strings_that_differ_in_the_middle_alone_differ() -> None:
    texts = [f"session-{number:012d}-message" for number in range(100_000)]
    assert len(np.unique(crowded._hashes(pa.array(texts)))) == len(texts)
