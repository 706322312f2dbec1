"""Literal sessions from terse rows, and arbitrary ones for the property tests."""

import pyarrow as pa
import pytest
from hypothesis import strategies as st

from features.sessions import SessionRules, Window, build_sessions

SECOND = 1_000_000
EVENTS = ("Page Viewed", "Product Added", "Order Completed", "Signed Up", "Signed In", "Prediction Point")
TYPES = {"Page Viewed": "page"}


def _sessions(rows, window=(0, 10**9), gap_seconds=None):
    """Builds Sessions from (visitor, seconds, event[, properties]) rows; times and the window are in seconds."""
    visitors, seconds, events, properties = zip(*((*row, None)[:4] for row in rows), strict=True)
    table = pa.table(
        {
            "visitor": pa.array(visitors, pa.string()),
            "message_id": pa.array([f"m{i:06}" for i in range(len(rows))]),
            "type": pa.array([TYPES.get(event, "track") for event in events], pa.string()),
            "event": pa.array(events, pa.string()),
            "timestamp_us": pa.array([round(s * SECOND) for s in seconds], pa.int64()),
            "properties": pa.array(properties, pa.string()),
            "url": pa.array([f"https://shop.example/{event.lower().replace(' ', '-')}" for event in events]),
            "referrer": pa.nulls(len(rows), pa.string()),
            "user_agent": pa.nulls(len(rows), pa.string()),
        }
    )
    bounds = Window(round(window[0] * SECOND), round(window[1] * SECOND))
    return build_sessions(table, SessionRules(gap_seconds, None), bounds)[0]


@pytest.fixture(scope="session")
def sessions_of():
    return _sessions


@pytest.fixture(scope="session")
def any_sessions():
    """A strategy: up to 6 visitors, up to 40 events with ties in time, and a window that may end among them."""
    row = st.tuples(
        st.sampled_from("abcdef"),
        st.integers(0, 5_000).map(lambda tick: tick * 40),  # up to 55 hours, so that visits split and days pass
        st.sampled_from(EVENTS),
        st.sampled_from([None, "{}", '{"revenue": 19.99}', '{"revenue": "7.5"}', '{"revenue": 1e300}', "broken"]),
    )
    rows = st.lists(row, min_size=1, max_size=40)
    return st.builds(_sessions, rows, st.tuples(st.just(0), st.integers(1, 300_000)), st.sampled_from([None, 1800]))


@pytest.fixture(scope="session")
def tuples():
    """Slices as literal rows: (session, start, end, label)."""
    return lambda found: list(
        zip(*(column.tolist() for column in (found.session, found.start, found.end, found.label)), strict=True)
    )
