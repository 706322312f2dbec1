"""Sessions: sorting, copies, limits, gaps, views."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.sessions import MissingColumnError, SessionRules, Window, build_sessions

WINDOW = Window(0, 1_000_000_000)
SECOND = 1_000_000


def events(rows: list[tuple[str, int, str, str | None]]) -> pa.Table:
    """(visitor, seconds, message_id, event) rows as a table."""
    return pa.table(
        {
            "visitor": pa.array([row[0] for row in rows], pa.string()),
            "timestamp_us": pa.array([row[1] * SECOND for row in rows], pa.int64()),
            "message_id": pa.array([row[2] for row in rows], pa.string()),
            "event": pa.array([row[3] for row in rows], pa.string()),
        }
    )


def rows_of(table: pa.Table) -> list[tuple[str, int, str, str | None]]:
    names = ("visitor", "timestamp_us", "message_id", "event")
    return [(v, t // SECOND, m, e) for v, t, m, e in zip(*(table.column(n).to_pylist() for n in names), strict=True)]


def test_events_are_sorted_by_visitor_time_and_message_id() -> None:
    table = events([("b", 3, "x", "p"), ("a", 2, "n", "q"), ("b", 1, "y", "p"), ("a", 2, "m", None)])
    sessions, dropped = build_sessions(table, SessionRules(), WINDOW)
    assert rows_of(sessions.events) == [("a", 2, "m", None), ("a", 2, "n", "q"), ("b", 1, "y", "p"), ("b", 3, "x", "p")]
    assert sessions.offsets.tolist() == [0, 2, 4]
    assert sum(dropped.values()) == 0


def test_copies_are_dropped_and_counted_by_kind() -> None:
    table = events(
        [
            ("a", 1, "m", "p"),
            ("a", 1, "m", "p"),  # the same row again
            ("a", 5, "m", "p"),  # the same message at another time
            ("b", 9, "m", "p"),  # another visitor's message of that id is not a copy
        ]
    )
    sessions, dropped = build_sessions(table, SessionRules(), WINDOW)
    assert rows_of(sessions.events) == [("a", 1, "m", "p"), ("b", 9, "m", "p")]
    assert dropped == {"duplicate_row": 1, "duplicate_message_id": 1, "visitor_over_limit": 0}


def test_a_visitor_over_the_limit_is_dropped_whole_after_copies_are() -> None:
    table = events([("a", n, f"m{n}", "p") for n in range(3)] + [("a", 0, "m0", "p")] + [("b", 1, "x", "p")])
    sessions, dropped = build_sessions(table, SessionRules(max_events=3), WINDOW)
    assert len(sessions) == 2
    sessions, dropped = build_sessions(table, SessionRules(max_events=2), WINDOW)
    assert rows_of(sessions.events) == [("b", 1, "x", "p")]
    assert dropped == {"duplicate_row": 1, "duplicate_message_id": 0, "visitor_over_limit": 3}


def test_a_gap_longer_than_the_rule_begins_another_session() -> None:
    table = events([("a", 0, "1", "p"), ("a", 1800, "2", "p"), ("a", 3601, "3", "p"), ("b", 3602, "4", "p")])
    sessions, _ = build_sessions(table, SessionRules(gap_seconds=1800), WINDOW)
    assert sessions.offsets.tolist() == [0, 2, 3, 4]
    whole, _ = build_sessions(table, SessionRules(), WINDOW)
    assert whole.offsets.tolist() == [0, 3, 4]


def test_no_events_make_no_sessions() -> None:
    sessions, dropped = build_sessions(events([]), SessionRules(gap_seconds=1), WINDOW)
    assert len(sessions) == 0
    assert list(sessions) == []
    assert sum(dropped.values()) == 0


def test_a_session_is_a_view_with_positions_of_its_own() -> None:
    table = events(
        [("a", 1, "1", "p"), ("a", 2, "2", "o"), ("b", 3, "3", "o"), ("b", 4, "4", None), ("b", 5, "5", "o")]
    )
    sessions, _ = build_sessions(table, SessionRules(), WINDOW)
    assert [session.where(event="o") for session in sessions] == [[1], [0, 2]]
    assert [session.where(event="unheard of") for session in sessions] == [[], []]
    assert sessions[1].time_us.tolist() == [3 * SECOND, 4 * SECOND, 5 * SECOND]
    assert [len(session) for session in sessions] == [2, 3]
    assert sessions.mask(event="o").tolist() == [False, True, True, False, True]
    assert sessions.session_of.tolist() == [0, 0, 1, 1, 1]
    with pytest.raises(IndexError, match="session 2 of 2"):
        sessions[2]


def test_numbers_come_from_json_and_are_nan_otherwise() -> None:
    table = events([("a", n, str(n), "p") for n in range(6)])
    properties = ['{"revenue": 12.5}', '{"revenue": "7"}', '{"revenue": true}', "[1]", None, '{"revenue": "Infinity"}']
    sessions, _ = build_sessions(table.append_column("properties", pa.array(properties)), SessionRules(), WINDOW)
    np.testing.assert_array_equal(
        sessions[0].numbers("properties", "revenue"), [12.5, 7.0, np.nan, np.nan, np.nan, np.nan]
    )


def test_a_column_that_was_not_carried_is_named() -> None:
    sessions, _ = build_sessions(events([("a", 1, "1", "p")]), SessionRules(), WINDOW)
    with pytest.raises(MissingColumnError, match=r"column 'url' is not among those carried here .*`requires`"):
        sessions.codes("url")


ROW = st.tuples(st.sampled_from("abc"), st.integers(0, 5), st.sampled_from("mnop"), st.sampled_from(["p", "q", None]))


@given(st.lists(ROW, max_size=30), st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(rows: list[tuple[str, int, str, str | None]], random: object) -> None:
    shuffled = rows.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    # the whole row stands in the message id, so that equal ids are equal rows and nothing depends on which is kept
    ids = [[(v, t, f"{v}{t}{m}{e}", e) for v, t, m, e in order] for order in (rows, shuffled)]
    ours, theirs = (build_sessions(events(order), SessionRules(gap_seconds=2), WINDOW) for order in ids)
    assert rows_of(ours[0].events) == rows_of(theirs[0].events)
    assert ours[0].offsets.tolist() == theirs[0].offsets.tolist()
    assert ours[1] == theirs[1]


@given(st.lists(ROW, max_size=30))
def test_sessions_equal_a_plain_reading_of_the_rules(rows: list[tuple[str, int, str, str | None]]) -> None:
    sessions, dropped = build_sessions(events(rows), SessionRules(gap_seconds=2, max_events=4), WINDOW)
    by_visitor: dict[str, list[tuple[int, str]]] = {}
    for visitor, time, message, _ in sorted(rows, key=lambda row: row[:3]):
        mine = by_visitor.setdefault(visitor, [])
        if all(message != other for _, other in mine):
            mine.append((time, message))
    expected = []
    for visitor, mine in sorted(by_visitor.items()):
        if len(mine) > 4:
            continue
        for place, (time, message) in enumerate(mine):
            if not place or time - mine[place - 1][0] > 2:
                expected.append([])
            expected[-1].append((visitor, time, message))
    found = [
        [row[:3] for row in rows_of(sessions.events)[sessions.offsets[n] : sessions.offsets[n + 1]]]
        for n in range(len(sessions))
    ]
    assert found == expected
    assert sum(dropped.values()) == len(rows) - sum(map(len, expected))


@given(
    st.lists(
        st.sampled_from(["", "a", "ab", "ba", "same-head-1-same-tail", "same-head-2-same-tail", "ü" * 9]), max_size=20
    )
)
def test_copies_are_found_whatever_the_ids_look_like(ids: list[str]) -> None:
    table = events([("a", n, message, "p") for n, message in enumerate(ids)])
    sessions, dropped = build_sessions(table, SessionRules(), WINDOW)
    assert sessions.events.column("message_id").to_pylist() == list(dict.fromkeys(ids))
    assert dropped["duplicate_message_id"] == len(ids) - len(set(ids))
    padded = build_sessions(
        pa.concat_tables([events([("a", 0, "x" * 30, "p")]), table]).slice(1), SessionRules(), WINDOW
    )
    assert padded[0].events.equals(sessions.events)
