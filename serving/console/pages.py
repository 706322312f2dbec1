"""How pages are made: templates that escape everything, headers that let nothing else in, errors for people."""

import hashlib
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from functools import lru_cache
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse, Response

from features.errors import AuguryError
from models.versions import UnknownModelError
from serving.console import charts
from serving.console.shown import FILTERS
from serving.errors import ProblemError, problem_response

HOME = "/console"
FOLDER = Path(__file__).parent

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
}


class SignInNeededError(Exception):
    """A page for people with a key, asked for by somebody without one."""


class ConsoleRoute(APIRoute):
    """A route of the console: its answers have the console's headers, its errors are pages for people.

    A script, which says so by ``X-Console: fragment``, gets errors as the API gives them.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            response = await _answer(handler, request)
            for name, value in _HEADERS.items():
                response.headers.setdefault(name, value)
            response.headers.setdefault("Cache-Control", "no-store")
            return response

        return guarded


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Returns a page.

    Args:
        request: that it answers.
        template: its file in the folder of templates, without endings.
        status: of the answer.
        values: what the template is told besides ``session``, ``change_token`` and ``path``.
    """
    return HTMLResponse(_render(request, template, values), status)


def redirect(path: str) -> RedirectResponse:
    """Returns an answer that sends the browser to another page, which it asks for with GET."""
    return RedirectResponse(path, 303)


def asks_as_script(request: Request) -> bool:
    """Says whether it is a script of ours that asks, and not somebody who opens a page."""
    return request.headers.get("x-console") == "fragment"


@lru_cache(maxsize=1)
def static_files() -> dict[str, tuple[bytes, str]]:
    """Returns the files that pages load: name -> content, media type."""
    kinds = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
    paths = sorted((FOLDER / "static").iterdir())
    return {path.name: (path.read_bytes(), kinds[path.suffix]) for path in paths if path.suffix in kinds}


@lru_cache(maxsize=1)
def static_version() -> str:
    """Returns what stands for the content of all files that pages load, for their addresses."""
    found = hashlib.sha256()
    for name, (content, _) in static_files().items():
        found.update(name.encode() + b"\0" + content)
    return found.hexdigest()[:16]


async def _answer(handler: Callable[[Request], Coroutine[Any, Any, Response]], request: Request) -> Response:
    try:
        return await handler(request)
    except SignInNeededError:
        if asks_as_script(request):
            return problem_response(ProblemError(401, "signed_out", "you are signed out; sign in again"))
        return redirect(f"{HOME}/sign-in")
    except ProblemError as e:
        problem = e
    except RequestValidationError as e:
        found = "; ".join(f"{item['loc'][-1]}: {item['msg']}" for item in e.errors()[:3])
        problem = ProblemError(400, "invalid_request", found)
    except UnknownModelError as e:
        problem = ProblemError(404, "unknown_model", str(e))
    except AuguryError as e:  # of the registry, the storage: lines for people
        problem = ProblemError(409, "not_possible", str(e))
    if asks_as_script(request):
        return problem_response(problem)
    title = HTTPStatus(problem.status).phrase
    answer = page(request, "error", problem.status, title=title, problem=problem)
    answer.headers.update(problem.headers)
    return answer


def _render(request: Request, template: str, values: dict[str, Any]) -> str:
    session = getattr(request.state, "session", None)
    sessions = request.app.state.console.sessions
    told = {
        "session": session,
        "change_token": sessions.change_token(session) if session else "",
        "path": request.url.path,
        "home": HOME,
        "static": f"{HOME}/static/{static_version()}",
        "release": version("augury"),
    }
    return _environment().get_template(f"{template}.html.jinja").render(told | values)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= FILTERS
    environment.globals |= {"charts": charts, "now": lambda: datetime.now(UTC)}
    return environment
