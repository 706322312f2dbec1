"""Sessions: what a cookie opens, and what opens nothing."""

import base64

import orjson
import pytest

from serving.console.sessions import MOST_NAME, Sessions

KEY = b"k" * 32


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(clock: Clock) -> Sessions:
    return Sessions(KEY, 60, clock)


def test_a_cookie_opens_its_session(sessions: Sessions) -> None:
    session = sessions.open("admin", "Anna")
    assert sessions.read(sessions.token(session)) == session
    assert (session.administers, session.by, session.ends_at) == (True, "Anna (console)", 1_000_060)
    assert not sessions.open("write").administers
    assert sessions.open("write").by == "console"


def test_a_session_ends(sessions: Sessions, clock: Clock) -> None:
    token = sessions.token(sessions.open("admin"))
    clock.now += 59.9
    assert sessions.read(token) is not None
    clock.now += 0.1
    assert sessions.read(token) is None


def test_what_is_no_cookie_of_ours_opens_nothing(sessions: Sessions) -> None:
    session = sessions.open("write")
    token = sessions.token(session)
    body, _, signature = token.partition(".")
    raised = orjson.dumps([session.id, "admin", "", session.ends_at])
    forged = base64.urlsafe_b64encode(raised).decode().rstrip("=")
    other = Sessions(b"x" * 32, 60, lambda: 1_000_000.0).token(session)
    for bad in (None, "", ".", "é.é", body, f"{body}.", f"{forged}.{signature}", token[:-2], other, "a" * 5000):
        assert sessions.read(bad) is None, bad


def test_the_token_of_a_change_belongs_to_its_session(sessions: Sessions) -> None:
    one, two = sessions.open("admin"), sessions.open("admin")
    assert sessions.may_change(one, sessions.change_token(one))
    for bad in (None, "", sessions.change_token(two), sessions.token(one), "é" * 2000):
        assert not sessions.may_change(one, bad)


def test_the_token_of_the_form_belongs_to_the_browser_and_ends(sessions: Sessions, clock: Clock) -> None:
    token = sessions.sign_in_token("visit")
    assert sessions.may_sign_in("visit", token)
    later = f"{int(clock.now) + 9999}.{token.partition('.')[2]}"
    for visit, bad in (("other", token), (None, token), ("visit", None), ("visit", "²."), ("visit", later)):
        assert not sessions.may_sign_in(visit, bad)
    clock.now += 3600
    assert not sessions.may_sign_in("visit", token)


def test_names_are_short_and_printable(sessions: Sessions) -> None:
    assert sessions.open("admin", "  An\nna\x00  ").name == "Anna"
    assert len(sessions.open("admin", "n" * 500).name) == MOST_NAME
