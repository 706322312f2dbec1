"""Who may do what: write keys send events, admin keys do the rest.

A key is compared with every known one in constant time, and appears in no log and in no error.
"""

import base64
import binascii
import hmac
from collections.abc import Sequence

from fastapi import Request

from serving.errors import ProblemError
from serving.settings import MAX_KEY_BYTES, Settings


class KeyRing:
    """The keys that the service knows."""

    def __init__(self, settings: Settings) -> None:
        self.public_predictions = settings.public_predictions
        self._write = [key.get_secret_value().encode() for key in settings.write_keys]
        self._admin = [key.get_secret_value().encode() for key in settings.admin_keys]

    def may_write(self, given: str | None) -> bool:
        """Says whether a key may send events."""
        return _among(given, self._write)

    def may_administer(self, given: str | None) -> bool:
        """Says whether a key may delete visitors and reload models."""
        return _among(given, self._admin)


def write_key(request: Request) -> str:
    """Returns the request's write key, from Basic user name or ``?writeKey=``; a dependency.

    Keys in a body are looked at by the collection end-points, which alone read bodies that may hold one.

    Raises:
        ProblemError: 401 if there is none or it is unknown.
    """
    given = header_key(request) or request.query_params.get("writeKey")
    if not ring(request).may_write(given):
        raise unauthorised("a write key", given)
    return given or ""


def admin_key(request: Request) -> str:
    """Returns the request's admin key, from ``Authorization: Bearer`` or the Basic user name; a dependency.

    Raises:
        ProblemError: 401 if there is none or it is unknown.
    """
    given = header_key(request)
    keys = ring(request)
    if not keys.may_administer(given):
        raise unauthorised("an admin key", given, writes=keys.may_write(given))
    return given or ""


def any_key(request: Request) -> str:
    """Returns the key of a request for predictions: an admin key, or a write key if the settings let it; a dependency.

    Raises:
        ProblemError: 401 if there is none or it is unknown.
    """
    given = header_key(request)
    keys = ring(request)
    if keys.may_administer(given):
        return given or ""
    if not keys.public_predictions:
        raise unauthorised("an admin key", given, writes=keys.may_write(given))
    given = given or request.query_params.get("writeKey")
    if not keys.may_write(given):
        raise unauthorised("a write key or an admin key", given)
    return given or ""


def header_key(request: Request) -> str | None:
    """Returns the key in the ``Authorization`` header: a Bearer token, or the user name of Basic; None if none."""
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    rest = rest.strip()
    if not rest or len(rest) > 2 * MAX_KEY_BYTES:
        return None
    if scheme.lower() == "bearer":
        return rest
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(rest, validate=True).decode().partition(":")[0] or None
    except (binascii.Error, UnicodeDecodeError):
        return None


def ring(request: Request) -> KeyRing:
    """Returns the app's keys."""
    keys: KeyRing = request.app.state.keys
    return keys


def unauthorised(expected: str, given: str | None, *, writes: bool = False) -> ProblemError:
    """Returns a 401 that says what was expected, and never what was given.

    Args:
        expected: the kind of key.
        given: the key of the request.
        writes: whether it is a write key, where that is not enough.
    """
    unknown = "the key given is a write key" if writes else "the key given is unknown"
    found = unknown if given else "no key was given"
    return ProblemError(
        401,
        "unauthorized",
        f"{found}; expected {expected} as the user name of Basic authentication",
        headers={"WWW-Authenticate": 'Basic realm="augury", charset="UTF-8"'},
    )


def _among(given: str | None, known: Sequence[bytes]) -> bool:
    candidate = (given or "").encode(errors="replace")[: MAX_KEY_BYTES + 1]
    found = False
    for key in known:
        found |= hmac.compare_digest(candidate, key)
    return found and bool(given)
