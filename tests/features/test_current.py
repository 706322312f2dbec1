"""Where the service begins an instance, on literal sessions; tests/example_generators/test_serving_parity.py proves it
to be where the generators begin.
"""

import numpy as np
import pyarrow as pa

from features.coding import FeatureCoder
from features.current import beginnings, current_slices
from features.sessions import SessionRules, Sessions, Window, build_sessions
from features.slices import CENSORED
from features.spec import FeatureSpec

VIEW, ORDER, SIGNUP = "Page Viewed", "Order Completed", "Signed Up"


def sessions_of(rows: list[tuple[str, int, str]], gap_seconds: float | None = None) -> Sessions:
    """Builds sessions from (visitor, second, event)."""
    visitor, second, event = zip(*rows, strict=True)
    table = pa.table(
        {
            "visitor": pa.array(visitor, pa.string()),
            "message_id": [f"m{i}" for i in range(len(rows))],
            "type": ["track"] * len(rows),
            "event": pa.array(event, pa.string()),
            "timestamp_us": [s * 1_000_000 for s in second],
            **{name: pa.nulls(len(rows), pa.string()) for name in ("url", "referrer", "user_agent")},
        }
    )
    return build_sessions(table, SessionRules(gap_seconds, None), Window(0, 10**12))[0]


def rows(slices: object) -> list[tuple[int, int, int]]:
    return list(zip(slices.session.tolist(), slices.start.tolist(), slices.end.tolist(), strict=True))


def test_the_whole_session_without_anything_to_begin_after() -> None:
    sessions = sessions_of([("a", 0, VIEW), ("a", 1, ORDER), ("a", 2, VIEW)])
    found = current_slices(sessions, FeatureSpec())
    assert rows(found) == [(0, 0, 3)]
    assert found.label.tolist() == [CENSORED]
    assert found.stats == {}


def test_from_after_the_last_order() -> None:
    sessions = sessions_of([("a", 0, VIEW), ("a", 1, ORDER), ("a", 2, VIEW), ("a", 3, ORDER), ("a", 4, VIEW)])
    assert rows(current_slices(sessions, FeatureSpec(begins_after=(ORDER,)))) == [(0, 4, 5)]


def test_the_last_of_several_names_counts() -> None:
    sessions = sessions_of([("a", 0, VIEW), ("a", 1, ORDER), ("a", 2, VIEW), ("a", 3, SIGNUP), ("a", 4, VIEW)])
    assert rows(current_slices(sessions, FeatureSpec(begins_after=(SIGNUP, ORDER)))) == [(0, 4, 5)]


def test_nothing_since_the_order_is_an_empty_slice_and_no_instance() -> None:
    sessions = sessions_of([("a", 0, VIEW), ("a", 1, ORDER), ("b", 0, VIEW)])
    spec = FeatureSpec(begins_after=(ORDER,), hides=(ORDER,))
    found = current_slices(sessions, spec)
    assert rows(found) == [(0, 2, 2), (1, 0, 1)]
    assert FeatureCoder(spec).encode(sessions, found).rows.tolist() == [1]


def test_each_visitor_has_the_last_session_alone() -> None:
    events = [("a", 0, ORDER), ("a", 100, VIEW), ("b", 0, VIEW), ("b", 1, ORDER), ("b", 2, VIEW), ("c", 5, VIEW)]
    sessions = sessions_of(events, gap_seconds=50)
    assert np.diff(sessions.offsets).tolist() == [1, 1, 3, 1]
    assert rows(current_slices(sessions, FeatureSpec(begins_after=(ORDER,)))) == [(1, 0, 1), (2, 2, 3), (3, 0, 1)]


def test_another_visitors_order_and_one_at_the_end_itself_do_not_count() -> None:
    sessions = sessions_of([("a", 0, ORDER), ("b", 0, VIEW), ("b", 1, ORDER)])
    session, end = np.array([1, 1]), np.array([1, 2])
    assert beginnings(sessions, session, end, (ORDER,)).tolist() == [0, 2]


def test_no_events_are_no_slices() -> None:
    sessions = sessions_of([("a", 0, VIEW)])
    empty = Sessions(sessions.events.slice(0, 0), sessions.offsets[:1], sessions.window)
    assert len(current_slices(empty, FeatureSpec(begins_after=(ORDER,)))) == 0
