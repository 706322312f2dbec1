"""Errors as clients see them: one shape for every 4xx and 5xx.

``{"error": "too_large", "detail": "...", "code": ..., "message": ..., "request_id": ...}``: ``code`` and ``message``
repeat the first two, because Segment's libraries read the reason of a refusal there.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from asgi_correlation_id import correlation_id
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response


class ProblemError(Exception):
    """Ends a request with an error.

    Attributes:
        status: HTTP status, 4xx or 5xx.
        error: what is wrong, a word in snake_case that programs can tell apart.
        detail: the same for people: the offending value, what was expected, the remedy.
        extra: further fields of the answer.
        headers: further headers of the answer.
    """

    def __init__(
        self,
        status: int,
        error: str,
        detail: str,
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {error}: {detail}")
        self.status = status
        self.error = error
        self.detail = detail
        self.extra = dict(extra or {})
        self.headers = dict(headers or {})


class Problem(BaseModel):
    """The body of an error, for the OpenAPI document."""

    model_config = ConfigDict(extra="allow")

    error: str = Field(description="what is wrong, a word in snake_case")
    detail: str = Field(description="the offending value, what was expected, the remedy")
    code: str = Field(description="the same as error, where Segment's libraries look for it")
    message: str = Field(description="the same as detail, where Segment's libraries look for it")
    request_id: str | None = Field(description="names the request in the service's log")


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Returns the ``responses`` argument of a route that may end with these errors."""
    return {
        status: {
            "model": Problem,
            "description": HTTPStatus(status).phrase,
        }
        for status in statuses
    }


def problem_response(problem: ProblemError) -> Response:
    """Returns the answer that an error ends a request with."""
    body = {
        "error": problem.error,
        "detail": problem.detail,
        "code": problem.error,
        "message": problem.detail,
        **problem.extra,
        "request_id": correlation_id.get(),
    }
    return Response(orjson.dumps(body), problem.status, problem.headers, "application/json")


def install_error_handlers(app: FastAPI) -> None:
    """Gives every error of an app the same shape."""
    app.add_exception_handler(ProblemError, _problem)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return problem_response(error)


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    name = phrase.lower().replace(" ", "_").replace("-", "_").replace("'", "")
    headers = dict(error.headers or {})
    return problem_response(ProblemError(error.status_code, name, error.detail or phrase, headers=headers))


async def _invalid(_: Request, error: Exception) -> Response:
    """Says which value is wrong without repeating it: it may be a key or a visitor's id."""
    assert isinstance(error, RequestValidationError)
    found = [{"where": ".".join(map(str, item["loc"])), "problem": item["msg"]} for item in error.errors()]
    detail = "; ".join(f"{item['where']}: {item['problem']}" for item in found[:3])
    return problem_response(ProblemError(400, "invalid_request", detail, {"fields": found}))
