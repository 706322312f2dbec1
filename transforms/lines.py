"""Lines of a byte stream in chunks, with memory bounded whatever the stream holds."""

from collections.abc import Iterator
from typing import Protocol

from features.events import MAX_EVENT_BYTES

BLOCK_BYTES = 1 << 20
"""How much of a stream is asked for at once."""

KEEP_BYTES = MAX_EVENT_BYTES + 1
"""How much of an overlong line is kept: just enough to be seen to be too long."""


class Stream(Protocol):
    """What can be read in blocks."""

    def read(self, size: int, /) -> bytes:
        """Returns up to ``size`` bytes, none at the end."""


def chunk_lines(
    stream: Stream, chunk_rows: int, chunk_bytes: int, length: int | None = None, skip_first: bool = False
) -> Iterator[list[bytes]]:
    """Yields lines without their ends, in chunks that end soon after ``chunk_rows`` or ``chunk_bytes`` are reached.

    A line over ``KEEP_BYTES`` is cut to that while it passes, so a file without a line feed, or a compressed one that
    unfolds to nothing else, takes no more memory than a short one. Blank lines are no rows and are left out.

    Args:
        stream: what to read, from where it stands.
        chunk_rows: lines after which a chunk is full.
        chunk_bytes: bytes after which a chunk is full.
        length: bytes after which no further line begins; None reads to the end.
        skip_first: leave out the first line, as the end of one that began earlier.
    """
    lines: list[bytes] = []
    size = 0
    for block in _blocks(stream, length, skip_first):
        for piece in block:
            if piece and not piece.isspace():
                kept = piece[:KEEP_BYTES].rstrip(b"\r")
                lines.append(kept)
                size += len(kept)
        if len(lines) >= chunk_rows or size >= chunk_bytes:
            yield lines
            lines, size = [], 0
    if lines:
        yield lines


def _blocks(stream: Stream, length: int | None, skip_first: bool) -> Iterator[list[bytes]]:
    """Yields the lines that end in each block read."""
    kept = b""
    begun = position = 0  # of the line that the block opens in, and of the block
    while block := stream.read(BLOCK_BYTES):
        first, *rest = block.split(b"\n")
        kept = _append(kept, first)
        if rest:
            pieces = [kept, *rest[:-1]]
            ended = length is not None and position + len(block) - len(rest[-1]) >= length
            if ended:
                pieces = _beginning_before(length or 0, pieces, begun, position + len(first) + 1)
            yield pieces[1:] if skip_first else pieces
            if ended:
                return
            kept, begun, skip_first = _append(b"", rest[-1]), position + len(block) - len(rest[-1]), False
        position += len(block)
    if kept and not skip_first:
        yield [kept]


def _append(kept: bytes, more: bytes) -> bytes:
    return kept + more[: KEEP_BYTES - len(kept)] if len(kept) < KEEP_BYTES else kept


def _beginning_before(length: int, pieces: list[bytes], begun: int, second: int) -> list[bytes]:
    """Returns the lines that begin before ``length``: the first began at ``begun``, the next at ``second``."""
    count, start = int(begun < length), second
    while count and count < len(pieces) and start < length:
        start += len(pieces[count]) + 1
        count += 1
    return pieces[:count]
