"""Clicks against a predicted map: by hand where they fall on one place, and nothing where there are few."""

import numpy as np
import pytest

from features.clicks import Placed
from features.gaze_density import density
from models.attention.click_map import ClickRules, click_density, compare_clicks
from models.attention.metrics import cc, nss


def placed(points: np.ndarray, visitors: np.ndarray | None = None) -> Placed:
    return Placed(np.asarray(points, float), np.arange(len(points)) if visitors is None else visitors, 0)


def hot(x: int, y: int, height: int = 60, width: int = 100) -> np.ndarray:
    return density(np.array([[x, y]], float), None, height, width, 6.0)


def test_clicks_where_attention_was_predicted() -> None:
    """All clicks in one pixel, the map's own peak: NSS is the peak's z-score, and the maps are the same."""
    predicted = hot(30, 20)
    found = compare_clicks(placed(np.full((60, 2), [30.5, 20.5])), predicted, 6.0, ClickRules())
    assert (found["clicks"], found["visitors"], found["not_measured"]) == (60, 60, None)
    assert found["nss"]["value"] == pytest.approx((predicted.max() - predicted.mean()) / predicted.std(), rel=1e-4)
    assert found["nss"]["value"] == pytest.approx(nss(predicted, [30] * 60, [20] * 60), rel=1e-4)
    assert found["nss"]["low"] == pytest.approx(found["nss"]["high"])
    assert found["cc"]["value"] == pytest.approx(1)
    assert compare_clicks(placed(np.full((60, 2), [90.5, 55.5])), predicted, 6.0, ClickRules())["nss"]["value"] < 0


def test_a_visitor_s_habit_widens_the_interval() -> None:
    """The same clicks, of 300 visitors and of 30: ten clicks of one visitor are not ten opinions."""
    random = np.random.default_rng(1)
    centres = random.uniform([5, 5], [95, 55], (30, 2)).repeat(10, axis=0)
    predicted = hot(50, 30)
    many = compare_clicks(placed(centres), predicted, 6.0, ClickRules())
    few = compare_clicks(placed(centres, np.arange(30).repeat(10)), predicted, 6.0, ClickRules())
    for name in ("nss", "cc"):
        assert many[name]["value"] == few[name]["value"]
        assert few[name]["high"] - few[name]["low"] > 2 * (many[name]["high"] - many[name]["low"])
        assert few[name]["low"] < few[name]["value"] < few[name]["high"]


def test_a_long_page_is_measured_small_and_nearly_the_same() -> None:
    random = np.random.default_rng(2)
    points = np.clip(random.normal([200, 900], [60, 300], (400, 2)), 0, [399, 2399])
    predicted = density(np.clip(random.normal([190, 1000], [60, 300], (900, 2)), 0, [399, 2399]), None, 2400, 400, 40)
    found = compare_clicks(placed(points), predicted, 40.0, ClickRules())
    clicked = click_density(placed(points), 2400, 400, 40.0)
    assert clicked is not None
    assert found["cc"]["value"] == pytest.approx(cc(predicted, clicked), abs=0.01)


@pytest.mark.parametrize(
    ("count", "people", "why"),
    [
        (49, 49, "49 clicks of 49 visitors on the screenshot; at least 50 of 20 are measured"),
        (200, 5, "200 clicks of 5 visitors on the screenshot; at least 50 of 20 are measured"),
        (0, 1, "0 clicks of 0 visitors"),
    ],
)
def test_few_clicks_give_no_number(count: int, people: int, why: str) -> None:
    found = compare_clicks(placed(np.full((count, 2), 9.0), np.arange(count) % people), hot(30, 20), 6.0, ClickRules())
    assert (found["nss"], found["cc"]) == (None, None)
    assert found["not_measured"].startswith(why)


def test_a_flat_map_and_no_clicks() -> None:
    flat = np.full((60, 100), 1 / 6000)
    found = compare_clicks(placed(np.full((60, 2), 9.0)), flat, 6.0, ClickRules())
    assert found["not_measured"] == "the predicted map is the same everywhere"
    assert click_density(placed(np.zeros((0, 2))), 60, 100, 6.0) is None
