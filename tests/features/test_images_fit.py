import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.images_fit import IMAGENET_MEAN, Placement, Tile, letterbox, place_image, stitch, tiles
from features.strict import FeatureSpecError

SIDES = st.integers(1, 3000)


def test_where_an_image_lies() -> None:
    assert place_image(600, 800, 320, 240) == Placement(800, 600, 320, 240, 0, 0, 320, 240)
    # 1440x900 in 320x240: scale 320/1440, so 200 rows, 20 above and 20 below.
    assert place_image(900, 1440, 320, 240) == Placement(1440, 900, 320, 240, 0, 20, 320, 200)
    assert place_image(20_000, 1, 320, 240) == Placement(1, 20_000, 320, 240, 159, 0, 1, 240)
    assert place_image(1, 1, 320, 240) == Placement(1, 1, 320, 240, 40, 0, 240, 240)
    with pytest.raises(FeatureSpecError, match="height: 0 is not possible; expected an integer at least 1"):
        place_image(600, 800, 320, 0)


def test_points_go_there_and_back() -> None:
    placement = place_image(900, 1440, 320, 240)
    corners = [(0, 0), (1440, 900), (720, 450)]
    assert placement.to_model(corners).tolist() == [[0, 20], [320, 220], [160, 120]]
    np.testing.assert_allclose(placement.to_image([(0, 20), (320, 220), (160, 0)]), [(0, 0), (1440, 900), (720, -90)])


@given(SIDES, SIDES, st.integers(1, 600), st.integers(1, 600))
def test_any_image_fits_and_any_point_returns(height: int, width: int, model_height: int, model_width: int) -> None:
    placement = place_image(height, width, model_width, model_height)
    assert 0 <= placement.left and placement.left + placement.width <= model_width
    assert 0 <= placement.top and placement.top + placement.height <= model_height
    assert placement.width == model_width or placement.height == model_height
    points = np.array([(0, 0), (width, height), (width / 3, height / 7)])
    np.testing.assert_allclose(placement.to_image(placement.to_model(points)), points, atol=1e-9)


def test_letterbox_shows_the_image_and_fills_the_border() -> None:
    image = np.zeros((2, 4, 3), np.uint8)
    image[:, 2:] = 200
    boxed, placement = letterbox(image, 4, 4)
    assert placement == Placement(4, 2, 4, 4, 0, 1, 4, 2)
    np.testing.assert_array_equal(boxed[1:3], image)
    assert (boxed[[0, 3]] == IMAGENET_MEAN).all()
    assert (letterbox(image, 4, 4, (1, 2, 3))[0][0] == (1, 2, 3)).all()


def test_shrinking_averages_by_area() -> None:
    image = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    boxed, _ = letterbox(image, 3, 2)
    expected = image.reshape(2, 2, 3, 2, 3).mean((1, 3))
    assert abs(boxed - expected).max() <= 0.5


def test_one_side_shrinks_while_the_other_grows() -> None:
    # 1x100 in 4x50: half the scale would make half a pixel, which becomes a whole one.
    tall = np.repeat(np.arange(100, dtype=np.uint8)[:, None, None], 3, axis=2)
    boxed, placement = letterbox(tall, 4, 50)
    assert (placement.width, placement.height) == (1, 50)
    assert abs(boxed[:, placement.left, 0] - (np.arange(50) * 2 + 0.5)).max() <= 0.5
    wide = place_image(100, 1, 4, 50).place(np.ones((100, 1), np.float32))
    assert wide.sum() == 50


def test_maps_go_there_and_back() -> None:
    rows, columns = np.mgrid[0:300, 0:480]
    smooth = np.exp(-((rows - 130) ** 2 + (columns - 210) ** 2) / (2 * 40**2)).astype(np.float32)
    placement = place_image(300, 480, 160, 120)
    placed = placement.place(smooth)
    assert placed.shape == (120, 160) and placed.dtype == np.float32
    assert placed[:10].sum() == placed[110:].sum() == 0
    restored = placement.restore(placed)
    assert restored.shape == (300, 480) and restored.dtype == np.float32
    assert abs(restored - smooth).max() < 0.005
    peak = np.unravel_index(placed.argmax(), placed.shape)
    np.testing.assert_allclose(placement.to_image([(peak[1] + 0.5, peak[0] + 0.5)]), [(210.5, 130.5)], atol=3)


def test_a_restored_density_sums_to_one() -> None:
    placement = place_image(37, 91, 40, 40)
    shown = placement.place(np.ones((37, 91), np.float32))
    density = placement.restore(shown / shown.sum(), density=True)
    np.testing.assert_allclose(density, 1 / (37 * 91), rtol=1e-5)
    empty = placement.restore(np.zeros((40, 40)), density=True)
    np.testing.assert_allclose(empty, 1 / (37 * 91))


