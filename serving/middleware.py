"""What happens around every request: the time it took is counted, and a defect ends in a 500 of the usual shape."""

import logging
from time import perf_counter

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.errors import ProblemError, problem_response
from serving.metrics import Metrics

_log = logging.getLogger("serving.requests")

_GONE = 499  # as nginx counts a client that did not wait
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Watch:
    """Measures each request and answers for those that fail; pure ASGI."""

    def __init__(self, app: ASGIApp, metrics: Metrics, access_log: bool = False) -> None:
        self._app = app
        self._metrics = metrics
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0
        start = perf_counter()

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note)
        except ClientDisconnect:
            status = _GONE
        except Exception:
            _log.exception("a request failed")
            if status:
                raise
            defect = ProblemError(500, "internal_error", "the service failed at this request; its log says where")
            await problem_response(defect)(scope, receive, note)
        finally:
            self._count(scope, status, perf_counter() - start)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "none")  # the template: a path may hold a visitor's id
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.requests.labels(route, method, str(status)).observe(seconds)
        if self._access_log:
            extra = {"method": method, "route": route, "status": status, "seconds": round(seconds, 6)}
            _log.info("request", extra=extra)
