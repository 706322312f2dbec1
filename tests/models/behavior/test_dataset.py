import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from features.spec import FeatureSpec, FeatureSpecError
from models.behavior.dataset import ExamplesFolder
from models.examples_folder import DatasetError


def edit_card(folder: Path, **changes) -> None:
    path = folder / "dataset_card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_the_coded_instances_come_back_as_they_were(examples, make) -> None:
    read = ExamplesFolder.open(f"{examples}/").read("validation")
    raw = make.raw_instances(200, seed=1)
    assert len(read) == 200
    np.testing.assert_array_equal(read.labels, raw.slices.label)
    np.testing.assert_array_equal(read.time_us, raw.coded.last_time_us)
    for name in ("lengths", "hash_values", "hash_lengths"):
        np.testing.assert_array_equal(getattr(read.coded, name), getattr(raw.coded, name))
    for name, values in raw.coded.steps.items():
        np.testing.assert_array_equal(read.coded.steps[name], values)
    for name, values in raw.coded.metadata.items():
        np.testing.assert_array_equal(read.coded.metadata[name], values)
        assert read.coded.metadata[name].dtype == values.dtype
    assert read.visitor[0].as_py() == "v1-000000"
    assert read.example_id[0].as_py() == f"v1-000000/{read.time_us[0]}/0"
    np.testing.assert_array_equal(read.stats["clicks"], raw.coded.lengths)


def test_read_instances_can_be_taken(examples) -> None:
    read = ExamplesFolder.open(str(examples)).read("validation")
    assert read.coded.take(np.array([3, 5])).lengths.tolist() == read.coded.lengths[[3, 5]].tolist()


def test_plain_tf_data_reads_the_same(examples) -> None:
    spec = FeatureSpec.from_json((examples / "feature_spec.json").read_text())
    files = [str(examples / "test/examples-00000-of-00002.tfrecord")]
    batches = tf.data.TFRecordDataset(files).batch(32)
    batches = batches.map(lambda records: tf.io.parse_example(records, spec.parsing_spec(tf)))
    labels = np.concatenate([batch["label"].numpy() for batch in batches])
    np.testing.assert_array_equal(labels, ExamplesFolder.open(str(examples)).read("test").labels[: len(labels)])


def test_examples_are_read_from_another_file_system(examples, make) -> None:
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    memory.put(str(examples), "/kept/examples", recursive=True)
    try:
        assert len(ExamplesFolder.open("memory://kept/examples").read("test")) == 200
    finally:
        memory.rm("/kept", recursive=True)


def test_a_folder_without_a_card_is_no_data_set(own_examples) -> None:
    (own_examples / "dataset_card.json").unlink()
    with pytest.raises(DatasetError, match=r"examples is not a complete examples folder: it has no dataset_card.json"):
        ExamplesFolder.open(str(own_examples))


@pytest.mark.parametrize("content", ["[1]", "3", "{}", '{"window": {}, "splits": {"train": 3}}'])
def test_what_is_json_but_no_card_is_refused(own_examples, content) -> None:
    (own_examples / "dataset_card.json").write_text(content)
    with pytest.raises(DatasetError, match=r"dataset_card.json is not a dataset card; write the examples again"):
        ExamplesFolder.open(str(own_examples))


def test_a_card_of_another_run_is_refused(own_examples) -> None:
    edit_card(own_examples, fingerprint="0" * 64)
    with pytest.raises(DatasetError, match=r"feature_spec.json has fingerprint \w{12}, dataset_card.json says 0{12}"):
        ExamplesFolder.open(str(own_examples))


def test_an_edited_spec_is_refused(own_examples) -> None:
    path = own_examples / "feature_spec.json"
    path.write_text(path.read_text().replace('"sequence_length": 8', '"sequence_length": 9'))
    with pytest.raises(FeatureSpecError, match="it was edited"):
        ExamplesFolder.open(str(own_examples))


def test_a_damaged_file_is_named(own_examples) -> None:
    path = own_examples / "train/examples-00000-of-00002.tfrecord"
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)
    with pytest.raises(
        DatasetError,
        match=r"cannot read .*train/examples-00000-of-00002.tfrecord: corrupted record at 12; it is damaged",
    ):
        ExamplesFolder.open(str(own_examples)).read("train")


def test_records_that_are_no_examples_are_refused(own_examples) -> None:
    with tf.io.TFRecordWriter(str(own_examples / "train/examples-00000-of-00002.tfrecord")) as writer:
        writer.write(b"\xff\xff")
    with pytest.raises(DatasetError, match="cannot read .*it is damaged or does not fit feature_spec.json"):
        ExamplesFolder.open(str(own_examples)).read("train")


def test_a_missing_file_is_noticed(own_examples) -> None:
    (own_examples / "train/examples-00001-of-00002.tfrecord.gz").unlink()
    with pytest.raises(DatasetError, match=r"train holds 200 examples, the dataset card says 600; files are missing"):
        ExamplesFolder.open(str(own_examples)).read("train")


def test_an_empty_split_is_refused(own_examples) -> None:
    shutil.rmtree(own_examples / "test")
    card = json.loads((own_examples / "dataset_card.json").read_text())
    edit_card(own_examples, splits=card["splits"] | {"test": {"examples": 0, "labels": {}}})
    with pytest.raises(DatasetError, match="test is empty; use more events, or give test a larger share"):
        ExamplesFolder.open(str(own_examples)).read("test")


def test_one_class_only_is_refused(own_examples, make) -> None:
    raw = make.raw_instances(5, seed=9)
    labels = np.zeros(5, np.int64)
    (own_examples / "test/examples-00001-of-00002.tfrecord.gz").unlink()
    with tf.io.TFRecordWriter(str(own_examples / "test/examples-00000-of-00002.tfrecord")) as writer:
        for record in make.serialise(raw.coded, labels, 9):
            writer.write(record)
    card = json.loads((own_examples / "dataset_card.json").read_text())
    edit_card(own_examples, splits=card["splits"] | {"test": {"examples": 5, "labels": {"0": 5}}})
    with pytest.raises(DatasetError, match=r"test lacks a class \(5 of class 0, 0 of class 1\)"):
        ExamplesFolder.open(str(own_examples)).read("test")


def test_labels_beyond_the_classes_are_refused(own_examples, make) -> None:
    raw = make.raw_instances(3, seed=9)
    with tf.io.TFRecordWriter(str(own_examples / "test/examples-00000-of-00002.tfrecord")) as writer:
        for record in make.serialise(raw.coded, np.array([0, 1, 2]), 9):
            writer.write(record)
    with pytest.raises(DatasetError, match="labels run from 0 to 2; the feature spec says 0 to 1"):
        ExamplesFolder.open(str(own_examples)).read("test")
