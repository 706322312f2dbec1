import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms import lines as module
from transforms.lines import KEEP_BYTES, chunk_lines


def read(data: bytes, **options: int | bool | None) -> list[bytes]:
    return [line for chunk in chunk_lines(io.BytesIO(data), 3, 1 << 20, **options) for line in chunk]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"a", [b"a"]),
        (b"a\nb", [b"a", b"b"]),
        (b"a\r\n\r\n \nb\n\n", [b"a", b"b"]),
        (b"\n\n", []),
    ],
)
def test_lines_without_ends_and_without_blanks(data: bytes, expected: list[bytes]):
    assert read(data) == expected


class Endless:
    """A stream that repeats a block, as a small compressed file can."""

    def __init__(self, block: bytes, times: int) -> None:
        self.block, self.left, self.largest = block, times, 0

    def read(self, size: int, /) -> bytes:
        self.largest = max(self.largest, size)
        self.left -= 1
        return self.block if self.left >= 0 else b""


def test_a_line_of_a_gigabyte_is_cut_while_it_passes():
    stream = Endless(b"x" * module.BLOCK_BYTES, 1024)
    (chunk,) = chunk_lines(stream, 1000, 1 << 20)
    assert chunk == [b"x" * KEEP_BYTES]
    assert stream.largest == module.BLOCK_BYTES


def test_a_chunk_ends_by_rows_or_bytes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "BLOCK_BYTES", 10)
    data = b"aaaa\n" * 100
    assert {len(chunk) for chunk in chunk_lines(io.BytesIO(data), 10, 1 << 20)} == {10}
    assert {len(chunk) for chunk in chunk_lines(io.BytesIO(data), 1000, 8)} == {2}


@given(
    st.lists(st.binary(max_size=6).filter(lambda line: b"\n" not in line), max_size=12),
    st.sampled_from([b"\n", b"\r\n"]),
    st.integers(1, 9),
    st.integers(1, 40),
)
def test_ranges_cover_every_line_once(pieces: list[bytes], end: bytes, block: int, size: int):
    data = end.join(pieces)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_BYTES", block)
        whole = read(data)
        parts = []
        for start in range(0, len(data), size):
            begin = max(start - 1, 0)  # one byte early: if it ends a line, the line that is skipped is empty
            length = min(start + size, len(data)) - begin
            parts += read(data[begin:], length=length, skip_first=start > 0)
    assert parts == whole
    stripped = [line.rstrip(b"\r") for line in data.split(b"\n") if line and not line.isspace()]
    assert whole == stripped
