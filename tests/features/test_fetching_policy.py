"""What a fetch policy may say."""

import re

import pytest

from features.fetching_policy import FetchError, FetchPolicy, shown_url
from features.strict import FeatureSpecError


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"hosts": ()}, "fetching.hosts: nothing is listed; name at least one"),
        ({"hosts": "a.org"}, "fetching.hosts: 'a.org' is not possible; expected a list of strings"),
        ({"hosts": ("A.org",)}, "fetching.hosts: 'A.org' is no host; expected a name"),
        ({"hosts": ("http://a.org",)}, "fetching.hosts: 'http://a.org' is no host"),
        ({"hosts": ("a.org:80",)}, "fetching.hosts: 'a.org:80' is no host"),
        ({"hosts": ("*.1.2.3.4",)}, "fetching.hosts: '*.1.2.3.4' is no host"),
        ({"hosts": ("*a.org",)}, "fetching.hosts: '*a.org' is no host"),
        ({"hosts": ("",)}, "fetching.hosts: '' is no host"),
        ({"schemes": ("ftp",)}, "fetching.schemes: 'ftp' is unknown; expected one of http, https"),
        ({"ports": (0,)}, "fetching.ports: 0 is not possible; expected an integer from 1 to 65535"),
        ({"content_types": ("png",)}, "fetching.content_types: 'png' is no media type; expected one as image/png"),
        ({"max_bytes": 0}, "fetching.max_bytes: 0 is not possible; expected an integer at least 1"),
        ({"timeout_seconds": 0}, "fetching.timeout_seconds: 0 is not possible"),
        ({"timeout_seconds": float("inf")}, "fetching.timeout_seconds: inf is not possible"),
        ({"max_redirects": -1}, "fetching.max_redirects: -1 is not possible; expected an integer from 0 to 20"),
        ({"statuses": (101,)}, "fetching.statuses: 101 is not possible"),
    ],
)
def test_impossible_policies_are_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(FeatureSpecError, match=re.escape(message)):
        FetchPolicy(**{"hosts": ("a.org",), **given})  # type: ignore[arg-type]


def test_hosts() -> None:
    policy = FetchPolicy(hosts=("a.org", "*.b.org", "1.2.3.4", "::1"))
    hosts = ["a.org", "x.b.org", "y.x.b.org", "1.2.3.4", "::1", "b.org", "xb.org", "x.a.org", "b.org.c", "1.2.3.5"]
    assert [policy.allows_host(host) for host in hosts] == [True] * 5 + [False] * 5
    assert FetchPolicy(hosts=("*",)).allows_host("any")


def test_names_of_other_alphabets_are_compared_as_they_are_looked_up() -> None:
    policy = FetchPolicy(hosts=("xn--mnchen-3ya.de",))
    assert str(policy.check_url("https://MÜNCHEN.de/a b")) == "https://xn--mnchen-3ya.de/a%20b"
    with pytest.raises(FetchError):
        policy.check_url("https://munchen.de/")


def test_urls_are_shown_in_one_line_without_passwords() -> None:
    assert shown_url("http://user:secret@a.org/x\n\x1b[31m") == "http://a.org/x??[31m"
    assert shown_url("http://a.org/" + "a" * 300) == "http://a.org/" + "a" * 187 + "..."
