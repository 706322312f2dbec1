"""TFRecord files and ``tf.train.Example`` without TensorFlow: framing with checksums, and protobuf descriptors.

The formats are TensorFlow's: https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details and
tensorflow/core/example/feature.proto.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import google_crc32c
import numpy as np
import numpy.typing as npt
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from features.errors import AuguryError
from features.storage import read_bytes

Value = list[bytes] | npt.NDArray[np.float32] | npt.NDArray[np.int64]
"""What a feature holds: byte strings, float32 (N,) or int64 (N,)."""

_MASK_DELTA = 0xA282EAD8
_FIELD = descriptor_pb2.FieldDescriptorProto


class RecordError(AuguryError, ValueError):
    """A file that is no TFRecord file, or one that is damaged."""


def read_records(data: bytes, name: str) -> Iterator[bytes]:
    """Yields the records of a TFRecord file, each with its checksums compared.

    Args:
        data: the whole file; gzip is recognised.
        name: of the file, for messages.

    Raises:
        RecordError: a checksum differs, or the file ends within a record.
    """
    if data[:2] == b"\x1f\x8b":
        try:
            data = zlib.decompress(data, wbits=31)
        except zlib.error as e:
            raise RecordError(f"{name} is damaged ({e}); write the examples again") from e
    view, start, index = memoryview(data), 0, 0
    while start < len(view):
        head = bytes(view[start : start + 12])
        if len(head) < 12 or masked_crc(head[:8]) != head[8:]:
            raise _damaged(name, index, "its length is cut off or not what its checksum says")
        (size,) = struct.unpack("<Q", head[:8])
        record = bytes(view[start + 12 : start + 12 + size])
        check = bytes(view[start + 12 + size : start + 16 + size])
        if len(record) < size or len(check) < 4:
            raise _damaged(name, index, f"the file ends within its {size} bytes")
        if masked_crc(record) != check:
            raise _damaged(name, index, "its bytes are not what its checksum says")
        yield record
        start, index = start + 16 + size, index + 1


def read_examples(files: Iterable[str]) -> Iterator[tuple[str, dict[str, Value]]]:
    """Yields the examples of TFRecord files as (file, features by name), holding one file in memory at a time.

    Raises:
        RecordError: a file is damaged.
        StorageError: a file cannot be read.
    """
    for file in files:
        for record in read_records(read_bytes(file), file):
            yield file, parse_example(record)


def frame(record: bytes) -> bytes:
    """Returns a record in the TFRecord framing: length, its masked CRC-32C, data, its masked CRC-32C."""
    length = struct.pack("<Q", len(record))
    return length + masked_crc(length) + record + masked_crc(record)


def masked_crc(data: bytes) -> bytes:
    """Returns the four bytes that TFRecord keeps of a CRC-32C: rotated right by 15 bits, plus a constant."""
    crc = google_crc32c.value(data)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF)


def parse_example(record: bytes) -> dict[str, Value]:
    """Returns the features of a ``tf.train.Example`` by name; a feature without values is left out.

    Raises:
        RecordError: the record is no Example.
    """
    try:
        example = _Example.FromString(record)
    except DecodeError as e:
        raise RecordError(f"a record is no tf.train.Example ({e}); write the examples again") from e
    found: dict[str, Value] = {}
    for name, feature in example.features.feature.items():
        kind = feature.WhichOneof("kind")
        if kind == "bytes_list":
            found[name] = list(feature.bytes_list.value)
        elif kind == "float_list":
            found[name] = np.array(feature.float_list.value, np.float32)
        elif kind == "int64_list":
            found[name] = np.array(feature.int64_list.value, np.int64)
    return found


def make_example(features: Mapping[str, Value]) -> bytes:
    """Returns a serialised ``tf.train.Example``; byte strings, float32 and int64 (N,) stay what they are."""
    example = _Example()
    for name, value in features.items():
        feature = example.features.feature[name]
        if isinstance(value, list):
            feature.bytes_list.value.extend(value)
        elif value.dtype.kind == "f":
            feature.float_list.value.extend(value.tolist())
        else:
            feature.int64_list.value.extend(value.tolist())
    encoded: bytes = example.SerializeToString(deterministic=True)
    return encoded


def _damaged(name: str, index: int, reason: str) -> RecordError:
    return RecordError(f"{name}: record {index} is damaged: {reason}; write the examples again")


def _field(name: str, number: int, kind: int, *, many: bool = False, of: str = "", oneof: bool = False) -> Any:
    field = _FIELD(name=name, number=number, type=kind, label=_FIELD.LABEL_REPEATED if many else _FIELD.LABEL_OPTIONAL)
    if of:
        field.type_name = f".augury.example.{of}"
    if oneof:
        field.oneof_index = 0
    return field


def _message_class() -> Any:
    """Returns the class of ``Example``, described here in a pool of its own, beside whatever TensorFlow registers."""
    file = descriptor_pb2.FileDescriptorProto(name="augury_example.proto", package="augury.example", syntax="proto3")
    for name, kind in (
        ("BytesList", _FIELD.TYPE_BYTES),
        ("FloatList", _FIELD.TYPE_FLOAT),
        ("Int64List", _FIELD.TYPE_INT64),
    ):
        file.message_type.add(name=name, field=[_field("value", 1, kind, many=True)])
    lists = (("bytes_list", "BytesList"), ("float_list", "FloatList"), ("int64_list", "Int64List"))
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, (name, of) in enumerate(lists, 1):
        feature.field.append(_field(name, number, _FIELD.TYPE_MESSAGE, of=of, oneof=True))
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.append(_field("key", 1, _FIELD.TYPE_STRING))
    entry.field.append(_field("value", 2, _FIELD.TYPE_MESSAGE, of="Feature"))
    features.field.append(_field("feature", 1, _FIELD.TYPE_MESSAGE, many=True, of="Features.FeatureEntry"))
    file.message_type.add(name="Example", field=[_field("features", 1, _FIELD.TYPE_MESSAGE, of="Features")])
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("augury.example.Example"))


_Example = _message_class()
