"""Groups of features: named after the spec, and hash bits told apart by what sets them."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from features.bucketing import Linear
from features.fields import HashSpec
from features.hashing import bucket_of
from features.spec import Feature, FeatureSpec
from models.behavior.feature_groups import bucket_counts, feature_groups

EVENTS = pa.table(
    {
        "event": pa.array(["Page Viewed", "Page Viewed", "Product Added", None]).dictionary_encode(),
        "url": [
            "https://shop.example/shoes/red?size=4&utm_source=x",
            "https://shop.example/shoes/red?size=4&utm_source=x",
            "https://shop.example/cart",
            None,
        ],
        "referrer": [None, "https://www.google.com/search", None, None],
        "properties": ['{"brand": "a"}', None, '{"brand": ["a", "b"]}', "no JSON"],
    }
)


def spec_with(*fields: str, size: int = 4096, seed: int = 3) -> FeatureSpec:
    return FeatureSpec(hash=HashSpec(size=size, seed=seed, fields=fields))


def buckets(*tokens: str, size: int = 4096) -> set[int]:
    return {bucket_of(token, size, 3) for token in tokens}


def test_the_groups_of_the_default_spec() -> None:
    groups = {group.name: group for group in feature_groups(FeatureSpec(), EVENTS)}
    assert list(groups) == [
        *("hash", "hash/event", "hash/url", "hash/referrer"),
        *("hash/url.path", "hash/url.segments", "hash/url.query_keys", "hash/url.campaign"),
        *("step/dwell", "step/time_of_day", "step/day_of_week", "step/position"),
        *("metadata/agent", "metadata/source", "metadata/history"),
    ]
    assert groups["hash"].features == FeatureSpec().hash.fields
    assert groups["hash"].buckets.all()
    assert groups["hash/url"].features == ("url.path", "url.segments", "url.query_keys", "url.campaign")
    assert groups["step/dwell"].steps == ("dwell",)
    assert groups["metadata/agent"].metadata == ("device", "browser", "os")
    assert groups["metadata/source"].metadata == ("referrer_kind", "campaign_medium")
    assert groups["metadata/history"].metadata == ("visit_count", "event_count", "distinct_pages", "span")
    assert not any(group.buckets.any() for name, group in groups.items() if not name.startswith("hash"))


def test_features_are_grouped_by_what_they_are_made_of_and_named_as_in_the_spec() -> None:
    steps = (Feature("price", Linear(0, 1, 5), of="properties.price"),)
    metadata = (Feature("pages", Linear(0, 1, 5), of="distinct_pages"),)
    spec = replace(spec_with("event"), steps=steps, metadata=metadata)
    assert [(group.name, group.features) for group in feature_groups(spec, EVENTS)] == [
        ("hash", ("event",)),
        ("step/price", ("price",)),
        ("metadata/history", ("pages",)),
    ]


def test_a_bucket_is_counted_for_each_field_that_sets_it() -> None:
    counts = bucket_counts(spec_with("event", "url.path", "properties.brand"), EVENTS)
    viewed, added = (bucket_of(f"event={name}", 4096, 3) for name in ("Page Viewed", "Product Added"))
    assert (counts["event"][viewed], counts["event"][added], counts["event"].sum()) == (2, 1, 3)
    assert counts["url.path"][bucket_of("url.path=/shoes/red", 4096, 3)] == 2
    a, b = (bucket_of(f"properties.brand={name}", 4096, 3) for name in "ab")
    assert (counts["properties.brand"][a], counts["properties.brand"][b]) == (2, 1)


def test_with_room_enough_every_field_has_its_own_buckets() -> None:
    groups = {g.name: g for g in feature_groups(spec_with("event", "url.path", "url.segments"), EVENTS)}
    assert set(np.flatnonzero(groups["hash/event"].buckets)) == buckets("event=Page Viewed", "event=Product Added")
    paths = buckets("url.path=/shoes/red", "url.path=/cart")
    segments = buckets("url.segments=shoes", "url.segments=red", "url.segments=cart")
    assert set(np.flatnonzero(groups["hash/url.path"].buckets)) == paths
    assert set(np.flatnonzero(groups["hash/url"].buckets)) == paths | segments
    assert {group.told_apart for name, group in groups.items() if name.startswith("hash/")} == {1.0}
    assert groups["hash"].told_apart is None


def test_in_two_buckets_fields_collide_and_the_most_frequent_has_them() -> None:
    """With seed 7: events set them 2 and 1 times, paths 2 and 1, segments 2 and 3 times."""
    spec = spec_with("event", "url.path", "url.segments", size=2, seed=7)
    assert {field: found.tolist() for field, found in bucket_counts(spec, EVENTS).items()} == {
        "event": [2, 1],
        "url.path": [2, 1],
        "url.segments": [2, 3],
    }
    found = {group.name: group for group in feature_groups(spec, EVENTS) if group.name.startswith("hash/")}
    assert list(found) == ["hash/url", "hash/url.segments"]  # no bucket is left for the others
    assert found["hash/url"].buckets.tolist() == [True, True]
    assert found["hash/url"].told_apart == pytest.approx(8 / 11)
    assert found["hash/url.segments"].buckets.tolist() == [False, True]
    assert found["hash/url.segments"].told_apart == pytest.approx(3 / 5)
