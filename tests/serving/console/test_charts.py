"""Charts: where things are drawn, and that names in them stay text."""

import re
from xml.etree import ElementTree

from markupsafe import Markup

from serving.console import charts
from serving.console.charts import Bar, Bucket, Point

EVIL = '<script>alert("&")</script>'


def elements(chart: Markup, kind: str) -> list[ElementTree.Element]:
    """Returns the elements of a class; the chart must be well-formed."""
    assert "style=" not in chart  # the policy would refuse it
    return [each for each in ElementTree.fromstring(str(chart)).iter() if kind in (each.get("class") or "").split()]


def test_a_calibration_curve() -> None:
    after = [Bucket(100, 0.2, 0.25, 0.2, 0.3), Bucket(50, 0.8, 0.7, 0.6, 0.8)]
    chart = charts.calibration(after, [Bucket(100, 0.5, 0.4, 0.3, 0.5)], EVIL)
    dots = [dot for dot in elements(chart, "dot") if dot.get("class") == "dot after"]
    # The scale ends at 0.848, six percent above the highest interval: 48 to 348 from left to right, 272 to 12 upwards.
    assert [(dot.get("cx"), dot.get("cy")) for dot in dots] == [("118.8", "195.3"), ("331.0", "57.4")]
    assert [title.text for dot in dots for title in dot] == [
        "predicted 20.0 %, happened 25.0 %, 100 examples",
        "predicted 80.0 %, happened 70.0 %, 50 examples",
    ]
    assert ElementTree.fromstring(str(chart)).get("aria-label") == f"Calibration of {EVIL}"
    assert len(elements(chart, "whisker")) == 3


def test_probabilities_along_events() -> None:
    moments = (0, 60_000_000, 120_000_000)
    points = [Point(at, EVIL, 0.1 * (place + 1), place > 0) for place, at in enumerate(moments)]
    chart = charts.probabilities(points, 0.2, (0.05, 0.25, 0.9))
    dots = elements(chart, "dot")
    # Three events over 52 to 858, nothing to 0.345 over 236 to 12.
    assert [(dot.get("cx"), dot.get("cy")) for dot in dots] == [
        ("52.0", "171.1"),
        ("455.0", "106.1"),
        ("858.0", "41.2"),
    ]
    assert dots[0][0].text == f"1970-01-01 00:00:00 UTC · {EVIL} · 10.0 %, the base rate"
    assert dots[2].get("class") == "dot after last"
    assert len(elements(chart, "edge")) == 2  # the third is above the scale
    assert charts.probabilities([], 0.2) == ""
    assert "after each of 1 events, now 10.0 %" in charts.probabilities(points[:1], 0.2)


def test_throughput_is_stacked() -> None:
    bars = [Bar(590, 20, 100, 0), Bar(5, 5, 6, 2), Bar(0, 5, 4, 0)]
    chart = charts.throughput(bars, 600)
    accepted, other = elements(chart, "accepted"), elements(chart, "other")
    assert len(accepted) == 2  # the first began before the chart does
    assert len(other) == 1
    # The scale ends at 8 of the tallest... the one left out counts too: 100, over 170 to 10.
    assert (accepted[0].get("y"), accepted[0].get("height")) == ("160.4", "9.6")
    assert (other[0].get("y"), other[0].get("height")) == ("157.2", "3.2")
    assert "Events a second, 4.0 now" in chart
    assert elements(charts.throughput([], 600), "bar") == []


def test_small_charts() -> None:
    [span] = elements(charts.interval(0.5, 0.25, 1.5, 1.0), "span")
    assert (span.get("x1"), span.get("x2")) == ("42.0", "156.0")  # what is outside ends at the edge
    [bar] = elements(charts.contribution(-0.1, 0.2), "down")
    assert (bar.get("x"), bar.get("width")) == ("43.0", "37.0")
    [bar] = elements(charts.contribution(0.2, 0.2), "up")
    assert (bar.get("x"), bar.get("width")) == ("80.0", "74.0")
    assert elements(charts.contribution(0.0, 0.0), "down") == []
    assert charts.course([0.7]) == ""
    assert "From 0.7000 to 0.8000 over 2 versions" in charts.course([0.7, 0.8])


def test_grid_lines_are_round_and_few() -> None:
    for top in (0.013, 0.02, 0.09, 0.345, 0.5, 0.999, 1.0):
        chart = charts.probabilities([Point(0, "e", top / 1.15, True)], 0.0)
        labels = [text.text or "" for text in elements(chart, "axis")]
        shares = [label for label in labels if re.fullmatch(r"[\d.]+ %", label)]
        assert 3 <= len(shares) <= 7, (top, shares)
        assert len(set(shares)) == len(shares)
