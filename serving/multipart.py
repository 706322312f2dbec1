"""Forms with files, ``multipart/form-data`` (RFC 7578), as ``curl -F`` and a page's ``FormData`` send them.

The body is in memory and within its limit before it comes here, so its parts need no files of their own.
"""

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from serving.errors import ProblemError

MOST_PARTS = 8

_MOST_BOUNDARY = 70  # RFC 2046, section 5.1.1


class _Parts:
    """Gathers what the parser finds."""

    def __init__(self) -> None:
        self.found: dict[str, bytes] = {}
        self.whole = False
        self._field, self._value, self._disposition = b"", b"", b""
        self._name = ""
        self._content = bytearray()

    def on_part_begin(self) -> None:
        self._disposition, self._content = b"", bytearray()

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition = self._value
        self._field = self._value = b""

    def on_headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = options.get(b"name", b"").decode(errors="replace")[:64]
        if not self._name:
            raise _bad('a part has no name; expected Content-Disposition: form-data; name="image"')
        if self._name in self.found:
            raise _bad(f"part {self._name!r} comes twice; send one")
        if len(self.found) == MOST_PARTS:
            raise _bad(f"it has more than {MOST_PARTS} parts; send images only, and options in the query")

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._content += data[start:end]

    def on_part_end(self) -> None:
        self.found[self._name] = bytes(self._content)

    def on_end(self) -> None:
        self.whole = True


def read_form(body: bytes, content_type: str) -> dict[str, bytes]:
    """Returns the parts of a form by their names.

    Args:
        body: of the request.
        content_type: its header, with the boundary.

    Raises:
        ProblemError: 400 ``bad_form``: it is no form, breaks off, has a part without a name or two of one name, or more
            than ``MOST_PARTS``.
    """
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if not 0 < len(boundary) <= _MOST_BOUNDARY:
        raise _bad(f"its Content-Type names no boundary of 1 to {_MOST_BOUNDARY} characters")
    parts = _Parts()
    callbacks = {name: getattr(parts, name) for name in dir(parts) if name.startswith("on_")}
    try:
        parser = MultipartParser(boundary, callbacks)  # type: ignore[arg-type]
        parser.write(body)
        parser.finalize()
    except FormParserError as e:
        raise _bad(" ".join(str(e).split())[:200]) from None
    if not parts.whole:
        raise _bad("it breaks off before its last boundary; send it whole")
    return parts.found


def _bad(why: str) -> ProblemError:
    return ProblemError(400, "bad_form", f"the body is no multipart/form-data: {why}")
