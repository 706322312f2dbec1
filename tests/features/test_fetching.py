"""Fetching against real servers on loopback that answer as they should, and as an attacker would."""

import contextlib
import gzip
import socket
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.fetching import REASONS, Fetched, Fetcher, FetchError, fetch
from tests.raw_server import RawServer, local, ok, raw_server, redirect


def got(server: RawServer, path: str = "/", **more: object) -> Fetched:
    return fetch(f"http://127.0.0.1:{server.port}{path}", policy=local(server, **more))


def refused(server: RawServer, path: str = "/", **more: object) -> FetchError:
    with pytest.raises(FetchError) as caught:
        got(server, path, **more)
    assert caught.value.reason in REASONS
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_page() -> None:
    with raw_server(
        {"/a?b=c": ok(b"hello", 'Text/HTML; a=b; Charset="UTF-8"', "ETag: x", "Via: 1", "Via: 2")}
    ) as server:
        found = got(server, "/a?b=c#top")
        assert found.url == f"http://127.0.0.1:{server.port}/a?b=c"
        assert (found.status, found.media_type, found.charset) == (200, "text/html", "utf-8")
        assert (found.content, found.redirects) == (b"hello", ())
        assert (found.headers["etag"], found.headers["via"]) == ("x", "1, 2")
        [request] = server.requests
        sent = dict(line.lower().split(": ", 1) for line in request.splitlines()[1:] if line)
        assert sent.pop("user-agent").startswith("augury")
        assert sent == {"host": f"127.0.0.1:{server.port}", "accept": "*/*", "accept-encoding": "gzip"}


def test_own_headers_are_sent_but_not_those_that_belong_to_the_protocol() -> None:
    with raw_server({"/": ok(b"")}) as server:
        given = {"User-Agent": "me", "Host": "evil", "Transfer-Encoding": "chunked", "If-None-Match": '"1"'}
        fetch(f"http://127.0.0.1:{server.port}/", policy=local(server), headers=given)
        [request] = server.requests
        assert "user-agent: me\r\n" in request and 'if-none-match: "1"\r\n' in request
        assert "evil" not in request and "chunked" not in request


def test_redirects_are_followed_and_told() -> None:
    answers = {"/1": redirect("2?x=1"), "/2?x=1": redirect("/3#top", 308), "/3": ok(b"there")}
    with raw_server(answers) as server:
        found = got(server, "/1")
        here = f"http://127.0.0.1:{server.port}"
        assert (found.content, found.url, found.redirects) == (b"there", f"{here}/3", (f"{here}/1", f"{here}/2?x=1"))


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://169.254.169.254/latest/meta-data", "host_not_allowed"),
        ("http://evil.org/", "host_not_allowed"),
        ("file:///etc/passwd", "scheme_not_allowed"),
        ("//user@127.0.0.1/", "bad_url"),
        ("http://127.0.0.1:22/", "port_not_allowed"),
        ("http://127.0.0.1:99999999/", "port_not_allowed"),
        ("http://[::1", "bad_redirect"),
        ("http://2130706433/", "bad_url"),
        ("", "too_many_redirects"),
        ("/loop", "too_many_redirects"),
    ],
)
def test_redirects_are_checked_like_the_first_url(location: str, reason: str) -> None:
    with raw_server({"/loop": redirect(location)}) as server:
        assert refused(server, "/loop").reason == reason
        assert server.connections == (6 if reason == "too_many_redirects" else 1)


def test_a_redirect_to_a_private_address_is_refused_though_every_host_is_allowed() -> None:
    with raw_server({"/": redirect("http://169.254.169.254/")}) as server:
        assert refused(server, hosts=("*",), ports=(server.port, 80)).reason == "address_not_allowed"


def test_another_origin_does_not_learn_what_was_meant_for_the_first() -> None:
    with raw_server({"/": ok(b"there")}) as second:
        with raw_server({"/": redirect(f"http://127.0.0.1:{second.port}/")}) as first:
            policy = local(first, ports=(first.port, second.port))
            given = {"Authorization": "Bearer x", "Cookie": "a=b", "User-Agent": "me"}
            assert fetch(f"http://127.0.0.1:{first.port}/", policy=policy, headers=given).content == b"there"
        assert "Bearer x" in first.requests[0] and "a=b" in first.requests[0]
        assert "Bearer" not in second.requests[0] and "a=b" not in second.requests[0]
        assert "user-agent: me" in second.requests[0]


def test_cookies_are_forgotten_and_proxies_of_the_environment_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_server({}) as proxy, raw_server({"/": ok(b"", "text/html", "Set-Cookie: a=b")}) as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        with Fetcher(local(server)) as fetcher:
            for _ in range(2):
                fetcher.fetch(f"http://127.0.0.1:{server.port}/")
        assert proxy.connections == 0
        assert not any("cookie" in request.lower() for request in server.requests)


def test_a_kept_connection_that_was_closed_is_made_anew() -> None:
    def once(connection: socket.socket) -> None:
        connection.sendall(ok(b"a"))
        if server.connections == 1:
            connection.recv(65536)  # the next request, which is left without an answer

    with raw_server({"/": once}) as server, Fetcher(local(server)) as fetcher:
        contents = [fetcher.fetch(f"http://127.0.0.1:{server.port}/").content for _ in range(2)]
        assert (contents, server.connections) == ([b"a", b"a"], 2)


