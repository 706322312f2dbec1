"""Who may see a page and who may change something: dependencies of the console's routes."""

import re
import secrets
from typing import Any
from urllib.parse import parse_qsl

from fastapi import Request
from starlette.responses import Response

from serving.bodies import read_body
from serving.console.pages import HOME, SignInNeededError
from serving.console.sessions import Session
from serving.console.state import console
from serving.errors import ProblemError

_COOKIE = "augury_console"
_VISIT = "augury_sign_in"
_VISIT_SECONDS = 3600
_VISIT_FORM = re.compile(r"[A-Za-z0-9_-]{16,64}")
_MOST_FORM = 16 << 10
_MOST_FIELDS = 50


def signed_in(request: Request) -> Session:
    """Returns who is signed in; a dependency.

    Raises:
        SignInNeededError: nobody is.
    """
    session = session_of(request)
    if session is None:
        raise SignInNeededError
    request.state.session = session
    return session


def administers(request: Request) -> Session:
    """Returns who is signed in with an admin key; a dependency.

    Raises:
        SignInNeededError: nobody is signed in.
        ProblemError: 403 for a write key.
    """
    session = signed_in(request)
    if not session.administers:
        raise ProblemError(
            403,
            "admin_key_needed",
            "you are signed in with a write key, and this page needs an admin key; sign out, and in again with one",
        )
    return session


def predicts(request: Request) -> Session:
    """Returns who is signed in and may ask for predictions, as the API would let their key; a dependency.

    Raises:
        SignInNeededError: nobody is signed in.
        ProblemError: 403 for a write key where the settings give predictions to admin keys only.
    """
    session = signed_in(request)
    if not session.administers and not request.app.state.keys.public_predictions:
        raise ProblemError(403, "admin_key_needed", "predictions are for admin keys here (AUGURY_PUBLIC_PREDICTIONS)")
    return session


def check_script(request: Request, session: Session) -> None:
    """Refuses a script's change that does not carry its session's token.

    Raises:
        ProblemError: 403.
    """
    check_origin(request)
    if not console(request).sessions.may_change(session, request.headers.get("x-change-token")):
        raise _not_ours()


async def changing_form(request: Request, session: Session) -> dict[str, str]:
    """Returns the fields of a form that changes something.

    Raises:
        ProblemError: 403 if it does not carry its session's token.
    """
    check_origin(request)
    fields = await read_fields(request)
    if not console(request).sessions.may_change(session, fields.get("change_token")):
        raise _not_ours()
    return fields


def check_origin(request: Request) -> None:
    """Refuses what another site's page sent, where the browser says so.

    Raises:
        ProblemError: 403.
    """
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise _not_ours()


async def read_fields(request: Request) -> dict[str, str]:
    """Returns the fields of a form, the last of each name.

    Raises:
        ProblemError: 415 or 400 for what is no form.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise ProblemError(415, "unsupported_content_type", "expected the fields of a form")
    body = await read_body(request.receive, dict(request.scope["headers"]), _MOST_FORM)
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise ProblemError(400, "bad_form", "the body is no form") from None


def session_of(request: Request) -> Session | None:
    """Returns the session that the request's cookie opens."""
    name = _prefixed(request, _COOKIE)
    return console(request).sessions.read(request.cookies.get(name))


def begin_session(request: Request, response: Response, session: Session) -> None:
    """Gives the browser the cookie of a session."""
    sessions = console(request).sessions
    until = request.app.state.services.settings.console_hours * 3600
    _set(request, response, _COOKIE, sessions.token(session), int(until))
    _remove(request, response, _VISIT)


def end_session(request: Request, response: Response) -> None:
    """Takes the cookie of a session away."""
    _remove(request, response, _COOKIE)


def visit_of(request: Request) -> str | None:
    """Returns the cookie of a browser that has opened the form to sign in with."""
    found = request.cookies.get(_prefixed(request, _VISIT), "")
    return found if _VISIT_FORM.fullmatch(found) else None


def new_visit() -> str:
    """Returns what the cookie of a browser holds that opens the form to sign in with."""
    return secrets.token_urlsafe(18)


def begin_visit(request: Request, response: Response, visit: str) -> None:
    """Gives a browser the cookie that belongs to the form to sign in with."""
    _set(request, response, _VISIT, visit, _VISIT_SECONDS)


def is_secure(request: Request) -> bool:
    """Says whether the browser came over https, here or to a proxy that is believed."""
    return request.url.scheme == "https" or console(request).proxies.forwarded_https(request.scope)


def _prefixed(request: Request, name: str) -> str:
    return f"__Host-{name}" if is_secure(request) else name


def _set(request: Request, response: Response, name: str, value: str, seconds: int) -> None:
    how: dict[str, Any] = {"httponly": True, "samesite": "strict", "secure": is_secure(request), "path": "/"}
    response.set_cookie(_prefixed(request, name), value, max_age=seconds, **how)


def _remove(request: Request, response: Response, name: str) -> None:
    how: dict[str, Any] = {"httponly": True, "samesite": "strict", "secure": is_secure(request), "path": "/"}
    response.delete_cookie(_prefixed(request, name), **how)


def _not_ours() -> ProblemError:
    return ProblemError(
        403, "not_from_this_page", f"the request does not come from a page of this session; open {HOME} and try again"
    )
