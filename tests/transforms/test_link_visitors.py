"""Links between anonymous ids and users."""

import pyarrow as pa

from transforms.link_visitors import distinct_links, resolve_links


def test_pairs_are_distinct_and_leave_out_events_without_a_user() -> None:
    events = pa.RecordBatch.from_pydict(
        {"anonymous_id": ["a", "a", "b", "c"], "user_id": pa.array(["u", "u", None, "u"], pa.string())}
    )
    assert sorted(distinct_links(events)) == [("a", "u"), ("c", "u")]


def test_ids_of_one_user_become_one_visitor_and_a_shared_device_stays_itself() -> None:
    links = [("phone", "ann"), ("laptop", "ann"), ("family-tablet", "ann"), ("family-tablet", "bob"), ("tv", "bob")]
    assert resolve_links(links) == {"phone": "user:ann", "laptop": "user:ann", "tv": "user:bob"}
