"""TFRecord files from Arrow and back: examples encoded and parsed in bulk, framed with checksums."""

import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import IO

import google_crc32c
import pyarrow as pa
from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder, RecordBatchToExamplesEncoder

from features.errors import AuguryError

_MASK_DELTA = 0xA282EAD8


class RecordsError(AuguryError, ValueError):
    """A file of examples that is damaged or holds something else."""


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


def read_frames(file: IO[bytes], name: str) -> Iterator[bytes]:
    """Yields the records of a TFRecord file one by one, each with its checksums compared.

    Args:
        file: open; no more than a record is read ahead.
        name: of the file, for messages.

    Raises:
        RecordsError: a checksum differs, or the file ends within a record.
    """
    index = 0
    while head := file.read(12):
        if len(head) < 12 or _masked_crc(head[:8]) != head[8:]:
            raise RecordsError(f"{name}: the length of record {index} is damaged; write the examples again")
        (size,) = struct.unpack("<Q", head[:8])
        record, check = file.read(size), file.read(4)
        if len(record) < size or _masked_crc(record) != check:
            raise RecordsError(f"{name}: record {index} is damaged; write the examples again")
        yield record
        index += 1


def read_texts(file: IO[bytes], features: Sequence[str], name: str, at_once: int = 64) -> Iterator[tuple[bytes, ...]]:
    """Yields some features of every example of a TFRecord file; each holds one byte string.

    Args:
        file: open.
        features: their names.
        name: of the file, for messages.
        at_once: examples parsed together.

    Raises:
        RecordsError: the file is damaged, or an example lacks a feature.
    """
    decoder = ExamplesToRecordBatchDecoder()
    records = read_frames(file, name)
    while chunk := list(islice(records, at_once)):
        try:
            found = decoder.DecodeBatch(chunk)
            columns = [found.column(feature).to_pylist() for feature in features]
            yield from ((*(value for [value] in row),) for row in zip(*columns, strict=True))
        except (RuntimeError, KeyError, TypeError, ValueError) as e:
            reason = " ".join(str(e).split())[:120]
            raise RecordsError(
                f"{name}: examples do not hold one {', one '.join(features)} each ({reason}); write them again"
            ) from e


def _masked_crc(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF)
