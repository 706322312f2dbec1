"""Who is signed in: a cookie that says so, signed and with an end, and the token that every change must carry.

The cookie holds no key. It is signed with a secret of the service, so that no worker has to remember anything.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import orjson

Role = Literal["write", "admin"]

MOST_NAME = 60
"""Longest name that somebody signs in with, characters."""

_MOST_TOKEN = 1024
_SIGN_IN_SECONDS = 3600


@dataclass(frozen=True)
class Session:
    """Somebody who is signed in.

    Attributes:
        id: drawn at random.
        role: what the key that was given may do.
        name: what the person wants to be called in histories; may be empty. Nobody has checked it.
        ends_at: seconds since 1970.
    """

    id: str
    role: Role
    name: str
    ends_at: int

    @property
    def administers(self) -> bool:
        """Whether the key was an admin key."""
        return self.role == "admin"

    @property
    def by(self) -> str:
        """Who changes something, for the history."""
        return f"{self.name} (console)" if self.name else "console"


class Sessions:
    """Opens and reads sessions; safe for several threads.

    Args:
        key: signs them, see ``serving.console.secret``.
        seconds: how long one lasts.
        now: the clock, seconds since 1970.
    """

    def __init__(self, key: bytes, seconds: float, now: Callable[[], float] = time.time) -> None:
        self._key, self._seconds, self._now = key, seconds, now

    def open(self, role: Role, name: str = "") -> Session:
        """Returns a new session."""
        shown = "".join(letter for letter in name.strip() if letter.isprintable())[:MOST_NAME]
        return Session(secrets.token_urlsafe(18), role, shown, int(self._now() + self._seconds))

    def token(self, session: Session) -> str:
        """Returns what the cookie holds."""
        body = orjson.dumps([session.id, session.role, session.name, session.ends_at])
        return f"{_text(body)}.{_text(self._sign(b'session', body))}"

    def read(self, token: str | None) -> Session | None:
        """Returns the session of a cookie; None for none, a forged one, and one that has ended."""
        if not token or len(token) > _MOST_TOKEN:
            return None
        body, _, signature = token.partition(".")
        try:
            content, given = _bytes(body), _bytes(signature)
        except (binascii.Error, ValueError):
            return None
        if not hmac.compare_digest(given, self._sign(b"session", content)):
            return None
        session = Session(*orjson.loads(content))
        return session if session.ends_at > self._now() else None

    def change_token(self, session: Session) -> str:
        """Returns the token that every change within a session must carry."""
        return _text(self._sign(b"change", session.id.encode()))

    def may_change(self, session: Session, given: str | None) -> bool:
        """Says whether a change carries its session's token."""
        return _same(given, self.change_token(session))

    def sign_in_token(self, visit: str) -> str:
        """Returns the token of the form to sign in with, for a browser that has the cookie ``visit``."""
        until = int(self._now() + _SIGN_IN_SECONDS)
        return f"{until}.{_text(self._sign(b'sign in', f'{until}.{visit}'.encode()))}"

    def may_sign_in(self, visit: str | None, given: str | None) -> bool:
        """Says whether a form to sign in with is this service's, for this browser, and not too old."""
        until, _, _ = (given or "").partition(".")
        if not visit or len(visit) > 64 or not until.isascii() or not until.isdigit() or len(until) > 12:
            return False
        expected = f"{until}.{_text(self._sign(b'sign in', f'{until}.{visit}'.encode(errors='replace')))}"
        return _same(given, expected) and int(until) > self._now()

    def _sign(self, purpose: bytes, content: bytes) -> bytes:
        return hmac.digest(self._key, purpose + b"\0" + content, hashlib.sha256)


def _same(given: str | None, expected: str) -> bool:
    return hmac.compare_digest((given or "")[:_MOST_TOKEN].encode(errors="replace"), expected.encode())


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
