import numpy as np
import orjson
import pytest

from features.attention_numbers import NumbersWanted, attention_numbers, read_regions
from features.attention_regions import EFFECTIVE_FIXATIONS, Region, region_shares
from features.attention_scores import AttentionScoreError


def test_the_numbers_of_a_small_map_by_hand() -> None:
    density = np.zeros((10, 20), np.float32)
    density[2, 3], density[7, 15] = 0.75, 0.25
    found = attention_numbers(density, [Region("left", 0, 0, 10, 10)], NumbersWanted(fold_px=5))
    assert found["above_the_fold"] == {"fold_px": 5, "share": 0.75}
    assert found["hottest_radius_px"] == 1.0  # a twentieth of ten rows is less
    assert found["hottest_points"] == [{"x": 3.5, "y": 2.5, "share": 0.75}, {"x": 15.5, "y": 7.5, "share": 0.25}]
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert found["focus_score"] == pytest.approx(100 * (1 - np.exp(entropy) / 200))
    [left] = found["regions"]
    assert [left[name] for name in ("name", "x", "y", "width", "height")] == ["left", 0, 0, 10, 10]
    assert (left["share"], left["rank"], left["area"], left["lift"]) == (0.75, 1, 0.5, 1.5)
    assert 0 < left["low"] < 0.75 < left["high"] < 1
    assert orjson.loads(orjson.dumps(found)) == found


def test_the_intervals_are_of_the_models_own_fixations() -> None:
    density = np.ones((10, 10), np.float32)
    regions = [Region("left", 0, 0, 5, 10)]
    found = attention_numbers(density, regions, measured_fixations=7)
    [expected] = region_shares(density, regions, effective_fixations=7)
    assert found["interval"] == {"level": 0.95, "effective_fixations": 7, "source": "model card"}
    assert found["regions"][0]["low"] == expected.low
    without = attention_numbers(density, regions)
    assert without["interval"] == {"level": 0.95, "effective_fixations": EFFECTIVE_FIXATIONS, "source": "default"}
    assert without["regions"][0]["low"] > expected.low


def test_a_twentieth_of_the_shorter_side_and_a_laptops_screen_unless_told() -> None:
    found = attention_numbers(np.ones((1000, 60), np.float32), wanted=NumbersWanted(points=1))
    assert (found["hottest_radius_px"], found["regions"]) == (3.0, [])
    assert found["above_the_fold"]["share"] == pytest.approx(0.9)
    assert attention_numbers(np.ones((4, 4)), wanted=NumbersWanted(radius_px=2.5))["hottest_radius_px"] == 2.5


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"points": 0}, "points 0; expected 1 to 50"),
        ({"points": 51}, "points 51; expected 1 to 50"),
        ({"radius_px": 0.0}, "radius_px 0.0; expected a number of pixels above 0"),
        ({"fold_px": float("nan")}, "fold_px nan; expected a number of pixels above 0"),
    ],
)
def test_impossible_wishes_are_refused(given, words) -> None:
    with pytest.raises(AttentionScoreError, match=words):
        NumbersWanted(**given)


def test_regions_of_a_text() -> None:
    text = b'[{"name": "hero", "x": 0, "y": 1.5, "width": 9, "height": 3}]'
    assert read_regions(text) == [Region("hero", 0, 1.5, 9, 3)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"[", "regions are not JSON .*; expected \\["),
        (b"[]", "regions are a list of 0; expected a list of 1 to 100 regions"),
        (b"{}", "regions are a JSON dict; expected a list of 1 to 100 regions"),
        (b"[1]", "a region with int; expected exactly"),
        (b'[{"name": "hero"}]', "a region with \\['name'\\]; expected exactly height, name, width, x, y"),
        (b"[" + b" " * 2**18 + b"]", "regions of 262146 bytes; expected at most 262144"),
    ],
)
def test_texts_that_hold_no_regions(text, words) -> None:
    with pytest.raises(AttentionScoreError, match=words):
        read_regions(text)
