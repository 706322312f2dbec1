"""Rows as they came: what a dead letter quotes, and what a message id is made from where a row has none."""

from dataclasses import dataclass
from typing import Any, Protocol

import mmh3
import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

MALFORMED = "__malformed__"
"""The column of a table that holds the text of rows that could not be taken apart into the other columns."""

_PRIMES = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))
_SHIFT = np.uint64(29)
_NULL = (0x6A09E667F3BCC908, 0xBB67AE8584CAA73B)


class Rows(Protocol):
    """N rows of a source."""

    def sizes(self) -> npt.NDArray[np.int64]:
        """Returns int64 (N,) bytes that each row takes."""

    def texts(self, rows: npt.NDArray[np.int64]) -> list[str]:
        """Returns the text of the rows asked for; bytes that are no text are replaced."""

    def ids(self, rows: npt.NDArray[np.int64]) -> pa.Array:
        """Returns a message id for each row asked for, as strings: a hash of the row's content."""


@dataclass(frozen=True)
class LineRows:
    """Lines of JSON.

    Attributes:
        lines: bytes of each line, without its end.
    """

    lines: list[bytes]

    def sizes(self) -> npt.NDArray[np.int64]:
        return np.fromiter(map(len, self.lines), np.int64, len(self.lines))

    def texts(self, rows: npt.NDArray[np.int64]) -> list[str]:
        return [self.lines[row].decode(errors="replace") for row in rows.tolist()]

    def ids(self, rows: npt.NDArray[np.int64]) -> pa.Array:
        return pa.array([f"{mmh3.hash128(self.lines[row]):032x}" for row in rows.tolist()], pa.string())


@dataclass(frozen=True)
class TableRows:
    """Rows of a table, from Parquet or CSV.

    Attributes:
        columns: name -> one chunk of N values, of any type; ``MALFORMED`` may be among them.
        count: N.
        identity: what message ids are made of; None for all columns.
    """

    columns: dict[str, pa.Array]
    count: int
    identity: dict[str, pa.Array] | None = None

    def sizes(self) -> npt.NDArray[np.int64]:
        total = np.zeros(self.count, np.int64)
        for column in self.columns.values():
            total += _text_bytes(column)
        return total

    def texts(self, rows: npt.NDArray[np.int64]) -> list[str]:
        taken = {name: _plain(column.take(pa.array(rows))) for name, column in self.columns.items()}
        malformed = taken.pop(MALFORMED, [None] * len(rows))
        return [
            _dump({name: values[i] for name, values in taken.items()}).decode() if text is None else text
            for i, text in enumerate(malformed)
        ]

    def ids(self, rows: npt.NDArray[np.int64]) -> pa.Array:
        index = pa.array(rows)
        lanes = [np.full(len(rows), start, np.uint64) for start in _NULL]
        columns = self.columns if self.identity is None else self.identity
        for name in sorted(columns):
            hashed = _hash_column(columns[name].take(index))
            lanes = [_mix(lane, values, prime) for lane, values, prime in zip(lanes, hashed, _PRIMES, strict=True)]
        return _hex(np.stack(lanes, axis=1))


def is_text(kind: pa.DataType) -> bool:
    """Says whether values of an Arrow type are text or bytes."""
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
    )


def _text_bytes(column: pa.Array) -> npt.NDArray[np.int64]:
    """Returns int64 (N,) bytes of text in each value, that of nested values included; numbers count nothing."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        of_value = np.append(_text_bytes(column.dictionary), 0)  # a null takes the last
        of_row: npt.NDArray[np.int64] = of_value[pc.fill_null(column.indices, -1).to_numpy(False)]
        return of_row
    if is_text(kind):
        lengths = pc.binary_length(column)
        filled = pc.fill_null(lengths, 0) if lengths.null_count else lengths
        sizes: npt.NDArray[np.int64] = filled.to_numpy(False).astype(np.int64)
        return sizes
    if pa.types.is_struct(kind):
        return sum((_text_bytes(part) for part in column.flatten()), np.zeros(len(column), np.int64))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        ends = np.cumsum(pc.fill_null(pc.list_value_length(column), 0).to_numpy(False))
        sums = np.concatenate([[0], np.cumsum(_text_bytes(column.flatten()))])
        inner: npt.NDArray[np.int64] = np.diff(sums[np.concatenate([[0], ends])])
        return inner
    return np.zeros(len(column), np.int64)


def _plain(column: pa.Array) -> list[Any]:
    """Returns Python values that always can be had: text that is not UTF-8 is replaced, never raised about."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if is_text(column.type):
        wide = column.cast(pa.large_binary())
        return [None if value is None else value.decode(errors="replace") for value in wide.to_pylist()]
    try:
        return list(column.to_pylist())
    except (ValueError, OverflowError, pa.ArrowException):
        return [f"<{column.type}>"] * len(column)


def _dump(value: Any) -> bytes:
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        return orjson.dumps(repr(value))


def _hash_column(column: pa.Array) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Returns two uint64 (N,) hashes of each value; every distinct value is hashed once."""
    if pa.types.is_nested(column.type):
        texts = [_dump(value) for value in _plain(column)]
        column = pa.array(texts, pa.binary())
    elif is_text(column.type):
        column = column.cast(pa.large_binary())
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    distinct = encoded.dictionary
    if is_text(distinct.type):
        distinct = distinct.cast(pa.large_binary())
    values = distinct.to_pylist() if is_text(distinct.type) else [_dump(value) for value in _plain(distinct)]
    pairs = [mmh3.hash64(_bytes(value), signed=False) for value in values] + [_NULL]
    table = np.array(pairs, np.uint64)
    codes = pc.fill_null(encoded.indices, len(values)).to_numpy(False)
    return table[codes, 0], table[codes, 1]


def _bytes(value: bytes | str | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""


def _mix(lane: npt.NDArray[np.uint64], values: npt.NDArray[np.uint64], prime: np.uint64) -> npt.NDArray[np.uint64]:
    """Returns the lane with the values mixed in; order matters, and multiplication wraps."""
    mixed = (lane ^ values) * prime
    return mixed ^ (mixed >> _SHIFT)


def _hex(words: npt.NDArray[np.uint64]) -> pa.Array:
    """Returns uint64 (N, 2) as N strings of 32 hexadecimal digits."""
    digits = words.astype(">u8").view(np.uint8).reshape(len(words), 16)
    nibbles = np.empty((len(words), 32), np.uint8)
    nibbles[:, 0::2], nibbles[:, 1::2] = digits >> 4, digits & 15
    text = np.frombuffer(b"0123456789abcdef", np.uint8)[nibbles]
    offsets = np.arange(len(words) + 1, dtype=np.int32) * 32
    return pa.StringArray.from_buffers(len(words), pa.py_buffer(offsets), pa.py_buffer(text.tobytes()))
