"""Manners: turns, backing off, Retry-After; on a clock that only goes on when somebody waits."""

import random

import pytest

from augury.scraping.options import ScrapeError, ScrapeOptions
from augury.scraping.politeness import Manners, RefusedError, asked_to_wait, backoff, may_pass, user_agent
from features.fetching import Fetched, FetchError
from features.strict import FeatureSpecError
from tests.augury.scraping.test_scrape import Waits

NOW_US = 1_790_000_000_000_000  # Mon, 21 Sep 2026 14:13:20 UTC


def manners(waits: Waits, robots: str, asked: list[str] | None = None, rate: float = 2.0) -> Manners:
    def fetch(url: str) -> Fetched:
        (asked if asked is not None else []).append(url)
        return Fetched(url, 200, {}, "text/plain", None, robots.encode(), ())

    return Manners(rate, 60.0, waits.clock, fetch)


def test_each_host_has_its_turns() -> None:
    waits, asked = Waits(), list[str]()
    polite = manners(waits, "", asked)
    for url in ("http://a/1", "http://a/2", "http://b/1", "http://A/3"):
        polite.before(url)
    assert waits.slept == [0.5, 0.5]
    waits.time += 10
    polite.before("http://b/2")
    assert waits.slept == [0.5, 0.5]
    assert asked == ["http://a/robots.txt", "http://b/robots.txt"]


def test_a_robots_txt_is_read_again_after_a_day() -> None:
    waits, asked = Waits(), list[str]()
    polite = manners(waits, "", asked)
    polite.before("http://a/1")
    waits.time += 86_399
    polite.before("http://a/1")
    assert len(asked) == 1
    waits.time += 2
    polite.before("http://a/1")
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [("address_not_allowed", "--allow-private admits a shop on your own network"), ("cannot_connect", "hands off")],
)
def test_a_robots_txt_that_cannot_be_had(reason: str, remedy: str) -> None:
    def fetch(url: str) -> Fetched:
        raise FetchError(reason, url, "")

    with pytest.raises(RefusedError, match=rf"robots.txt cannot be had \({reason}\): {remedy}$"):
        Manners(1.0, 60.0, Waits().clock, fetch).before("http://a/page")


def test_rules_are_those_for_us() -> None:
    waits = Waits()
    polite = manners(waits, "User-agent: *\nDisallow: /\n\nUser-agent: Augury\nDisallow: /no\nRequest-rate: 1/5\n")
    polite.before("http://a/yes")
    polite.before("http://a/yes")
    assert waits.slept == [5.0]
    with pytest.raises(RefusedError, match="http://a/robots.txt disallows it") as caught:
        polite.before("http://a/no?x=1")
    assert caught.value.reason == "robots_disallowed"


def test_retry_after() -> None:
    def said(text: str) -> float | None:
        return asked_to_wait(FetchError("bad_status", "http://a", "", 429, {"retry-after": text}), NOW_US)

    assert said("17") == 17
    assert said("Mon, 21 Sep 2026 14:14:20 GMT") == 60
    assert said("Mon, 21 Sep 2026 14:12:20 GMT") == 0
    assert [said(text) for text in ("", "soon", "-1", "1e9", "9" * 40)] == [None] * 5
    assert asked_to_wait(FetchError("timed_out", "http://a", ""), NOW_US) is None


def test_backing_off() -> None:
    chance = random.Random(1)
    for attempt, full in ((1, 2), (2, 4), (3, 8), (5, 32), (6, 60), (30, 60)):
        waits = [backoff(attempt, chance) for _ in range(200)]
        assert full / 2 <= min(waits) < full * 0.55 and full * 0.95 < max(waits) <= full


def test_what_may_pass() -> None:
    assert all(may_pass(FetchError("bad_status", "", "", status)) for status in (408, 429, 500, 502, 503, 504))
    assert not any(may_pass(FetchError("bad_status", "", "", status)) for status in (400, 401, 403, 404, 410, 501))
    assert may_pass(FetchError("timed_out", "", "")) and may_pass(FetchError("cannot_connect", "", ""))
    assert not may_pass(FetchError("address_not_allowed", "", "")) and not may_pass(RefusedError("x", "y"))


def test_who_we_say_we_are() -> None:
    assert user_agent() == "Augury/0.1.0 (product catalogue)"
    assert user_agent("me@example.org") == "Augury/0.1.0 (product catalogue; me@example.org)"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"output": ""}, "no folder is given to write to; add --output FOLDER, or --dry-run"),
        ({"recipe": ""}, "no recipe is given"),
        ({"contact": "a\r\nX: y"}, "cannot be sent"),
        ({"contact": "ä"}, "cannot be sent"),
        ({"requests_per_second": 0}, "--requests-per-second: 0 is not possible"),
        ({"attempts": 0}, "--attempts: 0 is not possible"),
        ({"max_products": 0}, "--max-products: 0 is not possible"),
        ({"max_bytes": -1}, "--max-bytes: -1 is not possible"),
        ({"timeout_seconds": float("nan")}, "--timeout-seconds: nan is not possible"),
    ],
)
def test_options_that_cannot_be(given: dict[str, object], message: str) -> None:
    with pytest.raises((ScrapeError, FeatureSpecError), match=message):
        ScrapeOptions(**{"recipe": "a.toml", "output": "out", **given})  # type: ignore[arg-type]
