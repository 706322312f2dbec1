"""The console: its entry at ``/``, signing in and out, the files that pages load, and the pages' own routers."""

from math import ceil
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, Response

from serving.auth import ring
from serving.console import attention_pages, behavior_pages, creative_pages, models_pages
from serving.console.gatekeeping import (
    begin_session,
    begin_visit,
    changing_form,
    check_origin,
    end_session,
    is_secure,
    new_visit,
    read_fields,
    session_of,
    signed_in,
    visit_of,
)
from serving.console.pages import HOME, ConsoleRoute, page, redirect, static_files, static_version
from serving.console.sessions import Session
from serving.console.state import console
from serving.errors import ProblemError

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")

router = APIRouter(include_in_schema=False, route_class=ConsoleRoute)


@router.get("/")
@router.get(HOME)
async def entry(request: Request) -> Response:
    """Sends everybody to the first page that they may see."""
    session = session_of(request)
    if session is None:
        return redirect(f"{HOME}/sign-in")
    return redirect(f"{HOME}/models" if session.administers else f"{HOME}/attention")


@router.get(f"{HOME}/sign-in")
async def sign_in_page(request: Request) -> Response:
    """Shows the form to sign in with."""
    if session_of(request) is not None:
        return redirect(HOME)
    return _sign_in_form(request)


@router.get(f"{HOME}/session")
async def session_state(request: Request) -> JSONResponse:
    """Says whether this browser is signed in, for a script."""
    return JSONResponse({"signed_in": session_of(request) is not None})


@router.post(f"{HOME}/sign-in")
async def sign_in(request: Request) -> Response:
    """Opens a session for whoever has a key."""
    check_origin(request)
    here = console(request)
    fields = await read_fields(request)
    if not here.sessions.may_sign_in(visit_of(request), fields.get("sign_in_token")):
        return _sign_in_form(request, 403, "This page was open for too long, or cookies are blocked. Please try again.")
    address = here.proxies.visitor_address(request.scope)
    wait = here.attempts.wait(address)
    if wait > 0:
        told = f"Too many tries with a wrong key. Try again in {ceil(wait / 60)} min."
        answer = _sign_in_form(request, 429, told)
        answer.headers["Retry-After"] = str(ceil(wait))
        return answer
    keys, given = ring(request), fields.get("key", "").strip()
    if not (keys.may_administer(given) or keys.may_write(given)):
        here.attempts.failed(address)
        return _sign_in_form(request, 401, "No key of this service is like this one. Check it and try again.")
    session = here.sessions.open("admin" if keys.may_administer(given) else "write", fields.get("name", ""))
    answer = redirect(HOME)
    begin_session(request, answer, session)
    return answer


@router.post(f"{HOME}/sign-out")
async def sign_out(request: Request, session: Annotated[Session, Depends(signed_in)]) -> Response:
    """Ends the session of this browser."""
    await changing_form(request, session)
    answer = redirect(f"{HOME}/sign-in")
    end_session(request, answer)
    return answer


@router.get(f"{HOME}/static/{{stamp}}/{{name}}")
async def static(stamp: str, name: str) -> Response:
    """Returns a file that pages load; its address changes with its content, so browsers may keep it."""
    found = static_files().get(name)
    if found is None:
        raise ProblemError(404, "not_found", "there is no such file")
    content, kind = found
    kept = "public, max-age=31536000, immutable" if stamp == static_version() else "no-cache"
    return Response(content, headers={"Cache-Control": kept}, media_type=kind)


def _sign_in_form(request: Request, status: int = 200, problem: str = "") -> Response:
    visit = visit_of(request) or new_visit()
    token = console(request).sessions.sign_in_token(visit)
    answer = page(request, "sign_in", status, problem=problem, open_line=_open_line(request), sign_in_token=token)
    begin_visit(request, answer, visit)
    return answer


def _open_line(request: Request) -> bool:
    """Whether a key would travel where others can read it."""
    return not is_secure(request) and (request.url.hostname or "") not in (*_LOOPBACK, "::1")


for _pages in (models_pages, behavior_pages, attention_pages, creative_pages):
    router.include_router(_pages.router)
