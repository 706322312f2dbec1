"""Where people look in an image, over HTTP: every form of the answer, from the bits up."""

import io
import sys
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest

from features.attention_regions import Region, region_shares
from features.attention_scores import above_the_fold, focus_score, hottest_points
from features.heatmaps import HeatmapStyle, draw_heatmap
from features.images import decode_image
from models.attention.pages import attend
from models.attention.predictor import Predictor
from models.registry import Registry
from tests.served_attention import FIXATIONS, NAME, picture, png
from tests.tiny_attention import CONTRAST

PICTURE = picture(bright=(30, 20))
IMAGE = png(PICTURE)


@pytest.fixture(scope="module")
def predictor(attention_registry: Path) -> Predictor:
    registry = Registry(attention_registry)
    return Predictor.load(registry.open_version("attention", NAME, registry.champion("attention", NAME).version))


def npy(response: httpx.Response) -> np.ndarray:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/x-npy"
    return np.load(io.BytesIO(response.content), allow_pickle=False)


def pixels(response: httpx.Response, flags: int = cv2.IMREAD_COLOR_RGB) -> np.ndarray:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "image/png"
    return cv2.imdecode(np.frombuffer(response.content, np.uint8), flags)


def test_the_map_is_what_the_graph_says_by_hand(running) -> None:
    image = picture(48, 64, bright=(40, 20))  # of the model's size: nothing is resized
    found = npy(running.heatmap(png(image), format="npy"))
    logits = image.astype(np.float64).mean(axis=2) / CONTRAST
    expected = np.exp(logits - logits.max())
    np.testing.assert_allclose(found, expected / expected.sum(), rtol=1e-4)
    assert found.dtype == np.float32


@pytest.mark.parametrize("size", [(96, 128), (1000, 90), (37, 1), (200, 301)])
def test_every_bit_is_the_predictors(running, predictor: Predictor, size: tuple[int, int]) -> None:
    """A page of ten times its width is tiled; whatever the way, nothing on the way changes a bit."""
    image = png(picture(*size, seed=3))
    found = npy(running.heatmap(image, format="npy"))
    assert found.tobytes() == attend(predictor, decode_image(image)).tobytes()
    assert found.shape == size


def test_the_overlay_is_drawn_as_the_options_say(running, predictor: Predictor) -> None:
    density = attend(predictor, PICTURE)
    np.testing.assert_array_equal(pixels(running.heatmap(IMAGE)), draw_heatmap(PICTURE, density))
    style = HeatmapStyle("viridis", 0.5, (0.5, 0.9), False)
    asked = running.heatmap(IMAGE, colours="viridis", opacity=0.5, contour=[0.5, 0.9], legend=False)
    np.testing.assert_array_equal(pixels(asked), draw_heatmap(PICTURE, density, style))


def test_the_map_as_a_picture_holds_the_density_to_a_65535th(running, predictor: Predictor) -> None:
    response = running.heatmap(IMAGE, format="map")
    levels = pixels(response, cv2.IMREAD_UNCHANGED)
    assert (levels.dtype, levels.max()) == (np.uint16, 65535)
    density = attend(predictor, PICTURE)
    most = float(response.headers["X-Attention-Max"])
    assert most == float(density.max())
    np.testing.assert_allclose(levels / 65535 * most, density, atol=0.51 * most / 65535)


def test_the_numbers(running, predictor: Predictor) -> None:
    regions = [Region("a: hero", 10, 4, 40, 30), Region("Buy", 100, 60.5, 20, 10)]
    texts = [f"{r.name}:{r.x},{r.y},{r.width},{r.height}" for r in regions]
    found = running.heatmap(IMAGE, format="json", region=texts, fold=40, points=2, radius=10).json()
    density = attend(predictor, PICTURE)
    shares = region_shares(density, regions, effective_fixations=FIXATIONS)
    for said, share, region in zip(found["regions"], shares, regions, strict=True):
        assert {name: said[name] for name in share._fields} == share._asdict()
        assert [said[name] for name in ("x", "y", "width", "height")] == [
            region.x,
            region.y,
            region.width,
            region.height,
        ]
    assert found["regions"][0]["low"] <= found["regions"][0]["share"] <= found["regions"][0]["high"]
    assert found["interval"] == {"level": 0.95, "effective_fixations": FIXATIONS, "source": "model card"}
    assert found["hottest_points"] == [point._asdict() for point in hottest_points(density, 2, 10)]
    assert found["focus_score"] == focus_score(density)
    assert found["above_the_fold"] == {"fold_px": 40, "share": above_the_fold(density, 40)}
    assert found["image"].items() >= {"width": 128, "height": 96}.items()
    assert found["model"] == NAME


def test_without_regions_the_rest_is_said_and_the_fold_is_900_pixels(running) -> None:
    found = running.heatmap(IMAGE, format="json").json()
    assert found["regions"] == []
    assert found["above_the_fold"] == {"fold_px": 900.0, "share": 1.0}
    assert found["hottest_radius_px"] == pytest.approx(96 / 20)
    assert abs(found["hottest_points"][0]["x"] - 30) <= 13 and abs(found["hottest_points"][0]["y"] - 20) <= 13


