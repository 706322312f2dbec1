import gzip
import struct

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.records import RecordError, frame, make_example, masked_crc, parse_example, read_records


def test_the_masked_checksum_is_tensorflows() -> None:
    """CRC-32C of "123456789" is e3069283 (RFC 3720, appendix B.4, and every catalogue of CRCs)."""
    crc = 0xE3069283
    expected = (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
    assert masked_crc(b"123456789") == struct.pack("<I", expected)


@given(st.lists(st.binary(max_size=50)), st.booleans())
def test_what_is_framed_is_read_again(records, compressed) -> None:
    data = b"".join(map(frame, records))
    assert list(read_records(gzip.compress(data) if compressed else data, "file")) == records


@given(st.integers(0, 28), st.integers(1, 255))
def test_every_changed_byte_is_noticed(place, change) -> None:
    data = bytearray(frame(b"hello") + frame(b"x"))
    data[place] ^= change
    with pytest.raises(RecordError, match=r"file: record [01] is damaged: .*; write the examples again"):
        list(read_records(bytes(data), "file"))


@pytest.mark.parametrize("length", [1, 11, 12, 14, 20])
def test_a_file_that_was_cut_off_is_noticed(length) -> None:
    with pytest.raises(RecordError, match="record 0 is damaged"):
        list(read_records(frame(b"hello")[:length], "file"))
    with pytest.raises(RecordError, match="file is damaged"):
        list(read_records(gzip.compress(frame(b"hello"))[:length], "file") if length > 1 else read_gzip_stub())


def read_gzip_stub() -> list[bytes]:
    return list(read_records(b"\x1f\x8bnonsense", "file"))


def test_an_example_in_bytes_written_out_by_hand() -> None:
    """feature.proto: Example{1: Features{1: entry {1: key, 2: Feature{1 bytes, 2 float, 3 int64: List{1: ...}}}}}."""
    entry = b"\x0a\x01n" + b"\x12\x06" + b"\x1a\x04" + b"\x0a\x02" + b"\x07\x01"
    record = b"\x0a" + bytes([len(entry) + 2]) + b"\x0a" + bytes([len(entry)]) + entry
    found = parse_example(record)
    assert found["n"].tolist() == [7, 1]
    assert make_example({"n": np.array([7, 1])}) == record


def test_examples_of_the_pipelines_encoder_are_read() -> None:
    coder = pytest.importorskip("tfx_bsl.coders.example_coder", reason="the pipelines' extra is not installed")
    columns = {
        "b": pa.array([[b"\xff\x00", b""]], pa.large_list(pa.large_binary())),
        "f": pa.array([[0.5, -2.0]], pa.large_list(pa.float32())),
        "i": pa.array([[-3, 2**40]], pa.large_list(pa.int64())),
        "none": pa.array([[]], pa.large_list(pa.float32())),
    }
    (record,) = coder.RecordBatchToExamplesEncoder().encode(pa.RecordBatch.from_pydict(columns))
    found = parse_example(record)
    assert found["b"] == [b"\xff\x00", b""]
    assert found["f"].tolist() == [0.5, -2.0]
    assert found["f"].dtype == np.float32
    assert found["i"].tolist() == [-3, 2**40]
    assert len(found.get("none", ())) == 0


def test_what_is_no_example_is_refused() -> None:
    with pytest.raises(RecordError, match=r"a record is no tf.train.Example .*; write the examples again"):
        parse_example(b"\x0a\xff")
