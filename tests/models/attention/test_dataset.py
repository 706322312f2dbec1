import json
import shutil

import numpy as np
import pytest

from features.attention_spec import SPEC
from models.attention.dataset import ExamplesFolder, count_fixations
from models.examples_folder import DatasetError
from models.records import frame

HEIGHT, WIDTH = 48, 64


@pytest.fixture
def own(examples, tmp_path):
    return shutil.copytree(examples, tmp_path / "examples")


def test_a_split_is_read_in_the_order_of_its_files(examples, make) -> None:
    split = ExamplesFolder.open(str(examples)).read("train")
    assert len(split) == 16
    assert [item.set_name for item in split.stored[:4]] == ["one", "two", "one", "two"]
    assert split.sets[:4].tolist() == [0, 1, 0, 1]


def test_a_batch_is_what_was_written(make, tmp_path) -> None:
    folder = make.write(tmp_path / "e", {"train": 3})
    split = ExamplesFolder.open(str(folder)).read("train")
    batch = split.batch([2, 1])
    assert batch.images.shape == (2, HEIGHT, WIDTH, 3)
    assert batch.images.dtype == np.uint8
    np.testing.assert_allclose(batch.maps.sum((1, 2)), 1, rtol=1e-5)
    # The spot is white, attention is highest in its middle, and that is where the fixations are.
    row, column = np.unravel_index(batch.maps[0].argmax(), (HEIGHT, WIDTH))
    assert batch.images[0, row, column].tolist() == [255, 255, 255]
    assert batch.fixations.sum((1, 2)).tolist() == [5, 0]
    assert batch.fixations[0, row - 3 : row + 4, column - 3 : column + 4].sum() == 5


def test_the_letterbox_is_not_valid(make, tmp_path) -> None:
    """A square image in 64x48 lies in columns 8 to 55."""
    split = ExamplesFolder.open(str(make.write(tmp_path / "e", {"train": 2}))).read("train")
    valid = split.batch([0, 1]).valid
    assert valid[0].all()
    assert valid[1, :, 8:56].all()
    assert valid[1].sum() == 48 * 48


def test_fixations_are_counted_by_pixel() -> None:
    x, y = np.array([0.0, 0.9, 2.0, -0.1, 3.0, 1.0]), np.array([0.0, 0.9, 1.5, 0.0, 0.0, 2.0])
    assert count_fixations(x, y, 2, 3).tolist() == [[2, 0, 0], [0, 0, 1]]


def test_the_mean_map_sums_to_one(examples) -> None:
    split = ExamplesFolder.open(str(examples)).read("validation")
    mean = split.mean_map()
    np.testing.assert_allclose(mean.sum(), 1, rtol=1e-5)
    np.testing.assert_allclose(mean, split.batch(range(6)).maps.mean(0), atol=1e-8)


def test_images_are_chosen_by_method(make, tmp_path) -> None:
    split = ExamplesFolder.open(str(make.write(tmp_path / "e", {"train": 4}, method="eye+clicks"))).read("train")
    assert split.of_methods("all") is split
    assert len(split.of_methods("mask,eye+clicks")) == 4
    with pytest.raises(DatasetError, match=r"train has no image of the methods mask; it has 4 of eye\+clicks"):
        split.of_methods("mask")


def test_a_folder_without_a_card_is_incomplete(own) -> None:
    (own / "dataset_card.json").unlink()
    with pytest.raises(
        DatasetError,
        match="has no dataset_card.json, which the pipeline writes last; run `augury attention-examples` to",
    ):
        ExamplesFolder.open(str(own))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "dataset_card.json is not JSON"),
        ("[]", "dataset_card.json is not a dataset card"),
        ('{"fingerprint": "ab"}', "dataset_card.json says ab; they are not of one run"),
    ],
)
def test_a_card_of_something_else_is_refused(text, message, own) -> None:
    (own / "dataset_card.json").write_text(text)
    with pytest.raises(DatasetError, match=message):
        ExamplesFolder.open(str(own))


def test_missing_records_are_noticed(own) -> None:
    next(iter((own / "train").iterdir())).unlink()
    with pytest.raises(DatasetError, match=r"train holds 8 images, the dataset card says 16; files are missing"):
        ExamplesFolder.open(str(own)).read("train")


def test_an_empty_split_is_refused(own) -> None:
    shutil.rmtree(own / "test")
    card = json.loads((own / "dataset_card.json").read_text())
    del card["splits"]
    (own / "dataset_card.json").write_text(json.dumps(card))
    with pytest.raises(DatasetError, match="test is empty; use more images, or give test a larger share"):
        ExamplesFolder.open(str(own)).read("test")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"set": [b"three"]}, r"image 0.png is from the set 'three', the spec knows one, two"),
        ({"map/max": []}, "a record does not fit attention_spec.json"),
        ({"map/max": np.array([1.0, 2.0], np.float32)}, "map/max has 2 values"),
        ({"fixations/x": np.zeros(2, np.float32)}, "2 x, 5 y and 5 subjects of fixations"),
        ({"image/encoded": [b"no image"]}, "image 0.png of one cannot be decoded"),
        ({"map/encoded": [b"no image"]}, "the map of 0.png of one is no 16-bit PNG"),
    ],
)
def test_records_that_do_not_fit_are_refused(changes, message, make, tmp_path) -> None:
    folder = make.write(tmp_path / "e", {"train": 2})
    path = folder / "train" / "examples-00000.tfrecord"
    path.write_bytes(frame(make.record(0, **changes)))
    with pytest.raises(DatasetError, match=message):
        ExamplesFolder.open(str(folder)).read("train").batch([0])


def test_an_image_of_another_size_is_refused(make, tmp_path) -> None:
    folder = make.write(tmp_path / "e", {"train": 2})
    spec = type(make.spec())(width=32, height=48, sets=("one", "two"))
    (folder / SPEC).write_text(spec.to_json())
    (folder / "dataset_card.json").write_text(json.dumps({"fingerprint": spec.fingerprint}))
    with pytest.raises(DatasetError, match=r"is 64x48, its map 64x48, the spec says 32x48; write them again"):
        ExamplesFolder.open(str(folder)).read("train").batch([0])
