import json

import numpy as np
import pytest

from features.variants_stored import make_variants
from models.creative.dataset import DatasetError, ExamplesFolder
from models.records import RecordError, frame, make_example


def test_what_was_written_is_read(make, examples) -> None:
    split = ExamplesFolder.open(str(examples)).read("train")
    assert len(split) == 8 * 6
    assert list(split.products) == [f"train-{name}" for name in ("0", "2", "4", "6", "x1", "x3", "x5", "x7")]
    rows = split.products["train-x1"]
    assert [split.stored[row].variant for row in rows] == list(make.spec().variant_names)
    batch = split.batch(rows)
    np.testing.assert_array_equal(batch.images, np.stack(make_variants(make.photo("train-x1"), make.spec())))
    assert batch.labels.tolist() == [0, 1, 2, 3, 4, 5]
    assert {split.stored[row].kind for row in rows} == {"Shoes"}


def test_a_folder_without_a_card_is_incomplete(make, tmp_path) -> None:
    folder = make.write(tmp_path / "e", {"train": 1, "validation": 1, "test": 1})
    (folder / "dataset_card.json").unlink()
    with pytest.raises(DatasetError, match="run `augury creative-examples` to its end"):
        ExamplesFolder.open(str(folder))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variant": [b"sepia"]}, "has the variant 'sepia', the spec knows original, brighter"),
        ({"variant": []}, "a record does not fit creative_spec.json"),
        ({"image/encoded": np.array([1])}, "a record does not fit creative_spec.json"),
        ({"image/id": [b"\xff"]}, "a record does not fit creative_spec.json"),
    ],
)
def test_records_that_do_not_fit_are_refused(changes, message, make, tmp_path) -> None:
    folder = make.write(tmp_path / "e", {"train": 1, "validation": 1, "test": 1}, **changes)
    with pytest.raises(DatasetError, match=message):
        ExamplesFolder.open(str(folder)).read("train")


def test_an_image_that_cannot_be_decoded_or_has_another_size_is_refused(make, tmp_path) -> None:
    one = {"train": 1, "validation": 1, "test": 1}
    broken = make.write(tmp_path / "a", one, **{"image/encoded": [b"no image"]})
    with pytest.raises(DatasetError, match="original of train-0 cannot be decoded; write the examples again"):
        ExamplesFolder.open(str(broken)).read("train").batch([0])
    other = make.features("p", spec=make.spec(width=48, height=48))[0]["image/encoded"]
    large = make.write(tmp_path / "b", one, **{"image/encoded": other})
    with pytest.raises(DatasetError, match="is 48x48, the spec says 32x32"):
        ExamplesFolder.open(str(large)).read("train").batch([0])


def test_missing_records_are_noticed(make, tmp_path) -> None:
    folder = make.write(tmp_path / "e")
    (folder / "train" / "examples-00001.tfrecord").unlink()
    with pytest.raises(DatasetError, match="holds 24 images, the dataset card says 48"):
        ExamplesFolder.open(str(folder)).read("train")
    (folder / "train" / "examples-00000.tfrecord").write_bytes(frame(make_example({}))[:-1])
    with pytest.raises(RecordError, match="record 0 is damaged"):
        ExamplesFolder.open(str(folder)).read("train")


def test_an_empty_split_is_said(make, tmp_path) -> None:
    folder = make.write(tmp_path / "e", {"train": 2, "validation": 1, "test": 0})
    with pytest.raises(DatasetError, match="test is empty; use more images, or give test a larger share"):
        ExamplesFolder.open(str(folder)).read_all()


def test_a_product_in_two_splits_is_refused(make, tmp_path) -> None:
    folder = make.write(tmp_path / "e", named=lambda split, count: [f"p{n}" for n in range(count)])
    with pytest.raises(DatasetError, match="the product 'p0' is in train and in validation; a product belongs to one"):
        ExamplesFolder.open(str(folder)).read_all()


def test_a_card_of_another_run_is_refused(make, tmp_path) -> None:
    folder = make.write(tmp_path / "e")
    (folder / "dataset_card.json").write_text(json.dumps({"fingerprint": "ab"}))
    with pytest.raises(DatasetError, match=r"dataset_card.json says ab; they are not of one run"):
        ExamplesFolder.open(str(folder))
