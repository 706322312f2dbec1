import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import heatmaps
from features.heatmaps import HeatmapError, HeatmapStyle

PLAIN = HeatmapStyle(legend=False)


def _image(height: int = 200, width: int = 300) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def _spot(height: int = 200, width: int = 300) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return np.exp(-((rows - height / 4) ** 2 + (columns - width / 3) ** 2) / (2 * 20**2))


def test_only_where_there_is_attention_the_image_changes() -> None:
    attention = np.zeros((200, 300))
    attention[:100] = 1
    image = _image()
    drawn = heatmaps.draw_heatmap(image, attention, PLAIN)
    np.testing.assert_array_equal(drawn[100:], image[100:])
    hottest = cv2.applyColorMap(np.full((1, 1), 255, np.uint8), cv2.COLORMAP_INFERNO)[0, 0, ::-1]
    np.testing.assert_allclose(drawn[:100], image[:100] * 0.25 + hottest * 0.75, atol=1.5)


def test_the_image_given_stays_as_it_is() -> None:
    image = _image()
    before = image.copy()
    heatmaps.draw_heatmap(image, _spot(), HeatmapStyle(contours=(0.5,)))
    heatmaps.draw_difference(image, _spot() - _spot()[::-1])
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("colours", heatmaps.COLOUR_MAPS)
def test_the_colours_get_lighter_throughout(colours: str) -> None:
    """What makes a map perceptual: its lightness (CIE L*) rises all the way."""
    ramp = np.linspace(0, 1, 256)[None, :].repeat(4, axis=0)
    table = heatmaps._table(colours)
    lightness = cv2.cvtColor((table[None] / np.float32(255)).astype(np.float32), cv2.COLOR_RGB2LAB)[0, :, 0]
    assert (np.diff(lightness) > -0.25).all() and lightness[-1] - lightness[0] > 50
    drawn = heatmaps.draw_heatmap(np.zeros((4, 256, 3), np.uint8), ramp, HeatmapStyle(colours, 1.0, legend=False))
    np.testing.assert_allclose(drawn[0, -1], table[-1], atol=1)


def test_no_opacity_is_the_image_and_all_of_it_hides_the_image() -> None:
    image = _image()
    nothing = heatmaps.draw_heatmap(image, _spot(), HeatmapStyle(opacity=0, legend=False))
    np.testing.assert_array_equal(nothing, image)
    full = HeatmapStyle(opacity=1, legend=False)
    even = np.ones((20, 30))
    one, other = heatmaps.draw_heatmap(image, even, full), heatmaps.draw_heatmap(255 - image, even, full)
    np.testing.assert_array_equal(one, other)


def test_a_coarse_map_is_drawn_on_the_whole_image() -> None:
    coarse = np.zeros((2, 3))
    coarse[0, 2] = 1
    image = np.full((200, 300, 3), 90, np.uint8)
    changed = np.abs(heatmaps.draw_heatmap(image, coarse, PLAIN).astype(int) - 90).sum(axis=2) > 0
    assert changed[20:80, 220:280].all() and not changed[:, :140].any()


def test_contours_enclose_their_share() -> None:
    density = _spot() / _spot().sum()
    levels = heatmaps.contour_levels(density, (0.5, 0.9))
    assert levels[0] > levels[1]
    for share, level in zip((0.5, 0.9), levels, strict=True):
        assert density[density >= level].sum() == pytest.approx(share, abs=0.01)
    plain = heatmaps.draw_heatmap(_image(), _spot(), PLAIN)
    lined = heatmaps.draw_heatmap(_image(), _spot(), HeatmapStyle(contours=(0.5,), legend=False))
    where = (plain != lined).any(axis=2)
    assert 0 < where.sum() < 2000
    # A Gaussian holds half within 1.18 sigma; the line is four pixels wide at most.
    rows, columns = np.nonzero(where)
    distance = np.hypot(rows - 50, columns - 100)
    assert distance.min() > 1.18 * 20 - 5 and distance.max() < 1.18 * 20 + 5


