import cv2
import numpy as np
import pytest

from features.attention_spec import AttentionSpec
from models.attention.pages import MOST_TILES, attend, is_long
from models.attention.predictor import Predictor, PredictorError

HEIGHT, WIDTH = 48, 64


class Told:
    """A model whose density is what a function makes of the image; it counts how often it is asked."""

    def __init__(self, tell, height=HEIGHT, width=WIDTH):
        self.spec = AttentionSpec(width=width, height=height)
        self.tell, self.asked = tell, 0

    def density(self, canvas):
        assert canvas.shape == (self.spec.height, self.spec.width, 3) and canvas.flags.c_contiguous
        self.asked += 1
        found = self.tell(canvas).astype(np.float64)
        return (found / found.sum()).astype(np.float32)


def brightness(canvas):
    return canvas[:, :, 0]


def even(canvas):
    return np.ones(canvas.shape[:2])


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("size", [(48, 64), (70, 70), (1, 1), (90, 144), (96, 68), (49, 128)])
def test_an_ordinary_page_has_the_bits_of_the_predictor(artifact, size) -> None:
    predictor, image = Predictor.load(artifact, threads=1), noise(*size)
    assert attend(predictor, image).tobytes() == predictor.predict(image).tobytes()


@pytest.mark.parametrize("size", [(400, 90), (90, 400), (2000, 1), (1, 2000), (300, 64)])
def test_a_long_page_gives_a_density_of_its_own_size_whatever_the_threads(artifact, size) -> None:
    one, two = Predictor.load(artifact, threads=1), Predictor.load(artifact, threads=2)
    image = noise(*size)
    assert is_long(one, image)
    found = attend(one, image)
    assert (found.shape, found.dtype) == (size, np.float32)
    assert found.sum(dtype=np.float64) == pytest.approx(1, abs=1e-5)
    assert (found >= 0).all()
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        assert attend(two, image).tobytes() == found.tobytes()
    finally:
        cv2.setNumThreads(threads)


def test_cut_is_what_would_fill_less_than_half_of_the_input() -> None:
    told = Told(even)
    # 64 columns of 48 rows: an image of 64 x 96 fills 32 of 64 columns.
    assert not is_long(told, noise(96, 64))
    assert is_long(told, noise(98, 64))
    assert not is_long(told, noise(48, 128))
    assert is_long(told, noise(48, 132))


def test_an_even_coarse_map_and_even_tiles_are_even() -> None:
    for size in ((400, 90), (90, 500), (3000, 7)):
        np.testing.assert_allclose(attend(Told(even), noise(*size)), 1 / (size[0] * size[1]), rtol=1e-4)


@pytest.mark.parametrize("across", [False, True])
def test_a_coarse_map_that_the_tiles_agree_with_is_reproduced(across) -> None:
    # Brighter and darker along the page, in steps wide enough for the coarse pass to see: 480 rows become 48.
    rows = 128 + 100 * np.sin(np.arange(480) / 480 * 2 * np.pi * 2)
    image = np.repeat(np.repeat(rows.astype(np.uint8)[:, None, None], 64, axis=1), 3, axis=2)
    told = Told(brightness)
    if across:
        image, told = np.ascontiguousarray(image.transpose(1, 0, 2)), Told(brightness, width=HEIGHT, height=WIDTH)
    found = attend(told, image)
    expected = image[:, :, 0] / image[:, :, 0].sum()
    np.testing.assert_allclose(found, expected, rtol=0.05, atol=expected.max() / 100)


def test_the_coarse_pass_says_how_much_and_the_tiles_say_where() -> None:
    """The whole page letterboxed has a border: then the lower half has all of it; a tile has all at its left."""

    def tell(canvas):
        found = np.zeros(canvas.shape[:2])
        if (canvas[:, 0] == (124, 116, 104)).all():
            found[HEIGHT // 2 :] = 1
        else:
            found[:, : WIDTH // 4] = 1
        return found

    told = Told(tell)
    found = attend(told, np.zeros((480, 64, 3), np.uint8))
    assert told.asked == 1 + 19  # 480 rows, tiles of 48 that share 24
    assert found[:, 32:].max() == 0
    # The coarse map rises from 0 in the ten rows around the middle, which the tile from 192 to 240 is the first to see.
    assert found[:192].max() == 0
    np.testing.assert_allclose(found[264:, :15], 1 / (240 * 16), rtol=0.1)


def test_no_seam_shows_where_tiles_disagree() -> None:
    """Every tile has nothing at its top and most at its bottom: cut side by side, that would be a saw."""

    def tell(canvas):
        rows = even(canvas)
        return rows if (canvas[:, 0] == (124, 116, 104)).all() else rows * (0.5 + np.arange(HEIGHT))[:, None]

    found = attend(Told(tell), np.zeros((480, 64, 3), np.uint8))
    steps = np.abs(np.diff(found, axis=0))
    # In each column alike: the saw would fall from all to nothing, the blend changes by a twentieth a row at most.
    assert steps.max() < found.max() / 20
    np.testing.assert_allclose(found, found[:, :1] * np.ones(64), rtol=1e-5)


def test_the_seams_of_a_real_network_are_as_smooth_as_its_tiles(artifact) -> None:
    predictor = Predictor.load(artifact, threads=1)
    found = attend(predictor, cv2.blur(noise(480, 64), (9, 9))).astype(np.float64)
    steps = np.abs(np.diff(found, axis=0)).mean(axis=1)  # 479
    seams = steps[23::24]
    others = np.delete(steps, np.arange(23, 479, 24))
    assert seams.mean() < 1.25 * others.mean()


@pytest.mark.parametrize("size", [(20_000, 1), (1, 20_000), (5000, 40), (40, 9000)])
def test_the_work_is_bounded(size) -> None:
    told = Told(even)
    found = attend(told, np.zeros((*size, 3), np.uint8))
    assert found.shape == size
    assert MOST_TILES - 2 <= told.asked - 1 <= MOST_TILES


def test_a_models_input_may_be_long_itself() -> None:
    for height, width in ((8, 512), (512, 8)):
        found = attend(Told(even, height, width), np.zeros((300, 300, 3), np.uint8))
        np.testing.assert_allclose(found, 1 / 90_000, rtol=1e-3)


def test_what_is_no_image_is_refused(artifact) -> None:
    predictor = Predictor.load(artifact)
    for wrong in (np.zeros((400, 9), np.uint8), np.zeros((400, 9, 3)), np.zeros((0, 9, 3), np.uint8)):
        with pytest.raises(PredictorError, match=r"expected uint8 \(H, W, 3\): decode it first"):
            attend(predictor, wrong)
