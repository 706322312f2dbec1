"""Bad input of each kind ends in one clear error; odd input in an answer."""

import struct
import zlib

import httpx
import pytest

from tests.served_attention import picture, png

IMAGE = png(picture())


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_of(width: int, height: int, pixels: bytes = b"") -> bytes:
    """Makes a PNG that says it is grey and of this size, with whatever pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


def said(response: httpx.Response) -> tuple[int, str]:
    problem = response.json()
    assert response.headers["content-type"] == "application/json"
    assert problem["detail"] and "\n" not in problem["detail"]
    assert problem["request_id"] == response.headers["X-Request-ID"]
    return response.status_code, problem["error"]


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (b"", 400, "no_image"),
        (b"hello, this is text and no picture at all", 415, "not_an_image"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', 415, "unsupported_format"),
        (b"II*\0" + bytes(200), 415, "unsupported_format"),
        (IMAGE[: len(IMAGE) // 2], 422, "truncated"),
        (IMAGE[:8], 422, "truncated"),
        (IMAGE[:60] + bytes(100) + IMAGE[160:], 422, "broken"),
        (png_of(0, 5), 422, "bad_dimensions"),
        (png_of(20_001, 1, bytes(20_002)), 422, "bad_dimensions"),
        (png_of(10_000, 10_000), 413, "too_many_pixels"),
        (png_of(19_000, 19_000, bytes(1000)), 413, "too_many_pixels"),
        (png_of(10, 10, bytes(600 << 20)), 422, "too_complex"),
    ],
)
def test_what_is_no_image_is_one_clear_error(running, body: bytes, status: int, error: str) -> None:
    assert said(running.heatmap(body)) == (status, error)
    assert said(running.compare(IMAGE, body)) == (status, error)


def test_a_20_000_pixel_wide_image_and_one_of_a_pixel_are_answered(running) -> None:
    assert running.heatmap(png_of(20_000, 2, bytes(2 * 20_001)), format="json").json()["image"]["width"] == 20_000
    found = running.heatmap(png_of(1, 1, bytes(2)), format="json").json()
    assert (found["focus_score"], found["hottest_points"]) == (0.0, [{"x": 0.5, "y": 0.5, "share": 1.0}])
    for form in ("overlay", "map", "npy"):
        assert running.heatmap(png_of(1, 1, bytes(2)), format=form).status_code == 200


def test_a_body_over_the_limit_is_refused_before_it_is_read(start) -> None:
    service = start(heatmap_max_bytes=2000)
    assert said(service.heatmap(bytes(2001))) == (413, "too_large")
    assert said(service.client.post("/v1/attention/heatmap", content=iter([IMAGE]))) == (413, "too_large")
    assert said(service.compare(IMAGE, IMAGE)) == (413, "too_large")


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/json", "application/x-www-form-urlencoded", "multipart/mixed"]
)
def test_another_type_of_body_is_refused_with_the_remedy(running, content_type: str) -> None:
    response = running.heatmap(IMAGE, content_type)
    assert said(response) == (415, "unsupported_content_type")
    assert "send the file with Content-Type: image/png" in response.json()["detail"]
    assert said(running.client.post("/v1/attention/compare", content=IMAGE)) == (415, "unsupported_content_type")


@pytest.mark.parametrize(
    ("region", "detail"),
    [
        ("Buy", "'Buy' is no region; expected NAME:X,Y,WIDTH,HEIGHT in pixels, as Buy:900,520,220,64"),
        ("1,2,3,4", "'1,2,3,4' is no region"),
        ("Buy:1,2,3", "is no region"),
        ("Buy:1,2,3,four", "is no region"),
        (":1,2,3,4", "a region is named ''"),
        ("Buy:1,2,0,4", "0 x 4 pixels; expected both above 0"),
        ("Buy:1,2,nan,4", "width is nan; expected a number of pixels"),
        ("Buy:1,2,1e999,4", "width is inf"),
        ("Buy:100,2,29,4", "goes from (100, 2) to (129, 6); expected it inside the image of 128 x 96"),
        ("Buy:-1,2,5,4", "goes from (-1, 2)"),
    ],
)
def test_regions_that_cannot_be(running, region: str, detail: str) -> None:
    for response in (
        running.heatmap(IMAGE, format="json", region=region),
        running.compare(IMAGE, IMAGE, format="json", region=region),
    ):
        assert said(response) == (400, "bad_region")
        assert detail in response.json()["detail"]


def test_a_region_named_twice_and_too_many(running) -> None:
    response = running.heatmap(IMAGE, format="json", region=["a:0,0,9,9", "a:1,1,9,9"])
    assert said(response) == (400, "bad_region")
    assert "is named twice" in response.json()["detail"]
    assert running.heatmap(IMAGE, format="json", region=[f"{i}:0,0,9,9" for i in range(100)]).status_code == 200
    assert said(running.heatmap(IMAGE, region=[f"{i}:0,0,9,9" for i in range(101)])) == (400, "invalid_request")
    assert said(running.heatmap(IMAGE, region="n" * 201)) == (400, "invalid_request")


@pytest.mark.parametrize(
    "query",
    [
        {"colours": "jet"},
        {"opacity": 1.5},
        {"opacity": "nan"},
        {"contour": 0},
        {"contour": [0.5] * 11},
        {"legend": "perhaps"},
        {"format": "gif"},
        {"fold": 0},
        {"points": 0},
        {"points": 51},
        {"radius": -1},
        {"colors": "magma"},
        {"model": "m" * 65},
        {"url": "x" * 2049},
    ],
)
def test_an_option_that_cannot_be_or_is_unknown_is_named(running, query: dict[str, object]) -> None:
    response = running.heatmap(IMAGE, **query)
    assert said(response) == (400, "invalid_request")
    assert next(iter(query)) in response.json()["detail"]


@pytest.mark.parametrize(
    ("parts", "error", "detail"),
    [
        ({"picture": IMAGE}, "bad_form", "part 'picture' is not known; expected image"),
        ({"image": b""}, "no_image", "the image is empty"),
    ],
)
def test_a_form_without_its_image(running, parts: dict[str, bytes], error: str, detail: str) -> None:
    response = running.client.post("/v1/attention/heatmap", files=parts)
    assert said(response) == (400, error)
    assert detail in response.json()["detail"]


def test_a_comparison_needs_two_images(running) -> None:
    response = running.client.post("/v1/attention/compare", files={"before": IMAGE})
    assert said(response) == (400, "no_image")
    assert "there is no image 'after'" in response.json()["detail"]
    assert said(running.client.post("/v1/attention/compare")) == (400, "no_image")


def test_other_methods_are_refused(running) -> None:
    assert running.client.get("/v1/attention/heatmap").status_code == 405