def test_the_legend_is_in_its_corner_and_left_out_of_small_images() -> None:
    plain = heatmaps.draw_heatmap(_image(), _spot(), PLAIN)
    changed = (plain != heatmaps.draw_heatmap(_image(), _spot())).any(axis=2)
    assert changed[180:, 150:].any() and not changed[:150].any()
    small = _image(100, 300)
    np.testing.assert_array_equal(
        heatmaps.draw_heatmap(small, _spot(100, 300)), heatmaps.draw_heatmap(small, _spot(100, 300), PLAIN)
    )


def test_what_is_gained_is_red_and_what_is_lost_is_blue() -> None:
    change = np.zeros((200, 300))
    change[:50], change[150:] = 0.3, -0.3
    drawn = heatmaps.draw_difference(np.full((200, 300, 3), 128, np.uint8), change, legend=False).astype(int)
    assert (drawn[:50, :, 0] > drawn[:50, :, 2] + 50).all()
    assert (drawn[150:, :, 2] > drawn[150:, :, 0] + 50).all()
    assert (drawn[50:150] == 128).all()
    nothing = heatmaps.draw_difference(_image(), np.zeros((20, 30)), legend=False)
    np.testing.assert_array_equal(nothing, _image())


def test_equal_input_gives_equal_bytes_whatever_the_threads() -> None:
    style = HeatmapStyle("viridis", contours=(0.5, 0.8))
    threads = cv2.getNumThreads()
    try:
        found = set()
        for count in (1, 2, 1):
            cv2.setNumThreads(count)
            found.add(heatmaps.encode_png(heatmaps.draw_heatmap(_image(900, 700), _spot(), style)))
    finally:
        cv2.setNumThreads(threads)
    assert len(found) == 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_png_without_loss_or_metadata(dtype: type) -> None:
    grey = np.arange(600).reshape(20, 30).astype(dtype)
    for image in (grey, _image()):
        data = heatmaps.encode_png(image)
        back = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(back if image.ndim == 2 else back[..., ::-1], image)
        kinds, at = set(), 8
        while at < len(data):
            length = int.from_bytes(data[at : at + 4], "big")
            kinds.add(data[at + 4 : at + 8])
            at += length + 12
        assert kinds == {b"IHDR", b"IDAT", b"IEND"}


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 150), st.integers(1, 150), st.integers(0, 1000))
def test_any_size_can_be_drawn(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    attention = rng.random((int(rng.integers(1, 40)), int(rng.integers(1, 40)))) + 1e-9
    style = HeatmapStyle(contours=(0.2, 0.999))
    drawn = heatmaps.draw_heatmap(_image(height, width), attention, style)
    assert (drawn.shape, drawn.dtype) == ((height, width, 3), np.uint8)
    assert heatmaps.draw_difference(_image(height, width), attention - 0.5).shape == (height, width, 3)


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(HeatmapError, match="colours 'jet'; expected one of viridis, cividis, inferno, magma, plasma"):
        HeatmapStyle("jet")
    with pytest.raises(HeatmapError, match="opacity 1.2; expected 0 to 1"):
        HeatmapStyle(opacity=1.2)
    with pytest.raises(HeatmapError, match=r"contours \(1.0,\); expected shares of attention above 0 and below 1"):
        HeatmapStyle(contours=(1.0,))
    with pytest.raises(HeatmapError, match=r"an image of shape \(3, 4\) and type uint8; expected uint8 \(H, W, 3\)"):
        heatmaps.draw_heatmap(np.zeros((3, 4), np.uint8), [[1.0]])
    with pytest.raises(HeatmapError, match=r"a difference of shape \(1, 1\); expected \(H, W\), finite"):
        heatmaps.draw_difference(_image(), [[np.nan]])
    with pytest.raises(HeatmapError, match="opacity -1; expected 0 to 1"):
        heatmaps.draw_difference(_image(), [[1.0]], opacity=-1)
