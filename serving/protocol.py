"""HTTP/1.1 as uvicorn speaks it through httptools, with the two limits that httptools lacks: headers' size and time."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_HEADER_BYTES = 64 << 10
_HEADER_SECONDS = 30.0
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\n\r\n%b"
)
_PROBLEM = (
    b'{"error":"headers_too_large","detail":"the headers are larger than 64 KB","code":"headers_too_large",'
    b'"message":"the headers are larger than 64 KB","request_id":null}'
)


class LimitedProtocol(HttpToolsProtocol):
    """Closes connections whose headers are too large, or do not arrive in time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._held = 0
        self._reading = False
        self._shared = False  # whether an earlier request ended in the same packet: what is before may be its body
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._timer = self.loop.call_later(_HEADER_SECONDS, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._shared = False
        super().data_received(data)
        if not self._reading or self.transport.is_closing():
            return
        if not self._shared:
            self._held += len(data)
        if self._held > _HEADER_BYTES:
            self.transport.write(_TOO_LARGE % (len(_PROBLEM), _PROBLEM))
            self.transport.close()
        elif self._timer is None:
            self._timer = self.loop.call_later(_HEADER_SECONDS, self._give_up)

    def on_message_begin(self) -> None:
        self._reading = True
        self._held = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._reading = False
        self._stop_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._shared = True
        super().on_message_complete()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.close()
