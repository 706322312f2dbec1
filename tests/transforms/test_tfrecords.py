"""TFRecords as TensorFlow reads them, checksums included."""

from pathlib import Path

import pyarrow as pa
import pytest
import tensorflow as tf

from transforms.tfrecords import encode_examples, tfrecord_bytes

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