def test_accept_chooses_the_form(running) -> None:
    for accept, kind in [
        ("*/*", "image/png"),
        ("application/json", "application/json"),
        ("application/x-npy", "application/x-npy"),
        ("text/html, application/json;q=0.9, image/png;q=0.2", "application/json"),
    ]:
        response = running.client.post(
            "/v1/attention/heatmap", content=IMAGE, headers={"Content-Type": "image/png", "Accept": accept}
        )
        assert response.headers["content-type"] == kind
    headers = {"Content-Type": "image/png", "Accept": "text/html"}
    response = running.client.post("/v1/attention/heatmap", content=IMAGE, headers=headers)
    assert (response.status_code, response.json()["error"]) == (406, "not_acceptable")


def test_the_same_image_has_the_same_bytes_and_tag_and_another_has_not(running, start) -> None:
    asked = {"region": "a:0,0,9,9", "contour": 0.5}
    for form in ("overlay", "map", "npy", "json"):
        one, two = (running.heatmap(IMAGE, format=form, **asked) for _ in range(2))
        assert (one.content, one.headers["ETag"]) == (two.content, two.headers["ETag"])
    again = start().heatmap(IMAGE, format="json", **asked)  # another service, another number of threads
    assert (again.content, again.headers["ETag"]) == (one.content, one.headers["ETag"])
    tags = {
        one.headers["ETag"],
        running.heatmap(png(picture(seed=9)), format="json", **asked).headers["ETag"],
        running.heatmap(IMAGE, format="npy", **asked).headers["ETag"],
        running.heatmap(IMAGE, format="json", region="a:0,0,9,8").headers["ETag"],
    }
    assert len(tags) == 4
    assert one.headers["X-Model"].startswith(f"{NAME} 20")


def test_the_body_may_be_of_any_image_type_or_a_form(running) -> None:
    expected = running.heatmap(IMAGE, format="npy").content
    for content_type in ("image/x-anything", "application/octet-stream", "IMAGE/PNG; x=1", ""):
        assert running.heatmap(IMAGE, content_type, format="npy").content == expected
    form = running.client.post("/v1/attention/heatmap?format=npy", files={"image": ("page.png", IMAGE, "image/png")})
    assert form.content == expected


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".bmp", ".gif"])
def test_other_formats_are_taken(running, suffix: str) -> None:
    done, data = cv2.imencode(suffix, PICTURE)
    assert done
    assert npy(running.heatmap(data.tobytes(), format="npy")).shape == PICTURE.shape[:2]


def test_a_photograph_on_its_side_is_answered_upright(running) -> None:
    done, data = cv2.imencode(".jpg", PICTURE)
    assert done
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    turned = data.tobytes()[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data.tobytes()[2:]
    assert npy(running.heatmap(turned, format="npy")).shape == PICTURE.shape[1::-1]


def test_a_model_that_is_not_there_and_one_of_several(running, start, tmp_path: Path) -> None:
    response = running.heatmap(IMAGE, model="other")
    assert (response.status_code, response.json()["error"]) == (404, "unknown_model")
    assert running.heatmap(IMAGE, model=NAME).status_code == 200
    assert start(registry=None).heatmap(IMAGE).json()["error"] == "unknown_model"
    assert start(models=("purchase",)).heatmap(IMAGE).json()["error"] == "unknown_model"
    assert start(registry=str(tmp_path)).heatmap(IMAGE).json()["error"] == "unknown_model"


def test_keys(start) -> None:
    service = start(write_keys="w")
    version = service.heatmap(IMAGE).headers["X-Model"].split()[1]
    path = "/v1/attention/heatmap"
    with httpx.Client(base_url=service.url, headers={"Content-Type": "image/png"}) as client:
        assert client.post(path, content=IMAGE).status_code == 401
        assert client.post(path, content=IMAGE, params={"writeKey": "w"}).status_code == 200
        assert client.post(path, content=IMAGE, auth=("w", ""), params={"version": version}).status_code == 200
        other = {"version": "20260101T000000Z-0123456789abcdef"}
        assert client.post(path, content=IMAGE, auth=("w", ""), params=other).status_code == 401
        assert service.heatmap(IMAGE, **other).json()["error"] == "unknown_version"
        assert client.post("/v1/attention/compare", files={"before": IMAGE, "after": IMAGE}).status_code == 401
        private = start(write_keys="w", public_predictions=False)
        assert client.post(f"{private.url}{path}", content=IMAGE, auth=("w", "")).status_code == 401


def test_pages_may_ask_from_other_origins(running) -> None:
    headers = {"Origin": "https://shop.example", "Content-Type": "image/png"}
    response = running.client.post("/v1/attention/heatmap", content=IMAGE, headers=headers)
    assert response.headers["access-control-allow-origin"] == "*"
    assert "X-Model" in response.headers["access-control-expose-headers"]


def test_neither_torch_nor_tensorflow_was_needed(running) -> None:
    assert running.heatmap(IMAGE).status_code == 200
    assert "torch" not in sys.modules
