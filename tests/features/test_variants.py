"""Variants of photos: values computed by hand, and what holds for every photo."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from features import variants
from features.creative_names import DEFAULT_VARIANTS
from features.variants import (
    ENTRY_POINT_GROUP,
    Brighter,
    Darker,
    Exposure,
    Original,
    Recoloured,
    Rotated,
    Sketch,
    Swivel,
    VariantError,
    border_colour,
    load_variant,
    swivel_homography,
    variant_names,
    variant_params,
)

PHOTOS = st.tuples(st.integers(1, 24), st.integers(1, 24)).flatmap(lambda size: arrays(np.uint8, (*size, 3)))


def grey(*values: int) -> np.ndarray:
    """One row of greys."""
    return np.repeat(np.array([values], np.uint8)[..., None], 3, axis=2)


def test_exposure_is_linear_in_light_then_fits_between_black_and_white() -> None:
    # sRGB 128 is 0.21586 of the light; twice that is coded as 0.68846, which is 176
    assert Exposure(stops=1.0).apply(grey(0, 128, 255))[0, :, 0].tolist() == [0, 176, 255]
    # half of it, 0.10793, is coded as 0.36225: 92; half of white as 0.73536: 188
    assert Exposure(stops=-1.0).apply(grey(0, 128, 255))[0, :, 0].tolist() == [0, 92, 188]
    # 0.2 + 0.8 * 0.68846 = 0.75077: 191
    assert Brighter().apply(grey(0, 128, 255))[0, :, 0].tolist() == [51, 191, 255]
    # 0.8 * 0.36225 = 0.28980: 74; 0.8 * 0.73536 = 0.58829: 150
    assert Darker().apply(grey(0, 128, 255))[0, :, 0].tolist() == [0, 74, 150]
    # the linear part of sRGB: 5 / 255 / 12.92 doubled is below 0.0031308, so it is coded as 10
    assert Exposure(stops=1.0).apply(grey(5))[0, 0, 0] == 10


def test_each_channel_has_its_own_exposure() -> None:
    assert Exposure(stops=1.0).apply(np.array([[[0, 128, 255]]], np.uint8)).tolist() == [[[0, 176, 255]]]


def test_a_quarter_turn_is_clockwise() -> None:
    image = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    turned = Rotated().apply(image)
    assert turned.shape == (3, 2, 3)
    # the first column, read from the bottom, is the first row
    assert turned[0].tolist() == [image[1, 0].tolist(), image[0, 0].tolist()]
    assert turned[2].tolist() == [image[1, 2].tolist(), image[0, 2].tolist()]
    assert np.array_equal(Rotated(2).apply(image), image[::-1, ::-1])


def test_a_sketch_of_one_colour_is_white_paper_and_an_edge_leaves_a_stroke_on_its_dark_side() -> None:
    assert Sketch().apply(np.full((20, 20, 3), (200, 40, 90), np.uint8)).tolist() == np.full((20, 20, 3), 255).tolist()
    image = np.full((40, 40, 3), 200, np.uint8)
    image[:, 20:] = 50
    drawn = Sketch().apply(image)
    assert (drawn == drawn[..., :1]).all()  # grey
    assert (drawn[:, :15] == 255).all() and (drawn[:, 25:] == 255).all()
    assert drawn[:, 20].max() < 160  # 50 beside 200: the blur there is some 110, and 255 * 50 / 110 = 116
    assert (drawn[:, 19] == 255).all()  # brighter than its surroundings: paper


def test_a_sketch_divides_by_the_blur() -> None:
    # a blur of sigma 0.2 * 2 = 0.4 pixels has three taps worth noting
    image = grey(100, 200)
    side = np.exp(-1 / (2 * 0.4**2))
    weight = side / (1 + 2 * side)
    blurred = (1 - weight) * 100 + weight * 200  # what lies beyond the edge repeats it
    assert Sketch(stroke=0.2).apply(image)[0, 0, 0] == pytest.approx(255 * 100 / blurred, abs=2)
    assert Sketch(stroke=0.2).apply(image)[0, 1, 0] == 255


def test_the_homography_is_what_a_pinhole_sees() -> None:
    width, height, degrees, distance = 300, 400, 30.0, 1.5
    found = swivel_homography(width, height, degrees, distance)
    away, angle = 600.0, np.pi / 6
    shrunk = 1 - 150 * np.sin(angle) / away
    for x, y in ((0, 0), (299, 0), (299, 399), (149.5, 199.5), (30, 370)):
        # rotate the point in space, then divide by its depth
        across, down, depth = (x - 149.5) * np.cos(angle), y - 199.5, away + (x - 149.5) * np.sin(angle)
        expected = (149.5 + shrunk * away * across / depth, 199.5 + shrunk * away * down / depth)
        u, v, w = found @ (x, y, 1)
        assert (u / w, v / w) == pytest.approx(expected, abs=1e-9)
    assert np.allclose(swivel_homography(width, height, 0, distance), np.eye(3))


def test_a_swivel_shows_the_near_side_whole_and_fills_with_the_colour_of_the_border() -> None:
    image = np.full((101, 101, 3), 10, np.uint8)
    image[5:-5, 5:-5] = 240
    turned = Swivel().apply(image)
    assert turned.shape == image.shape
    bright = (turned[..., 0] > 120).sum(axis=0)  # rows of the square by column
    seen = np.flatnonzero(bright)
    assert bright[seen[0]] > bright[seen[-1]]  # the left side is nearer, so it is higher
    # its left edge, 45.5 from the axis, is 91 high times 0.83333 * 151.5 / (151.5 - 45.5 / 2)
    assert bright[seen[0]] == pytest.approx(89.2, abs=1)
    # 91 pixels wide, turned by 30 degrees and shrunk to 1 - (101 / 2) sin(30) / (1.5 * 101) = 0.83333
    assert len(seen) == pytest.approx(0.83333 * 91 * np.cos(np.pi / 6) / (1 - (45.5 * 0.5 / 151.5) ** 2), abs=2)
    assert (turned[:, 0] == 10).all() and (turned[:, -1] == 10).all()
    assert np.array_equal(Swivel(-30.0).apply(image[:, ::-1]), turned[:, ::-1])  # to the other side


def test_the_border_colour_is_the_median_of_the_ring() -> None:
    image = np.zeros((3, 4, 3), np.uint8)
    image[0] = (10, 20, 30)
    image[-1] = (10, 20, 30)
    image[1, 1:3] = 255  # inside
    assert border_colour(image) == (10, 20, 30)


def test_a_new_background_leaves_the_product_alone() -> None:
    image = np.full((20, 20, 3), 200, np.uint8)
    image[6:14, 6:14] = (180, 20, 20)
    image[9:11, 9:11] = 200  # like the background, but not reached from the border
    changed = Recoloured(red=100, green=150, blue=250).apply(image)
    assert np.abs(changed[0, 0].astype(int) - (100, 150, 250)).max() <= 1
    assert np.array_equal(changed[6:14, 6:14], image[6:14, 6:14])
    image[0, 0] = 190  # a shadow stays one
    assert (Recoloured(red=100, green=150, blue=250).apply(image)[0, 0] < (100, 150, 250)).all()


@settings(max_examples=60, deadline=None)
@given(PHOTOS)
def test_every_variant_of_every_photo(image: np.ndarray) -> None:
    before = image.copy()
    image.flags.writeable = False
    for name in variant_names():
        maker = load_variant(name)
        made = maker.apply(image)
        sides = image.shape[1::-1] if name == "rotated" else image.shape[:2]
        assert (made.dtype, made.shape) == (np.uint8, (*sides, 3))
        assert np.array_equal(made, maker.apply(image))
        assert not np.shares_memory(made, image)
    assert np.array_equal(image, before)
    assert Brighter().apply(image).min() >= 51 and Darker().apply(image).max() <= 150
    assert (Brighter().apply(image) >= image).all() and (Darker().apply(image) <= image).all()


@settings(max_examples=60, deadline=None)
@given(PHOTOS)
def test_parameters_that_change_nothing_change_nothing(image: np.ndarray) -> None:
    for maker in (Original(), Exposure(), Rotated(0), Swivel(0.0)):
        assert np.array_equal(maker.apply(image), image)
    turned = image
    for _ in range(4):
        turned = Rotated().apply(turned)
    assert np.array_equal(turned, image)
    recoloured = Recoloured(*border_colour(image), tolerance=0.0).apply(image)
    assert np.abs(recoloured.astype(int) - image).max() <= 1  # there and back through CIELAB


@given(st.floats(-8, 8), st.floats(0, 0.49), st.floats(0.5, 1))
def test_tones_keep_their_order_and_range(stops: float, black: float, white: float) -> None:
    tones = Exposure(stops, black, white).apply(grey(*range(256)))[0, :, 0].astype(int)
    assert (np.diff(tones) >= 0).all()
    assert tones[0] == round(255 * black) and tones[-1] <= round(255 * white)


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("brighter", {"stops": 9}, r"^stops is 9.0; expected -8 to 8$"),
        ("brighter", {"black": 1.0}, r"^black 1 is not below white 1; expected a range between them$"),
        ("rotated", {"quarter_turns": 4}, r"^quarter_turns is 4; expected 0 to 3$"),
        ("rotated", {"quarter_turns": 1.5}, r"^parameter 'quarter_turns' of variant 'rotated' is 1.5; expected int$"),
        ("swivel", {"degrees": 90}, r"^degrees is 90.0; expected -75 to 75$"),
        ("sketch", {"stroke": float("nan")}, r"^stroke is nan; expected 0.0005 to 0.2$"),
        ("sketch", {"width": 1}, r"^variant 'sketch' has no parameter 'width'; it takes stroke$"),
        ("sketched", {}, r"^no variant is called 'sketched' \(did you mean 'sketch'\?\); known: brighter, "),
    ],
)
def test_what_cannot_be_is_refused(name: str, params: dict[str, float], message: str) -> None:
    with pytest.raises(VariantError, match=message):
        load_variant(name, params)


def test_the_shipped_ones_come_back_from_their_parameters() -> None:
    assert {*DEFAULT_VARIANTS, "recoloured"} == set(variants._SHIPPED)
    for name in variants._SHIPPED:
        maker = load_variant(name)
        assert load_variant(name, variant_params(maker)) == maker
        assert maker.__doc__


def test_another_packages_variant_is_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = """
from dataclasses import dataclass
from features.variants import Variant

@dataclass(frozen=True)
class Mirrored(Variant):
    def apply(self, image):
        return image[:, ::-1].copy()
"""
    (tmp_path / "my_shop.py").write_text(source)
    info = tmp_path / "my_shop-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-shop\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\nmirrored = my_shop:Mirrored\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "my_shop", raising=False)
    assert load_variant("mirrored").apply(grey(1, 2))[0, :, 0].tolist() == [2, 1]
