"""The collection end-points of a running service, over HTTP."""

import gzip
import json
import socket
import zlib
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.running_service import ADMIN_KEY, WRITE_KEY, Service, eventually, service

__all__ = ["service"]

NO_KEY = "no key was given; expected a write key as the user name of Basic authentication"


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with service.client() as client:
        yield client


def event(**more: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Clicked", "anonymousId": f"a-{uuid4()}", "messageId": str(uuid4()), **more}


def answer(response: httpx.Response) -> tuple[int, int, dict[str, int], list[tuple[int, str]]]:
    assert response.status_code == 200, response.text
    body = response.json()
    assert body["success"] is True
    rejected = [(item["index"], item["reason"]) for item in body["rejected"]]
    return body["accepted"], body["duplicates"], body["dropped"], rejected


def problem(response: httpx.Response) -> tuple[int, str, str]:
    body = response.json()
    assert (body["code"], body["message"]) == (body["error"], body["detail"])
    assert body["request_id"] == response.headers["x-request-id"]
    return response.status_code, body["error"], body["detail"]


def kept(service: Service, message_id: str) -> dict[str, Any] | None:
    found = [line for line in map(json.loads, service.archived()) if line["messageId"] == message_id]
    assert len(found) <= 1
    return found[0] if found else None


@pytest.mark.parametrize(
    "path",
    "track page screen identify group alias t p s i g a".split(),
)
def test_each_end_point_takes_its_kind(service: Service, client: httpx.Client, path: str):
    sent = event(previousId="p") | {"type": "left to the end-point"}
    assert answer(client.post(f"/v1/{path}", json=sent)) == (1, 0, {}, [])
    kinds = {"t": "track", "p": "page", "s": "screen", "i": "identify", "g": "group", "a": "alias"}
    assert kept(service, sent["messageId"])["type"] == kinds.get(path, path)


@pytest.mark.parametrize("path", ["batch", "b", "import"])
def test_a_batch_is_counted_event_by_event(service: Service, client: httpx.Client, path: str):
    first, second = event(), event()
    batch = [
        first,
        first,
        event(event=None),
        7,
        event(anonymousId="user:1"),
        event(type="nonsense"),
        event(timestamp="yesterday"),
        event(context={"userAgent": "Googlebot/2.1"}),
        event(context={"test": True}),
        event(context={"consent": {"categoryPreferences": {"Analytics": False}}}),
        event(properties={"x": "y" * 33_000}),
        second,
    ]
    rejected = [(2, "no_event_name"), (3, "wrong_type"), (4, "reserved_id"), (5, "unknown_type"), (6, "bad_time")]
    found = answer(client.post(f"/v1/{path}", json={"batch": batch}))
    assert found == (2, 1, {"bot": 1, "test_event": 1, "opted_out": 1}, [*rejected, (10, "too_large")])
    assert kept(service, first["messageId"])
    assert kept(service, second["messageId"])
    assert kept(service, batch[7]["messageId"]) is None
    letters = [json.loads(line) for line in service.archived("rejected")]
    assert {reason for _, reason in rejected} <= {letter["reason"] for letter in letters}
    assert any(letter["reason"] == "bad_time" and batch[6]["messageId"] in letter["row"] for letter in letters)


def test_each_refused_event_says_why_in_words(client: httpx.Client):
    bad = [event(properties={"x": "y" * 33_000}), event(anonymousId=None), event(context=[])]
    body = client.post("/v1/batch", json={"batch": [event(), *bad]}).json()
    details = [item["detail"] for item in body["rejected"]]
    assert details[0].endswith("bytes; expected at most 32768")
    assert details[1:] == ["nobody is named; give an anonymousId or a userId", "context is not a JSON object"]


def test_a_batch_of_bad_events_is_an_error_that_names_each(client: httpx.Client):
    response = client.post("/v1/batch", json={"batch": [event(event=""), event(anonymousId="")]})
    assert problem(response) == (
        400,
        "no_event_name",
        "all 2 events are refused; the first: a track event needs a name; give it as 'event'",
    )
    assert [item["index"] for item in response.json()["rejected"]] == [0, 1]
    assert response.json()["success"] is False


def test_a_single_bad_event_is_an_error(client: httpx.Client):
    assert problem(client.post("/v1/track", json=event(event=None)))[:2] == (400, "no_event_name")
    assert problem(client.post("/v1/track", json=event(x="y" * 33_000)))[:2] == (413, "too_large")


def test_an_event_that_came_before_is_a_duplicate(service: Service, client: httpx.Client):
    sent = event()
    assert answer(client.post("/v1/track", json=sent)) == (1, 0, {}, [])
    assert answer(client.post("/v1/track", json=sent)) == (0, 1, {}, [])
    assert answer(client.post("/v1/track", json=sent | {"anonymousId": "b"})) == (1, 0, {}, [])  # ids are a visitor's


def test_keys_in_every_place_where_libraries_put_them(service: Service):
    with httpx.Client(base_url=service.url) as client:
        assert answer(client.post("/v1/track", json=event(), auth=(WRITE_KEY, ""))) == (1, 0, {}, [])
        assert answer(client.post("/v1/track", json=event(writeKey=WRITE_KEY))) == (1, 0, {}, [])
        assert answer(client.post("/v1/b", json={"batch": [event()], "writeKey": WRITE_KEY})) == (1, 0, {}, [])
        assert answer(client.post(f"/v1/track?writeKey={WRITE_KEY}", json=event())) == (1, 0, {}, [])
        bearer = {"Authorization": f"Bearer {WRITE_KEY}"}
        assert answer(client.post("/v1/track", json=event(), headers=bearer)) == (1, 0, {}, [])


def test_without_a_known_key_nothing_is_taken(service: Service):
    unknown = NO_KEY.replace("no key was given", "the key given is unknown")
    with httpx.Client(base_url=service.url) as client:
        response = client.post("/v1/track", json=event())
        assert problem(response) == (401, "unauthorized", NO_KEY)
        assert response.headers["www-authenticate"].startswith("Basic ")
        for auth in ((ADMIN_KEY, ""), ("", WRITE_KEY), ("x", ""), (f"{WRITE_KEY} ", "")):
            assert problem(client.post("/v1/track", json=event(), auth=auth))[:2] == (401, "unauthorized")
        assert problem(client.post("/v1/track", json=event(writeKey="x"))) == (401, "unauthorized", unknown)
        assert problem(client.post("/v1/track", json=event(writeKey=[WRITE_KEY]))) == (401, "unauthorized", NO_KEY)
        assert problem(client.post("/v1/track?writeKey=x", json=event(writeKey=WRITE_KEY)))[0] == 401
        for header in ("Basic", "Basic !!!", "Basic /w==", "Digest x", "Bearer " + "x" * 3000, ""):
            assert client.post("/v1/track", json=event(), headers={"Authorization": header}).status_code == 401


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b'{"event": NaN}', "not_json"),
        (b'"\xff"', "not_json"),
        (b"[" * 5000, "not_json"),
        (b"[]", "wrong_type"),
        (b"7", "wrong_type"),
    ],
)
def test_what_is_no_json_object(client: httpx.Client, content: bytes, error: str):
    assert problem(client.post("/v1/track", content=content))[:2] == (400, error)


