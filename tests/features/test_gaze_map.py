"""The map of one image, from points and masks."""

import cv2
import numpy as np
import pytest

from features.attention_spec import AttentionSpec
from features.gaze import Points
from features.gaze_density import density, merge_maps
from features.gaze_map import map_of_image
from features.gaze_masks import MaskError, read_mask
from features.images import ImageLimits
from features.images_fit import place_image

SPEC = AttentionSpec(width=40, height=40, sigma_px=8, sets=("s", "t"), set_sigma_px={"t": 16}, resample_by="none")
WIDE = place_image(60, 80, 40, 40)  # half the size, in rows 5 to 34


def points(*places: tuple[float, float]) -> Points:
    x, y = np.array(places, np.float32).T
    count = len(places)
    return Points.in_order(np.zeros(count, np.int64), np.arange(count, dtype=np.int32), x, y, np.full(count, np.nan))


def made(found: dict[str, Points], mask=None, spec: AttentionSpec = SPEC, split: str = "train", **more):
    given = {"set_name": "s", "drop_first": False, **more}
    return map_of_image(found, mask, WIDE, spec, split=split, **given)


def test_points_and_sigma_shrink_with_the_image_and_the_border_stays_empty() -> None:
    found = made({"eye": points((0, 0), (79.9, 59.9), (41, 30))})
    assert list(zip(found.fixations.x.tolist(), found.fixations.y.tolist(), strict=True)) == [
        (0, 5),
        (pytest.approx(39.95), pytest.approx(34.95)),
        (20.5, 20),
    ]
    expected = density(np.array([[0, 0], [39.95, 29.95], [20.5, 15]]), None, 30, 40, 4.0)
    np.testing.assert_allclose(found.values[5:35], expected, atol=1e-8)
    assert not found.values[:5].any()
    assert not found.values[35:].any()
    assert (found.method, dict(found.dropped)) == ("eye", {})
    other = made({"eye": points((41, 30))}, set_name="t")
    np.testing.assert_allclose(other.values[5:35], density(np.array([[20.5, 15]]), None, 30, 40, 8.0), atol=1e-8)


def test_methods_are_merged_in_training_and_people_are_the_truth_elsewhere() -> None:
    eye, mouse = points((10, 10)), points((70, 50))
    alone = {"eye": made({"eye": eye}).values, "mouse_samples": made({"mouse_samples": mouse}).values}
    merged = made({"eye": eye, "mouse_samples": mouse})
    assert merged.method == "eye+mouse_samples"
    np.testing.assert_array_equal(merged.values, merge_maps(alone, SPEC.merge))
    for split in ("validation", "test"):
        judged = made({"eye": eye, "mouse_samples": mouse}, split=split)
        assert judged.method == "eye"
        np.testing.assert_array_equal(judged.values, alone["eye"])
        assert made({"mouse_samples": mouse}, split=split).method == "mouse_samples"
    assert len(merged.fixations) == 1
    assert merged.fixations.x[0] == 5


def test_without_an_eye_clicks_are_the_points_and_then_the_cursor() -> None:
    clicks, mouse = points((10, 10)), points((70, 50), (72, 50))
    assert len(made({"clicks": clicks, "mouse_samples": mouse}).fixations) == 1
    assert len(made({"mouse_samples": mouse}).fixations) == 2


def test_what_is_left_out_is_counted() -> None:
    found = made({"eye": points((5, 5), (6, 6), (80, 6)), "mouse_samples": points((-1, 0), (3, 3))}, drop_first=True)
    assert dict(found.dropped) == {"forced_first_fixation": 1, "outside_image": 2}
    assert len(found.fixations) == 1
    nothing = made({"eye": points((99, 99))})
    assert (nothing.values, nothing.method, len(nothing.fixations)) == (None, "", 0)


def test_a_way_outside_the_image_is_part_of_the_trace_but_not_of_the_map() -> None:
    spec = AttentionSpec(width=40, height=40, sigma_px=8, sets=("s",), resample_by="distance", resample_step=10)
    # from x = 60 to 100 and back: 60, 70 | 80 90 100 90 80 | 70, 60
    found = made({"mouse_samples": points((60, 30), (100, 30), (60, 30))}, spec=spec)
    assert found.fixations.x.tolist() == [30, 35, 35, 30]
    assert dict(found.dropped) == {"outside_image": 1}


def test_a_mask_lies_as_its_image_does() -> None:
    grey = np.zeros((30, 40), np.uint8)
    grey[0, 0], grey[29, 39] = 50, 150
    mask = read_mask(cv2.imencode(".png", grey)[1].tobytes(), WIDE, ImageLimits())
    assert mask.shape == (40, 40)
    assert mask[5, 0] == pytest.approx(0.25)
    assert mask[34, 39] == pytest.approx(0.75)
    found = made({}, mask)
    assert found.method == "mask"
    np.testing.assert_array_equal(found.values, mask)
    both = made({"clicks": points((10, 10))}, mask)
    assert both.method == "clicks+mask"


@pytest.mark.parametrize(
    ("grey", "message"),
    [
        (np.zeros((30, 40), np.uint8), "empty_mask: black everywhere"),
        (np.ones((40, 40), np.uint8), "mask_of_another_shape: 40x40 beside an image of 80x60"),
    ],
)
def test_a_mask_that_cannot_be_used_is_refused(grey: np.ndarray, message: str) -> None:
    with pytest.raises(MaskError, match=message):
        read_mask(cv2.imencode(".png", grey)[1].tobytes(), WIDE, ImageLimits())