def test_maps_of_another_size_are_refused() -> None:
    placement = place_image(37, 91, 40, 20)
    with pytest.raises(ValueError, match=r"a map of shape \(40, 20\); expected \(20, 40\)"):
        placement.restore(np.zeros((40, 20)))
    with pytest.raises(ValueError, match=r"a map of shape \(91, 37\); expected \(37, 91\)"):
        placement.place(np.zeros((91, 37)))


def test_tiles_by_hand() -> None:
    assert tiles(10, 4, (4, 4), 1) == [Tile(0, 0, 4, 4), Tile(3, 0, 4, 4), Tile(6, 0, 4, 4)]
    # Three are needed for 11 rows to share a row; the last ends at the bottom, so some share more.
    assert [tile.top for tile in tiles(11, 4, (5, 9), 1)] == [0, 3, 6]
    assert tiles(3, 2, (5, 9), 1) == [Tile(0, 0, 3, 2)]
    assert [(tile.top, tile.left) for tile in tiles(4, 6, (3, 4), 2)] == [(0, 0), (0, 2), (1, 0), (1, 2)]
    # What is not cut does not limit the overlap.
    assert [tile.left for tile in tiles(3, 16, (3, 8), 4)] == [0, 4, 8]


def test_tiles_that_cannot_be() -> None:
    with pytest.raises(FeatureSpecError, match="overlap: 4 is not possible; expected an integer from 0 to 3"):
        tiles(10, 10, (4, 5), 4)
    with pytest.raises(FeatureSpecError, match="tile width: 0 is not possible"):
        tiles(10, 10, (4, 0), 0)


@given(st.integers(1, 200), st.integers(1, 200), st.integers(1, 60), st.integers(1, 60), st.data())
def test_tiles_cover_overlap_and_stitch_to_the_same(
    height: int, width: int, tile_height: int, tile_width: int, draw: st.DataObject
) -> None:
    overlap = draw.draw(st.integers(0, min(tile_height, tile_width) - 1).filter(lambda n: n < 40))
    if max(height / (tile_height - overlap), width / (tile_width - overlap)) > 30:
        return
    placed = tiles(height, width, (tile_height, tile_width), overlap)
    tops, lefts = sorted({tile.top for tile in placed}), sorted({tile.left for tile in placed})
    assert tops[0] == lefts[0] == 0
    assert (tops[-1] + placed[0].height, lefts[-1] + placed[0].width) == (height, width)
    assert all(after - before <= tile_height - overlap for before, after in itertools.pairwise(tops))
    assert all(after - before <= tile_width - overlap for before, after in itertools.pairwise(lefts))
    values = np.add.outer(np.arange(height) * 3.0, np.arange(width)).astype(np.float32)
    stitched = stitch([tile.cut(values) for tile in placed], placed, height, width)
    assert stitched.dtype == np.float32
    np.testing.assert_allclose(stitched, values, rtol=1e-6)


def test_overlapping_tiles_blend_from_one_to_the_other() -> None:
    placed = [Tile(0, 0, 1, 5), Tile(0, 3, 1, 5)]
    stitched = stitch([np.zeros((1, 5)), np.ones((1, 5))], placed, 1, 8)
    # The overlap is 2 and 1 pixels from the first's end and 1 and 2 from the second's, in every row.
    expected = [0, 0, 0, 1 / 3, 2 / 3, 1, 1, 1]
    np.testing.assert_allclose(stitched[0], expected, rtol=1e-6)
    high = [Tile(0, 0, 5, 5), Tile(0, 3, 5, 5)]
    blended = stitch([np.zeros((5, 5)), np.ones((5, 5))], high, 5, 8)
    np.testing.assert_allclose(blended, np.tile(expected, (5, 1)), rtol=1e-6)


def test_where_four_tiles_meet_each_weighs_by_rows_and_by_columns() -> None:
    placed = tiles(8, 8, (5, 5), 2)
    stitched = stitch([np.full((5, 5), value) for value in (0, 1, 2, 3)], placed, 8, 8)
    # One third of the way to the right and two thirds of the way down: 1/3 * 1 + 2/3 * 2.
    np.testing.assert_allclose(stitched[4, 3], 5 / 3, rtol=1e-6)


def test_parts_that_do_not_belong_are_refused() -> None:
    with pytest.raises(ValueError, match=r"a map of shape \(2, 2\); expected \(3, 3\)"):
        stitch([np.zeros((2, 2))], [Tile(0, 0, 3, 3)], 3, 3)
    with pytest.raises(ValueError, match="the tiles leave a part of 4x3 uncovered; expected what tiles\\(\\) returns"):
        stitch([np.zeros((3, 3))], [Tile(0, 0, 3, 3)], 3, 4)