def test_an_event_nested_deeply_is_refused_and_the_others_are_not(client: httpx.Client):
    deep = '{"a":' * 300 + "1" + "}" * 300
    good = json.dumps(event())
    content = f'{{"batch": [{good}, {{"type": "page", "userId": "u", "properties": {deep}}}]}}'
    assert answer(client.post("/v1/batch", content=content)) == (1, 0, {}, [(1, "too_deep")])


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({}, 400, "no_batch"),
        ({"batch": {}}, 400, "no_batch"),
        ({"batch": []}, 400, "empty_batch"),
        ({"batch": [1], "context": 1}, 400, "wrong_type"),
        ({"batch": [1] * 2501}, 413, "too_many_events"),
    ],
)
def test_what_is_no_batch(client: httpx.Client, body: Any, status: int, error: str):
    assert problem(client.post("/v1/batch", json=body))[:2] == (status, error)


def test_gzip(service: Service, client: httpx.Client):
    sent = event()
    zipped = {"Content-Encoding": "gzip"}
    body = gzip.compress(json.dumps(sent).encode())
    assert answer(client.post("/v1/track", content=body, headers=zipped)) == (1, 0, {}, [])
    assert kept(service, sent["messageId"])
    for bad in (b"", b"no gzip", body[:-9], body + body, zlib.compress(b"{}")):
        assert problem(client.post("/v1/track", content=bad, headers=zipped))[:2] == (400, "bad_gzip")
    assert problem(client.post("/v1/track", content=b"", headers={"Content-Encoding": "br"}))[0] == 415


