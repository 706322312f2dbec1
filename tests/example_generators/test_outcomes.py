"""Slicing at outcomes, against cases worked out by hand."""

import numpy as np

from example_generators.catalogue import load_generator


def test_one_slice_up_to_each_order_and_one_after_the_last(sessions_of, tuples):
    sessions = sessions_of(
        [
            ("a", 0, "Page Viewed"),
            ("a", 5, "Product Added"),
            ("a", 65, "Order Completed"),
            ("a", 70, "Page Viewed"),
            ("a", 80, "Page Viewed"),
            ("b", 0, "Page Viewed"),
        ]
    )
    found = load_generator("purchase").slices_of(sessions)
    assert tuples(found) == [(0, 0, 2, 1), (0, 3, 5, 0), (1, 0, 1, 0)]
    assert found.stats["clicks"].tolist() == [2, 2, 1]
    assert found.stats["time_on_site_seconds"].tolist() == [5, 10, 0]
    assert {values.dtype for values in found.stats.values()} == {np.dtype(np.float32)}


def test_an_order_with_nothing_before_it_gives_no_slice(sessions_of, tuples):
    rows = [
        ("a", 0, "Order Completed"),
        ("a", 1, "Order Completed"),
        ("a", 2, "Page Viewed"),
        ("b", 0, "Order Completed"),
    ]
    assert tuples(load_generator("purchase").slices_of(sessions_of(rows))) == [(0, 2, 3, 0)]


def test_the_order_event_can_be_named_otherwise_and_is_hidden(sessions_of, tuples):
    generator = load_generator("purchase", {"event": "Product Added"})
    assert generator.hides == ("Product Added",)
    rows = [("a", 0, "Page Viewed"), ("a", 1, "Product Added")]
    assert tuples(generator.slices_of(sessions_of(rows))) == [(0, 0, 1, 1)]
