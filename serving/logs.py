"""Logs: one JSON object a line, each with the id of the request it belongs to.

No line holds a key, a visitor's id, an IP address or a query string: routes are logged by their template, and of an
exception only its type and where it happened, because its message may quote what was sent.
"""

import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

from asgi_correlation_id import CorrelationIdFilter
from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter


class _Formatter(JsonFormatter):
    """JSON lines, without the messages of exceptions."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")

    def formatException(self, exc_info: Any) -> str:
        return frames(exc_info[1])


def set_up_logs(level: str) -> None:
    """Sends every logger's lines of this level and above to standard error, as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(CorrelationIdFilter(default_value=None))
    handler.setFormatter(
        _Formatter(
            "%(asctime)s %(levelname)s %(name)s %(message)s %(process)d",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger", "correlation_id": "request_id"},
            reserved_attrs=[*RESERVED_ATTRS, "color_message"],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = name != "uvicorn.access"
    # A client's own request id, refused, would be repeated in a line of the one, each bad form tell of itself in the
    # other's.
    for name in ("asgi_correlation_id", "python_multipart"):
        logging.getLogger(name).setLevel(logging.ERROR)


def frames(error: BaseException | None) -> str:
    """Returns where an exception happened and of which type it and its causes are, without their messages."""
    parts: list[str] = []
    while error is not None:
        parts.append("".join(traceback.format_tb(error.__traceback__)) + type(error).__name__)
        error = error.__cause__ or error.__context__
    return "\ncaused by:\n".join(parts)