def test_a_new_connection_that_breaks_is_not_tried_again() -> None:
    with raw_server({"/": b""}) as server:
        assert refused(server).reason == "broken_answer"
        assert server.connections == 1


def test_a_body_is_taken_up_to_its_limit() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"5\r\nabcde\r\n" * 3 + b"0\r\n\r\n"
    until_closed = b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * 15
    claims = b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n"
    answers = {"/fits": ok(b"a" * 15), "/chunked": chunked, "/closed": until_closed, "/claims": claims}
    with raw_server(answers) as server:
        for path in ("/fits", "/chunked", "/closed"):
            assert len(got(server, path, max_bytes=15).content) == 15
            assert refused(server, path, max_bytes=14).reason == "too_large"
        assert refused(server, "/claims").reason == "too_large"


def _pour(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"10000\r\n" + b"a" * 65536 + b"\r\n")


def test_an_endless_body_ends_at_the_limit() -> None:
    with raw_server({"/": _pour}) as server:
        assert refused(server, max_bytes=1 << 20).reason == "too_large"


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffff;",
    ],
)
def test_an_answer_that_drips_ends_at_the_deadline(start: bytes) -> None:
    over = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(start)
        while not over.wait(0.01):
            connection.sendall(b"a" if start else b"HTTP/1.1 103 Early\r\n\r\n")

    with raw_server({"/": drip}) as server:
        try:
            assert refused(server, timeout_seconds=0.2).reason == "timed_out"
        finally:
            over.set()


def test_a_silent_server_ends_at_the_deadline() -> None:
    over = threading.Event()
    with raw_server({"/": lambda connection: over.wait() and None}) as server:
        assert refused(server, timeout_seconds=0.1).reason == "timed_out"
        over.set()


def test_a_redirect_to_nowhere() -> None:
    with raw_server({"/": b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"}) as server:
        assert refused(server).reason == "bad_redirect"


def test_what_is_done_before_a_hop_may_refuse_it() -> None:
    seen: list[str] = []

    def refuse(url: str) -> None:
        seen.append(url)
        if url.endswith("/2"):
            raise LookupError(url)

    with raw_server({"/": redirect("/2"), "/2": ok(b"there")}) as server:
        with Fetcher(local(server), before_hop=refuse) as fetcher, pytest.raises(LookupError):
            fetcher.fetch(f"http://127.0.0.1:{server.port}/")
        assert server.connections == 1
        assert [url.rpartition("/")[2] for url in seen] == ["", "2"]


def test_compressed_answers() -> None:
    small, bomb = gzip.compress(b"hello"), gzip.compress(bytes(50_000_000))
    answers = {
        "/small": ok(small, "text/html", "Content-Encoding: GZIP"),
        "/bomb": ok(bomb, "text/html", "Content-Encoding: gzip"),
        "/short": ok(small[:-9], "text/html", "Content-Encoding: gzip"),
        "/not": ok(b"hello", "text/html", "Content-Encoding: gzip"),
        "/br": ok(b"hello", "text/html", "Content-Encoding: br"),
        "/twice": ok(gzip.compress(bomb), "text/html", "Content-Encoding: gzip, gzip"),
    }
    with raw_server(answers) as server:
        assert got(server, "/small").content == b"hello"
        assert refused(server, "/bomb", max_bytes=1 << 20).reason == "too_large"
        assert refused(server, "/short").reason == "broken_answer"
        assert refused(server, "/not").reason == "broken_answer"
        assert refused(server, "/br").reason == "wrong_encoding"
        assert refused(server, "/twice").reason == "wrong_encoding"


def test_types() -> None:
    with raw_server(
        {"/": ok(b"", "image/PNG; a=b"), "/none": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}
    ) as server:
        for kinds in (("image/png",), ("image/*",), ("*/*",), ("text/html", "image/png")):
            assert got(server, content_types=kinds).media_type == "image/png"
        error = refused(server, content_types=("text/html", "image/jpeg"))
        assert (error.reason, error.status) == ("wrong_type", 200)
        assert "it says it is 'image/png'; expected text/html, image/jpeg" in str(error)
        assert refused(server, "/none", content_types=("text/html",)).reason == "wrong_type"


def test_statuses() -> None:
    busy = b"HTTP/1.1 429 Busy\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy"
    answers = {"/429": busy, "/304": b"HTTP/1.1 304 Same\r\nETag: x\r\n\r\n", "/204": b"HTTP/1.1 204 No\r\n\r\n"}
    with raw_server(answers) as server:
        error = refused(server, "/429")
        assert (error.reason, error.status, error.headers["retry-after"]) == ("bad_status", 429, "7")
        assert refused(server, "/none").status == 404
        assert refused(server, "/204").status == 204
        found = got(server, "/304", statuses=(200, 304), content_types=("image/png",))
        assert (found.status, found.content, found.headers["etag"]) == (304, b"", "x")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\0\1\2",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 300_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX y\r\n\r\n",
        b"HTTP/1.1 999999 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
    ],
)
def test_what_is_no_proper_http_is_refused(answer: bytes) -> None:
    with raw_server({"/": answer}) as server:
        assert refused(server).reason in ("broken_answer", "bad_status")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.binary(max_size=200), st.booleans())
def test_whatever_is_answered_a_fetch_error_is_all_that_comes_of_it(tail: bytes, header: bool) -> None:
    start = b"HTTP/1.1 200 OK\r\n" if header else b"HTTP/1.1 "
    with raw_server({"/": start + tail}) as server, contextlib.suppress(FetchError):
        got(server)
