"""TFRecords as TensorFlow reads them, checksums included."""

import io
from pathlib import Path

import pyarrow as pa
import pytest
import tensorflow as tf

from transforms.tfrecords import RecordsError, encode_examples, read_frames, read_texts, tfrecord_bytes

COLUMNS = pa.RecordBatch.from_pydict(
    {
        "values": pa.array([[1, 2, 3], [], [2**40]], pa.large_list(pa.int64())),
        "rate": pa.array([[0.5], [1.0], [-2.0]], pa.large_list(pa.float32())),
        "name": pa.array([[b"a"], [b"b"], [b"c"]], pa.large_list(pa.large_binary())),
    }
)


@pytest.mark.parametrize("compress", [False, True])
def test_tensorflow_reads_back_what_was_written(tmp_path: Path, compress: bool) -> None:
    path = tmp_path / "examples.tfrecord"
    path.write_bytes(tfrecord_bytes(encode_examples(COLUMNS), compress=compress))
    records = tf.data.TFRecordDataset(str(path), compression_type="GZIP" if compress else "")
    features = {
        "values": tf.io.RaggedFeature(tf.int64),
        "rate": tf.io.FixedLenFeature((), tf.float32),
        "name": tf.io.FixedLenFeature((), tf.string),
    }
    parsed = tf.io.parse_example(list(records), features)
    assert parsed["values"].to_list() == [[1, 2, 3], [], [2**40]]
    assert parsed["rate"].numpy().tolist() == [0.5, 1.0, -2.0]
    assert parsed["name"].numpy().tolist() == [b"a", b"b", b"c"]


def test_compressed_files_of_equal_records_are_equal_bytes() -> None:
    assert tfrecord_bytes([b"x", b"y"], compress=True) == tfrecord_bytes([b"x", b"y"], compress=True)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_texts_are_read_in_the_order_of_the_records(count: int) -> None:
    texts = [(f"p{n}".encode(), bytes([n, 255])) for n in range(count)]
    data = tfrecord_bytes(map(example, texts), compress=False)
    assert list(read_texts(io.BytesIO(data), ("product", "image"), "f", at_once=2)) == texts


def test_an_example_without_a_text_is_refused_in_one_line() -> None:
    data = tfrecord_bytes(map(example, [(b"p", b"i"), (b"q", b"")]), compress=False)
    with pytest.raises(RecordsError, match="f: examples do not hold one product, one image, one kind each") as e:
        list(read_texts(io.BytesIO(data), ("product", "image", "kind"), "f"))
    assert "\n" not in str(e.value)
    with pytest.raises(RecordsError, match="write them again"):
        list(read_texts(io.BytesIO(tfrecord_bytes([b"\xff\xff"], compress=False)), ("product",), "f"))


@pytest.mark.parametrize("where", [3, 9, 13, -2])
def test_a_changed_bit_is_noticed(where: int) -> None:
    data = bytearray(tfrecord_bytes([b"first", b"second"], compress=False))
    data[where] ^= 1
    with pytest.raises(RecordsError, match="f: .*record [01] is damaged; write the examples again"):
        list(read_frames(io.BytesIO(bytes(data)), "f"))


@pytest.mark.parametrize("length", [1, 11, 14, 20, 30])
def test_a_file_that_ends_within_a_record_is_noticed(length: int) -> None:
    data = tfrecord_bytes([b"first", b"second"], compress=False)
    with pytest.raises(RecordsError, match="is damaged"):
        list(read_frames(io.BytesIO(data[:length]), "f"))


def example(texts: tuple[bytes, bytes]) -> bytes:
    named = zip(("product", "image"), texts, strict=True)
    features = {name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[text])) for name, text in named}
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
