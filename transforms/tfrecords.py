"""TFRecord files from Arrow: examples encoded in bulk, framed with checksums, in place whole or not at all."""

import struct
import zlib
from collections.abc import Iterable, Iterator

import google_crc32c
import pyarrow as pa
from tfx_bsl.coders.example_coder import RecordBatchToExamplesEncoder

_MASK_DELTA = 0xA282EAD8


def encode_examples(columns: pa.RecordBatch) -> list[bytes]:
    """Returns one serialised ``tf.train.Example`` a row; every column is a LargeList."""
    encoded: list[bytes] = RecordBatchToExamplesEncoder().encode(columns)
    return encoded


def frame(records: Iterable[bytes]) -> Iterator[bytes]:
    """Yields each record in the TFRecord framing: length, its masked CRC-32C, data, its masked CRC-32C.

    The format is TensorFlow's (https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details).
    """
    headers: dict[int, bytes] = {}
    for record in records:
        size = len(record)
        if size not in headers:
            length = struct.pack("<Q", size)
            headers[size] = length + _masked_crc(length)
        yield headers[size]
        yield record
        yield _masked_crc(record)


def tfrecord_bytes(records: Iterable[bytes], *, compress: bool) -> bytes:
    """Returns a whole TFRecord file; compressed ones are one gzip stream, as TensorFlow's ``GZIP`` reads them."""
    data = b"".join(frame(records))
    if not compress:
        return data
    gzip = zlib.compressobj(level=1, wbits=31)  # 31: gzip container, without a time stamp, so equal input, equal bytes
    return gzip.compress(data) + gzip.flush()


def _masked_crc(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF)