def test_a_gzip_bomb_is_not_unpacked(client: httpx.Client):
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join([*(packer.compress(bytes(1 << 20)) for _ in range(400)), packer.flush()])
    assert len(bomb) < 512_000
    response = client.post("/v1/batch", content=bomb, headers={"Content-Encoding": "gzip"})
    assert problem(response) == (413, "too_large", "the body is larger than 512000 bytes; send less at once")


def test_a_body_that_is_too_large_is_refused_whether_it_says_so_or_not(client: httpx.Client):
    whole = b'{"batch":[' + b" " * 600_000
    assert problem(client.post("/v1/batch", content=whole))[:2] == (413, "too_large")
    parts = (whole[start : start + 10_000] for start in range(0, len(whole), 10_000))
    assert problem(client.post("/v1/batch", content=parts))[:2] == (413, "too_large")
    assert answer(client.post("/v1/track", json=event())) == (1, 0, {}, [])


def _say(service: Service, data: bytes) -> bytes:
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(data)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def test_a_huge_body_is_refused_before_it_is_sent(service: Service):
    head = b"POST /v1/batch?writeKey=test-write-key HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000000\r\n\r\n"
    said = _say(service, head)
    assert said.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in said.lower()


def test_headers_without_end_are_refused(service: Service):
    said = _say(service, b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 70_000)
    assert said.startswith(b"HTTP/1.1 431 ")
    assert json.loads(said.partition(b"\r\n\r\n")[2])["error"] == "headers_too_large"


