"""Images behind an address: only where the settings allow it, and never a way into the own network."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.served_attention import picture, png

IMAGE = png(picture(bright=(30, 20)))


class _Shop(BaseHTTPRequestHandler):
    """Serves an image, a page, and redirects to wherever the query says."""

    asked: list[str] = []  # noqa: RUF012 - one server a module

    def do_GET(self) -> None:
        self.asked.append(self.path)
        path, _, query = self.path.partition("?")
        if path == "/redirect":
            self.send_response(302)
            self.send_header("Location", query)
            self.end_headers()
            return
        body, kind = {"/page.png": (IMAGE, "image/png"), "/text.png": (b"no image", "image/png")}.get(
            path, (b"<html>", "text/html")
        )
        if path == "/large.png":
            body, kind = bytes(200_000), "image/png"
        self.send_response(404 if path == "/missing.png" else 200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Shop) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def fetched(service, url: str, **query: object):
    return service.client.post("/v1/attention/heatmap", params={"url": url, **query})


def test_nothing_is_fetched_unless_a_setting_says_so(start, port: int) -> None:
    before = len(_Shop.asked)
    service = start()
    for url in (f"http://127.0.0.1:{port}/page.png", "https://example.org/a.png", "file:///etc/passwd", ""):
        response = fetched(service, url)
        assert (response.status_code, response.json()["error"]) == (400, "url_not_allowed")
    for query in ({"before_url": "https://example.org/a.png"}, {"after_url": ""}, {"before_url": "", "after_url": ""}):
        response = service.client.post("/v1/attention/compare", params=query)
        assert (response.status_code, response.json()["error"]) == (400, "url_not_allowed")
    assert len(_Shop.asked) == before


def test_an_allowed_image_is_answered_as_if_it_were_sent(start, port: int) -> None:
    service = start(heatmap_url_hosts=("127.0.0.1",), heatmap_url_ports=(port,), heatmap_url_private=True)
    url = f"http://127.0.0.1:{port}/page.png"
    expected = service.heatmap(IMAGE, format="json")
    response = fetched(service, url, format="json")
    assert (response.content, response.headers["ETag"]) == (expected.content, expected.headers["ETag"])
    onward = fetched(service, f"http://127.0.0.1:{port}/redirect?/page.png", format="json")
    assert onward.content == expected.content
    mixed = service.client.post(
        "/v1/attention/compare", params={"before_url": url, "format": "json"}, files={"after": IMAGE}
    )
    assert mixed.json()["moved"] == 0
    two = service.client.post("/v1/attention/heatmap", params={"url": url}, content=IMAGE)
    assert (two.status_code, two.json()["error"]) == (400, "two_images")


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("/text.png", 415, "not_an_image"),
        ("/page.html", 415, "url_wrong_type"),
        ("/missing.png", 422, "url_bad_status"),
        ("/large.png", 413, "url_too_large"),
        ("/redirect?http://localhost/page.png", 400, "url_host_not_allowed"),
        ("/redirect?http://169.254.169.254/latest/meta-data", 400, "url_host_not_allowed"),
        ("/redirect?http://127.0.0.1:1/page.png", 400, "url_port_not_allowed"),
        ("/redirect?file:///etc/passwd", 400, "url_scheme_not_allowed"),
    ],
)
def test_what_is_behind_it_is_not_believed(start, port: int, path: str, status: int, error: str) -> None:
    service = start(
        heatmap_url_hosts=("127.0.0.1",),
        heatmap_url_ports=(port,),
        heatmap_url_private=True,
        heatmap_max_bytes=100_000,
    )
    response = fetched(service, f"http://127.0.0.1:{port}{path}")
    assert (response.status_code, response.json()["error"]) == (status, error)


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("http://127.0.0.1/page.png", "url_address_not_allowed"),
        ("http://localhost/page.png", "url_address_not_allowed"),
        ("http://[::1]/page.png", "url_address_not_allowed"),
        ("http://169.254.169.254/latest/meta-data", "url_address_not_allowed"),
        ("http://10.0.0.1/page.png", "url_address_not_allowed"),
        ("http://127.0.0.1:6379/", "url_port_not_allowed"),
        ("gopher://127.0.0.1/", "url_scheme_not_allowed"),
        ("http://user:secret@127.0.0.1/page.png", "url_bad_url"),
        ("nonsense", "url_scheme_not_allowed"),
    ],
)
def test_private_addresses_are_refused_even_where_every_host_is_allowed(start, url: str, error: str) -> None:
    service = start(heatmap_url_hosts=("*",))
    response = fetched(service, url)
    assert (response.status_code, response.json()["error"]) == (400, error)
    assert "secret" not in response.text


def test_a_host_that_is_not_listed_is_refused(start) -> None:
    service = start(heatmap_url_hosts=("*.example.org",))
    response = fetched(service, "https://example.com/a.png")
    assert (response.status_code, response.json()["error"]) == (400, "url_host_not_allowed")
