import asyncio
import gzip
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect

from serving.bodies import read_body
from serving.errors import ProblemError

LIMIT = 1000


class Sent:
    """A request's body as it comes in."""

    def __init__(self, chunks: Iterable[bytes], whole: bool = True) -> None:
        self._chunks = list(chunks) or [b""]
        self._whole = whole
        self.taken = 0

    async def __call__(self) -> dict:
        if self.taken == len(self._chunks):
            return {"type": "http.disconnect"}
        self.taken += 1
        more = self.taken < len(self._chunks) or not self._whole
        return {"type": "http.request", "body": self._chunks[self.taken - 1], "more_body": more}


def read(sent: Sent, **headers: str) -> bytes:
    named = {name.replace("_", "-").encode(): text.encode() for name, text in headers.items()}
    return asyncio.run(read_body(sent, named, LIMIT))


@given(st.binary(max_size=2 * LIMIT), st.integers(1, 500), st.booleans(), st.booleans())
def test_a_body_is_what_was_sent_or_too_large(body: bytes, size: int, zipped: bool, says: bool):
    content = gzip.compress(body) if zipped else body
    headers = ({"content_encoding": "gzip"} if zipped else {}) | ({"content_length": str(len(content))} if says else {})
    sent = Sent(content[start : start + size] for start in range(0, len(content), size))
    if len(body) <= LIMIT and len(content) <= LIMIT:
        assert read(sent, **headers) == body
    else:
        with pytest.raises(ProblemError, match="413 too_large: the body is larger than 1000 bytes"):
            read(sent, **headers)


@given(st.binary(max_size=300))
def test_what_is_no_gzip_is_refused(body: bytes):
    with pytest.raises(ProblemError) as caught:
        read(Sent([body]), content_encoding="gzip")
    assert (caught.value.status, caught.value.error) == (400, "bad_gzip")


def test_a_huge_body_that_says_so_is_not_read():
    sent = Sent([b"x"] * 50)
    with pytest.raises(ProblemError, match="413"):
        read(sent, content_length="9000000000")
    assert sent.taken == 0


def test_a_body_that_does_not_end_is_read_only_so_far():
    sent = Sent([b"x" * 65_536] * 1000)
    with pytest.raises(ProblemError, match="413"):
        read(sent)
    assert sent.taken < 100


def test_a_client_that_goes_away_is_no_error_of_ours():
    with pytest.raises(ClientDisconnect):
        read(Sent([b"x"], whole=False))


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "zstd"])
def test_other_encodings_are_refused(encoding: str):
    with pytest.raises(
        ProblemError, match="415 unsupported_encoding: Content-Encoding is not supported; expected gzip"
    ):
        read(Sent([b""]), content_encoding=encoding)
