"""Clicks of the browser library: which are on a page, in windows of which width, and where on a screenshot."""

from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest

from features.clicks import (
    CLICK,
    REQUIRED_COLUMNS,
    ClicksError,
    clicks_on,
    in_range,
    page_key,
    place_clicks,
    width_ranges,
)

SHOES = "https://shop.example/shoes?utm_source=x#top"


def click(visitor: str, x: float, y: float, *, url: str = SHOES, event: str = CLICK, **more: Any) -> dict[str, Any]:
    facts = {"x": x, "y": y, "page_width": 1280, "page_height": 3000, "viewport_width": 1280, "element": "a", **more}
    return {
        "message_id": f"{visitor}-{x}-{y}",
        "anonymous_id": visitor,
        "event": event,
        "url": url,
        "properties": orjson.dumps(facts).decode(),
    }


def batch(*rows: dict[str, Any]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(list(rows), pa.schema([(name, pa.string()) for name in REQUIRED_COLUMNS]))


def test_clicks_of_the_page_alone_each_once() -> None:
    rows = [
        click("a", 10, 20),
        click("b", 30, 40, url="https://SHOP.example/shoes/"),
        click("a", 1, 2, url="https://shop.example/shoes/red"),
        click("a", 1, 2, url="https://other.example/shoes"),
        click("c", 1, 2, event="Page Viewed"),
        {**click("a", 5, 6), "url": None},
    ]
    found, left_out = clicks_on([batch(*rows[:3]), batch(*rows[3:], rows[0])], "https://shop.example/shoes", 100)
    assert (found.x.tolist(), found.y.tolist(), found.visitors.tolist()) == ([10, 30], [20, 40], [0, 1])
    assert left_out == {"other_page": 3, "copy": 1}
    anywhere, left_out = clicks_on([batch(*rows)], "/shoes", 100)
    assert (len(anywhere), left_out) == (3, {"other_page": 2})


@pytest.mark.parametrize(
    "change",
    [
        {"x": None},
        {"y": "20"},
        {"x": True},
        {"page_width": 0},
        {"viewport_width": -5},
        {"x": 1e9},
        {"page_height": None},
    ],
)
def test_a_click_without_a_place_is_counted(change: dict[str, Any]) -> None:
    found, left_out = clicks_on([batch(click("a", 1, 2), click("b", **{"x": 3, "y": 4, **change}))], "/shoes", 100)
    assert (found.x.tolist(), left_out) == ([1.0], {"no_position": 1})


def test_properties_that_are_no_object_and_no_clicks_at_all() -> None:
    bad = [{**click("a", n, 2), "properties": text} for n, text in enumerate(["[1]", "{", None])]
    found, left_out = clicks_on([batch(*bad)], "/shoes", 100)
    assert (len(found), left_out) == (0, {"no_position": 3})
    assert (
        found.points.shape == (0, 2) if hasattr(found, "points") else place_clicks(found, 10, 10).points.shape == (0, 2)
    )


def test_memory_is_bounded() -> None:
    with pytest.raises(ClicksError, match="more than 2 clicks on /shoes; read fewer days"):
        clicks_on([batch(*(click("a", n, 1) for n in range(3)))], "/shoes", 2)


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://shop.example", "shop.example/"),
        ("https://Shop.example/Shoes/?q=1#x", "shop.example/Shoes"),
        ("/shoes/", "/shoes"),
        ("/", "/"),
    ],
)
def test_the_key_of_a_page(url: str, key: str) -> None:
    assert page_key(url) == key


@pytest.mark.parametrize("url", ["shoes", "", "http://[", "?q=1"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ClicksError, match="is no address"):
        page_key(url)


def test_ranges_of_widths() -> None:
    assert width_ranges() == [(0, 768), (768, 1200), (1200, None)]
    assert width_ranges([500]) == [(0, 500), (500, None)]
    rows = [click("a", n, 1, viewport_width=width) for n, width in enumerate([320, 767, 768, 1199, 1200, 2000])]
    found, _ = clicks_on([batch(*rows)], "/shoes", 100)
    assert [in_range(found, bounds).sum() for bounds in width_ranges()] == [2, 2, 2]
    for wrong in ([800, 700], [0, 5], [5, 5]):
        with pytest.raises(ClicksError, match="expected rising widths above 0"):
            width_ranges(wrong)


def test_clicks_are_scaled_by_width_and_keep_their_place_from_the_top() -> None:
    """A page 1000 wide on a screenshot 500 wide: (100, 300) is (50, 150), whatever the page's height."""
    rows = [
        click("a", 100, 300, page_width=1000, page_height=900),
        click("b", 100, 300, page_width=500, page_height=5000),
        click("c", 100, 900, page_width=500),
        click("c", 600, 10, page_width=500),
    ]
    found, _ = clicks_on([batch(*rows)], "/shoes", 100)
    placed = place_clicks(found, 500, 800)
    assert placed.points.tolist() == [[50, 150], [100, 300]]
    assert (placed.visitors.tolist(), placed.outside) == ([0, 1], 2)
    assert np.isfinite(placed.points).all()