def test_a_request_that_begins_in_the_same_packet_as_a_large_body_ends_is_no_flood_of_headers(service: Service):
    body = json.dumps({"writeKey": WRITE_KEY, "batch": [event(pad="x" * 25_000) for _ in range(4)]}).encode()
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        head = b"POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
        connection.sendall(head + body + b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
        said = connection.recv(65_536)
        connection.sendall(b"Connection: close\r\n\r\n")
        said += b"".join(iter(lambda: connection.recv(65_536), b""))
    assert (said.count(b"HTTP/1.1 200 "), said.count(b"HTTP/1.1 ")) == (2, 2)


def test_what_is_left_of_an_event_that_is_too_large_says_whose_it_was(service: Service, client: httpx.Client):
    given = {"properties": {"x": "y" * 40_000}, "userId": "the-large-one", "event": "e"}
    assert client.post("/v1/track", json=given).status_code == 413
    [letter] = [line for line in service.archived("rejected") if b"the-large-one" in line]
    assert json.loads(letter)["row"].startswith('{"userId":"the-large-one","properties":')


def test_a_page_may_send_from_anywhere(client: httpx.Client):
    asked = {
        "Origin": "https://shop.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
        "Access-Control-Request-Private-Network": "true",
    }
    allowed = client.options("/v1/t", headers=asked).headers
    assert allowed["access-control-allow-origin"] == "*"
    assert "POST" in allowed["access-control-allow-methods"]
    assert allowed["access-control-allow-headers"] == "authorization,content-type"
    assert allowed["access-control-allow-private-network"] == "true"
    refused = client.post("/v1/t", json={}, headers={"Origin": "https://shop.example"})
    assert refused.status_code == 400
    assert refused.headers["access-control-allow-origin"] == "*"


def test_what_a_page_sends_on_its_way_out(service: Service):
    sent = event(context={"page": {"url": "https://shop.example/"}})
    body = json.dumps({"batch": [sent], "writeKey": WRITE_KEY})
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    headers = {"Content-Type": "text/plain;charset=UTF-8", "Origin": "https://shop.example", "User-Agent": agent}
    with httpx.Client(base_url=service.url, headers=headers) as page:
        assert answer(page.post("/v1/b", content=body)) == (1, 0, {}, [])
    assert kept(service, sent["messageId"])["context"] == sent["context"] | {"userAgent": agent, "ip": "127.0.0.0"}


@pytest.mark.parametrize("header", ["DNT", "Sec-GPC"])
def test_who_does_not_want_to_be_tracked_is_not(service: Service, client: httpx.Client, header: str):
    sent = event()
    assert answer(client.post("/v1/track", json=sent, headers={header: "1"})) == (0, 0, {"do_not_track": 1}, [])
    assert kept(service, sent["messageId"]) is None
    assert answer(client.post("/v1/track", json=sent, headers={header: "0"})) == (1, 0, {}, [])


def test_addresses_are_not_kept_whole_and_nobody_forwards_unasked(service: Service, client: httpx.Client):
    sent, other = event(context={"ip": "203.0.113.77"}), event()
    client.post("/v1/track", json=sent, headers={"X-Forwarded-For": "198.51.100.1"})
    page = {"Origin": "https://x.example", "User-Agent": "Mozilla/5.0 Firefox/140.0"}
    client.post("/v1/track", json=other, headers={"X-Forwarded-For": "198.51.100.1", **page})
    assert kept(service, sent["messageId"])["context"] == {"ip": "203.0.113.0"}
    assert kept(service, other["messageId"])["context"]["ip"] == "127.0.0.0"


def test_measurements_of_the_library_itself_are_taken_and_dropped(service: Service):
    assert httpx.post(f"{service.url}/v1/m", content=b"whatever").json() == {"success": True}


def test_errors_outside_the_end_points_have_the_same_shape(client: httpx.Client):
    assert problem(client.get("/nowhere"))[:2] == (404, "not_found")
    response = client.get("/v1/track")
    assert problem(response)[:2] == (405, "method_not_allowed")
    assert response.headers["allow"] == "POST"


def test_a_request_keeps_a_good_id_and_loses_a_bad_one(client: httpx.Client):
    given = uuid4().hex
    assert client.get("/healthz", headers={"X-Request-ID": given}).headers["x-request-id"] == given
    assert client.get("/healthz", headers={"X-Request-ID": "evil"}).headers["x-request-id"] != "evil"


def test_it_is_alive_ready_and_counted(service: Service, client: httpx.Client):
    assert client.get("/healthz").json() == client.get("/readyz").json() == {"status": "ok"}
    client.post("/v1/track", json=event(context={"userAgent": "Googlebot/2.1"}))
    client.post("/v1/track", content=b"{")
    client.get("/v1/nowhere/secret-visitor?x=secret-query")
    text = client.get("/metrics").text
    assert 'augury_events_total{outcome="accepted",reason=""}' in text
    assert 'augury_events_total{outcome="dropped",reason="bot"}' in text
    assert 'augury_refused_requests_total{reason="not_json"}' in text
    assert 'augury_request_seconds_count{method="POST",route="/v1/track",status="200"}' in text
    assert 'augury_request_seconds_count{method="GET",route="none",status="404"}' in text
    assert "secret" not in text
    eventually(lambda: "augury_store_up 1.0" in client.get("/metrics").text)


def test_the_log_is_json_and_tells_no_secrets(service: Service):
    visitor = f"secret-{uuid4()}"
    with service.client() as client:
        client.post("/v1/track?writeKey=secret-query", json=event(anonymousId=visitor, context={"ip": "203.0.113.77"}))
        client.post("/v1/track", content=b'{"anonymousId": "secret-broken', headers={"X-Request-ID": "secret-id"})
        client.get(f"/nowhere/{visitor}")
    _say(service, b"nonsense secret\r\n\r\n")
    lines = [json.loads(line) for line in list(service.lines)]
    assert lines
    assert all({"time", "level", "logger", "message", "request_id"} <= line.keys() for line in lines)
    text = "".join(service.lines)
    assert not any(secret in text for secret in ("secret", WRITE_KEY, ADMIN_KEY, "203.0.113"))
