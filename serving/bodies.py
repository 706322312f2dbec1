"""Request bodies within limits: what is too large is refused before all of it is read, zipped or not."""

import asyncio
import zlib

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from serving.errors import ProblemError

_READ_SECONDS = 30.0
_POLITE_BYTES = 4 << 20  # how much of a refused body is thrown away so that its sender can read why it was refused
_GZIP = 31  # zlib's window bits for a gzip header


async def read_body(receive: Receive, headers: dict[bytes, bytes], limit: int) -> bytes:
    """Returns a request's body, unzipped.

    Args:
        receive: the request's ASGI channel.
        headers: its headers, names in lower case.
        limit: most bytes, before and after unzipping.

    Raises:
        ProblemError: 413 when it is larger, 415 when it is encoded in another way than gzip, 400 when it cannot be
            unzipped, 408 when it does not arrive.
    """
    encoding = headers.get(b"content-encoding", b"").strip().lower()
    if encoding not in (b"", b"identity", b"gzip"):
        raise ProblemError(415, "unsupported_encoding", "Content-Encoding is not supported; expected gzip or none")
    body = await _read(receive, headers, limit)
    return _gunzip(body, limit) if encoding == b"gzip" else body


async def _read(receive: Receive, headers: dict[bytes, bytes], limit: int) -> bytes:
    announced = headers.get(b"content-length")
    if announced is not None and announced.isdigit() and len(announced) <= 18 and int(announced) > limit:
        await _discard(receive, int(announced))
        raise too_large(limit)
    message = await receive()
    if not message.get("more_body"):  # nearly always the whole body is there
        body: bytes = _chunk(message)
        if len(body) > limit:
            raise too_large(limit)
        return body
    try:
        async with asyncio.timeout(_READ_SECONDS):
            return await _read_on(receive, bytearray(_chunk(message)), limit)
    except TimeoutError:
        raise ProblemError(
            408, "slow_body", f"the body did not arrive within {_READ_SECONDS:g} s", headers={"Connection": "close"}
        ) from None


async def _read_on(receive: Receive, body: bytearray, limit: int) -> bytes:
    while True:
        if len(body) > limit:
            await _discard(receive, _POLITE_BYTES)
            raise too_large(limit)
        message = await receive()
        body += _chunk(message)
        if not message.get("more_body"):
            if len(body) > limit:
                raise too_large(limit)
            return bytes(body)


async def _discard(receive: Receive, most: int) -> None:
    """Reads on and keeps nothing, so that a client that sends first and reads then gets its answer."""
    if most > _POLITE_BYTES:
        return
    seen = 0
    try:
        async with asyncio.timeout(_READ_SECONDS):
            while seen <= most:
                message = await receive()
                seen += len(_chunk(message))
                if not message.get("more_body"):
                    return
    except TimeoutError:
        return


def _chunk(message: object) -> bytes:
    assert isinstance(message, dict)
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    chunk: bytes = message.get("body", b"")
    return chunk


def _gunzip(body: bytes, limit: int) -> bytes:
    """Unzips no more than the limit: a small body may hold gigabytes, or a million empty files one after the other."""
    unzip = zlib.decompressobj(_GZIP)
    try:
        text = unzip.decompress(body, limit + 1)
    except zlib.error:
        raise ProblemError(400, "bad_gzip", "Content-Encoding says gzip, but the body is not gzip") from None
    if len(text) > limit:
        raise too_large(limit)
    if not unzip.eof or unzip.unused_data:
        raise ProblemError(400, "bad_gzip", "the body is not one whole gzip file; send all of it and nothing more")
    return text


def too_large(limit: int) -> ProblemError:
    """Returns the error of a body over its limit."""
    return ProblemError(
        413, "too_large", f"the body is larger than {limit} bytes; send less at once", headers={"Connection": "close"}
    )
