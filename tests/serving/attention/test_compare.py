"""What became of the attention between two images, over HTTP, sizes equal or not."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest

from features.attention_regions import Region, region_shares, share_changes
from features.attention_scores import difference
from features.heatmaps import draw_difference
from features.images_fit import Placement
from models.attention.pages import attend
from models.attention.predictor import Predictor
from models.registry import Registry
from tests.served_attention import FIXATIONS, NAME, picture, png

BEFORE, AFTER = picture(bright=(30, 20)), picture(bright=(100, 70), seed=1)


@pytest.fixture(scope="module")
def predictor(attention_registry: Path) -> Predictor:
    registry = Registry(attention_registry)
    return Predictor.load(registry.open_version("attention", NAME, registry.champion("attention", NAME).version))


def change_of(running, before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, str]:
    response = running.compare(png(before), png(after), format="npy")
    assert response.status_code == 200, response.text
    return np.load(io.BytesIO(response.content), allow_pickle=False), response.headers["X-Attention-Aligned"]


def test_the_table(running, predictor: Predictor) -> None:
    regions = [Region("old", 14, 4, 32, 32), Region("new", 84, 54, 32, 32)]
    texts = [f"{r.name}:{r.x},{r.y},{r.width},{r.height}" for r in regions]
    found = running.compare(png(BEFORE), png(AFTER), format="json", region=texts, fold=48).json()
    old, new = (attend(predictor, image) for image in (BEFORE, AFTER))
    before, after = (region_shares(each, regions, effective_fixations=FIXATIONS) for each in (old, new))
    for said, one, two, change in zip(found["regions"], before, after, share_changes(before, after), strict=True):
        assert (said["before"]["share"], said["after"]["share"]) == (one.share, two.share)
        assert (said["change"], said["apart"]) == (change.change, change.apart)
    assert found["regions"][0]["change"] < -0.5 and found["regions"][1]["change"] > 0.5
    assert found["moved"] == difference(old, new)[1]
    assert found["aligned"] == "same"
    assert found["above_the_fold"]["change"] == found["above_the_fold"]["after"] - found["above_the_fold"]["before"]
    assert found["focus_score"].keys() == {"before", "after", "change"}


def test_the_map_and_the_picture(running, predictor: Predictor) -> None:
    expected, _ = difference(attend(predictor, BEFORE), attend(predictor, AFTER))
    found, aligned = change_of(running, BEFORE, AFTER)
    assert (found.tobytes(), aligned) == (expected.tobytes(), "same")
    for query, options in [({}, {}), ({"opacity": 0.4, "legend": False}, {"opacity": 0.4, "legend": False})]:
        response = running.compare(png(BEFORE), png(AFTER), **query)
        drawn = cv2.imdecode(np.frombuffer(response.content, np.uint8), cv2.IMREAD_COLOR_RGB)
        np.testing.assert_array_equal(drawn, draw_difference(AFTER, expected, **options))


def test_an_image_and_itself_differ_nowhere(running) -> None:
    assert not change_of(running, BEFORE, BEFORE)[0].any()
    assert running.compare(png(BEFORE), png(BEFORE), format="json").json()["moved"] == 0


@pytest.mark.parametrize("longer_first", [True, False])
def test_two_lengths_of_a_page_are_laid_together_at_the_top(running, predictor: Predictor, longer_first: bool) -> None:
    long = np.concatenate([BEFORE, picture(60, 128, seed=5)])
    pair = (long, BEFORE) if longer_first else (BEFORE, long)
    found, aligned = change_of(running, *pair)
    maps = [attend(predictor, image).astype(np.float64) for image in pair]
    padded = [np.pad(each, ((0, 156 - len(each)), (0, 0))) for each in maps]
    assert (found.shape, aligned) == ((156, 128), "top")
    np.testing.assert_allclose(found, padded[1] - padded[0], atol=1e-7)
    below = {"format": "json", "region": "below:0,96,128,60"}
    said = running.compare(*map(png, pair), **below).json()["regions"][0]
    assert said["after" if longer_first else "before"]["share"] == 0
    assert said["before" if longer_first else "after"]["share"] > 0
    assert running.compare(*map(png, pair)).status_code == 200


def test_images_of_other_sizes_are_compared_on_the_newer_ones(running, predictor: Predictor) -> None:
    large = cv2.resize(BEFORE, (256, 192))
    found, aligned = change_of(running, large, BEFORE)
    scaled = Placement(128, 96, 256, 192, 0, 0, 256, 192).restore(attend(predictor, large), density=True)
    assert (found.shape, aligned) == ((96, 128), "scaled")
    np.testing.assert_allclose(found, attend(predictor, BEFORE) - scaled, atol=1e-7)
    outside = running.compare(png(large), png(BEFORE), format="json", region="far:120,80,30,30")
    assert outside.json()["error"] == "bad_region"


def test_the_same_images_have_the_same_bytes(running) -> None:
    one, two = (running.compare(png(BEFORE), png(AFTER), format="json") for _ in range(2))
    assert (one.content, one.headers["ETag"]) == (two.content, two.headers["ETag"])
    assert running.compare(png(AFTER), png(BEFORE), format="json").headers["ETag"] != one.headers["ETag"]
