"""Signing in and out, over HTTP as a browser does it, and what nobody gets without."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.running_service import ADMIN_KEY, WRITE_KEY, Service, running_service, service
from tests.tiny_model import NAME

__all__ = ["service"]  # a fixture

PAGES = ("models", "promotion", "models/behavior/purchase", "behavior", "attention", "creative")
HEADERS = {"sec-fetch-site": "same-origin"}


@contextmanager
def browsing(service: Service, key: str = "", name: str = "") -> Iterator[httpx.Client]:
    """A client that keeps cookies and, given a key, is signed in."""
    with httpx.Client(base_url=service.url, headers=HEADERS) as client:
        if key:
            answer = sign_in(client, key, name)
            assert answer.status_code == 303, answer.text
        yield client


def sign_in(client: httpx.Client, key: str, name: str = "") -> httpx.Response:
    page = client.get("/console/sign-in").text
    token = re.search('name="sign_in_token" value="([^"]+)"', page)
    assert token is not None
    return client.post("/console/sign-in", data={"key": key, "name": name, "sign_in_token": token[1]})


def change_token(client: httpx.Client, path: str) -> str:
    found = re.search('data-change-token="([^"]+)"', client.get(path).text)
    assert found is not None
    return found[1]


def test_without_a_key_there_is_only_the_page_to_sign_in(service: Service) -> None:
    with browsing(service) as client:
        for path in ("/", "/console", *(f"/console/{page}" for page in PAGES)):
            answer = client.get(path)
            assert (answer.status_code, answer.headers["location"]) == (303, "/console/sign-in"), path
            assert answer.content == b""
        assert client.get("/console/session").json() == {"signed_in": False}
        asked = client.get("/console/models", headers={"X-Console": "fragment"})
        assert (asked.status_code, asked.json()["error"]) == (401, "signed_out")


def test_every_answer_has_the_headers_that_keep_others_out(service: Service) -> None:
    with browsing(service, ADMIN_KEY) as client:
        stamp = re.search("/console/static/[0-9a-f]{16}", client.get("/console/models").text)
        assert stamp is not None
        files = (f"{stamp[0]}/console.css", "/console/static/x/no.js")
        for path in ("/", "/console/models", "/console/models/no/such", *files):
            headers = client.get(path).headers
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy, path
            assert "unsafe" not in policy and "http" not in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
        assert client.get("/console/models").headers["cache-control"] == "no-store"
        assert "immutable" in client.get(f"{stamp[0]}/console.css").headers["cache-control"]
        assert client.get("/console/static/x/console.css").headers["cache-control"] == "no-cache"
        assert client.get("/console/static/x/..%2Froutes.py").status_code == 404


def test_signing_in_and_out(service: Service) -> None:
    with browsing(service) as client:
        answer = sign_in(client, ADMIN_KEY, "Anna <b>")
        cookie = next(each for each in answer.headers.get_list("set-cookie") if each.startswith("augury_console="))
        assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Path=/" in cookie and "Max-Age=43200" in cookie
        assert "Secure" not in cookie  # it was asked for over http
        assert ADMIN_KEY not in cookie
        assert client.get("/").headers["location"] == "/console/models"
        assert client.get("/console/session").json() == {"signed_in": True}
        assert "Anna &lt;b&gt;" in client.get("/console/models").text
        assert client.get("/v1/models").status_code == 401  # the API knows keys alone

        for token in ("", "wrong"):
            assert client.post("/console/sign-out", data={"change_token": token}).status_code == 403
        token = change_token(client, "/console/models")
        cross = client.post("/console/sign-out", data={"change_token": token}, headers={"sec-fetch-site": "same-site"})
        assert cross.status_code == 403
        assert client.post("/console/sign-out", data={"change_token": token}).status_code == 303
        assert client.get("/console/session").json() == {"signed_in": False}


def test_the_form_is_for_the_browser_that_asked_for_it(service: Service) -> None:
    with browsing(service) as client, browsing(service) as other:
        page = other.get("/console/sign-in").text
        token = re.search('name="sign_in_token" value="([^"]+)"', page)
        assert token is not None
        answer = client.post("/console/sign-in", data={"key": ADMIN_KEY, "sign_in_token": token[1]})
        assert answer.status_code == 403
        assert "augury_console" not in answer.cookies
        # Two tabs of one browser have forms that both work.
        other.get("/console/sign-in")
        assert other.post("/console/sign-in", data={"key": ADMIN_KEY, "sign_in_token": token[1]}).status_code == 303


def test_what_is_not_there_is_not_found(served: Service) -> None:
    with browsing(served, ADMIN_KEY) as client:
        for path, said in (
            ("behavior/nothing", "there is no behavior/nothing"),
            ("behavior/No+Name", "is no name of a model"),
            (f"behavior/{NAME}/20260101T000000Z-0123456789abcdef", "has no version"),
            (f"behavior/{NAME}/20260101T000000Z-0123456789abcdef/promote", "has no version"),
            (f"behavior/{NAME}/compare?first=a&second=b", "has no version"),
        ):
            answer = client.get(f"/console/models/{path}")
            assert answer.status_code == 404 and said in answer.text, path


def test_the_page_to_promote_names_every_gate(served: Service) -> None:
    with browsing(served, ADMIN_KEY) as client:
        found = re.search(
            f'href="(/console/models/behavior/{NAME}/[0-9]{{8}}T[^"]+)"', client.get("/console/models").text
        )
        assert found is not None
        told = client.get(f"{found[1]}/promote").text
    for said in ("at least 0.55", "at most 0.02", "golden set", "surely worse than the champion by more than 0.02"):
        assert said in told


def test_bad_forms(service: Service) -> None:
    with browsing(service) as client:
        assert client.post("/console/sign-in", json={}).status_code == 415
        assert client.post("/console/sign-in", data={"key": "x" * 20_000}).status_code == 413
        many = "&".join(f"a{number}=1" for number in range(60))
        form = {"content-type": "application/x-www-form-urlencoded"}
        assert client.post("/console/sign-in", content=many, headers=form).status_code == 400
        assert client.post("/console/sign-in", content=b"\xff", headers=form).status_code == 400


def test_a_write_key_sees_what_it_may(service: Service) -> None:
    with browsing(service, WRITE_KEY) as client:
        assert client.get("/").headers["location"] == "/console/attention"
        for page in ("models", "promotion", "models/behavior/purchase", "behavior"):
            answer = client.get(f"/console/{page}")
            assert answer.status_code == 403
            assert "needs an admin key" in answer.text
            assert 'href="/console/models"' not in answer.text


def test_wrong_keys_are_counted_and_in_no_log(tmp_path: Path) -> None:
    with running_service(tmp_path / "state") as service, browsing(service) as client:
        for _ in range(5):
            answer = sign_in(client, "wrong-key-of-mine")
            assert answer.status_code == 401
            assert "wrong-key-of-mine" not in answer.text
        answer = sign_in(client, ADMIN_KEY)
        assert answer.status_code == 429
        assert 290 < int(answer.headers["retry-after"]) <= 300
        service.stop()
        logged = "".join(service.lines)
        for secret in ("wrong-key", ADMIN_KEY, WRITE_KEY, "augury_console"):
            assert secret not in logged


def test_behind_a_proxy_with_https_the_cookie_is_for_https_alone(tmp_path: Path) -> None:
    settings = {"AUGURY_TRUSTED_PROXIES": "127.0.0.1/32"}
    with running_service(tmp_path / "state", settings) as service, httpx.Client(base_url=service.url) as client:
        client.headers["X-Forwarded-Proto"] = "https"
        answer = client.get("/console/sign-in")
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-augury_sign_in=") and "Secure" in cookie and "Domain" not in cookie
        plain = client.get("/console/sign-in", headers={"X-Forwarded-Proto": "https, http"})
        assert plain.headers["set-cookie"].startswith("augury_sign_in=")


def test_an_open_line_is_told_of(service: Service) -> None:
    with httpx.Client(base_url=service.url) as client:
        assert "not encrypted" not in client.get("/console/sign-in").text
        assert "not encrypted" in client.get("/console/sign-in", headers={"Host": "shop.example"}).text


def test_the_console_can_be_switched_off(tmp_path: Path) -> None:
    with running_service(tmp_path / "state", {"AUGURY_CONSOLE": "false"}) as service:
        for path in ("/", "/console", "/console/sign-in", "/console/static/x/console.css"):
            answer = httpx.get(f"{service.url}{path}")
            assert (answer.status_code, answer.json()["error"]) == (404, "not_found")
        assert not (tmp_path / "state" / "console.key").exists()


def test_without_a_registry_the_page_says_what_to_do(service: Service) -> None:
    with browsing(service, ADMIN_KEY) as client:
        page = client.get("/console/models").text
        assert "AUGURY_REGISTRY=registry augury serve" in page
        assert client.get("/console/models/behavior/purchase").status_code == 404


@pytest.mark.parametrize("path", ["/console/models", "/console/promotion"])
def test_the_console_is_not_in_the_document_of_the_api(service: Service, path: str) -> None:
    assert path not in httpx.get(f"{service.url}/openapi.json").json()["paths"]
