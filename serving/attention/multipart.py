"""Forms with files, ``multipart/form-data`` (RFC 7578), as ``curl -F`` and a page's ``FormData`` send them.

The body is in memory and within its limit before it comes here; parts are found by their boundary, in one pass, and not
looked into.
"""

from email.errors import HeaderParseError
from email.parser import BytesHeaderParser
from email.policy import HTTP

from serving.errors import ProblemError

MOST_PARTS = 8

_MOST_BOUNDARY = 70  # RFC 2046, section 5.1.1
_MOST_HEADERS = 4096
_HEADERS = BytesHeaderParser(policy=HTTP)


def read_form(body: bytes, content_type: str) -> dict[str, bytes]:
    """Returns the parts of a form by their names.

    Args:
        body: of the request.
        content_type: its header, with the boundary.

    Raises:
        ProblemError: 400 ``bad_form``: it is no form, breaks off, has a part without a name or two of one name, or more
            than ``MOST_PARTS``.
    """
    parts: dict[str, bytes] = {}
    mark = b"\r\n--" + _boundary(content_type)
    # What precedes the first boundary means nothing; the first may come without a line before it.
    pieces = (b"\r\n" + body).split(mark, MOST_PARTS + 2)
    if len(pieces) < 2 or not any(piece.startswith(b"--") for piece in pieces[1:]):
        raise _bad("it has no parts, or breaks off before its last boundary; send it whole")
    for piece in pieces[1:]:
        if piece.startswith(b"--"):
            return parts
        if len(parts) == MOST_PARTS:
            break
        name, content = _part(piece)
        if name in parts:
            raise _bad(f"part {name!r} comes twice; send one")
        parts[name] = content
    raise _bad(f"it has more than {MOST_PARTS} parts; send images only, and options in the query")


def _part(piece: bytes) -> tuple[str, bytes]:
    padding, line, rest = piece.partition(b"\r\n")
    if padding.strip(b" \t") or not line:
        raise _bad("a boundary is not followed by the end of its line")
    headers, blank, content = (b"\r\n" + rest).partition(b"\r\n\r\n")
    if not blank or len(headers) > _MOST_HEADERS:
        raise _bad(f"a part has no headers, or more than {_MOST_HEADERS} bytes of them")
    try:
        disposition = _HEADERS.parsebytes(headers[2:])["content-disposition"]
        name = disposition.params.get("name") if disposition is not None else None
    except (HeaderParseError, ValueError, IndexError, AttributeError, UnicodeError):
        name = None
    if not name:
        raise _bad('a part has no name; expected Content-Disposition: form-data; name="image"')
    return str(name)[:64], content


def _boundary(content_type: str) -> bytes:
    """Returns the boundary that a ``Content-Type`` names."""
    for parameter in content_type.split(";")[1:]:
        key, _, value = parameter.strip().partition("=")
        value = value.strip().strip('"')
        if key.strip().lower() == "boundary" and 0 < len(value) <= _MOST_BOUNDARY and value.isascii():
            return value.encode()
    raise _bad("its Content-Type names no boundary of 1 to 70 ASCII characters")


def _bad(why: str) -> ProblemError:
    return ProblemError(400, "bad_form", f"the body is no multipart/form-data: {why}")
