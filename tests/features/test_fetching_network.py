"""Whom fetching talks to: names, addresses and certificates, as an attacker would give them."""

import datetime
import socket
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from features.fetching import Fetcher, FetchError, FetchPolicy, fetch
from features.fetching_network import Deadline
from tests.raw_server import local, ok, raw_server, redirect


def test_a_deadline_counts_all_but_pauses() -> None:
    now = [100.0]

    def wait(seconds: float) -> None:
        now[0] += seconds

    deadline = Deadline(lambda: now[0])
    deadline.start(10)
    wait(4)
    assert (deadline.left(), deadline.left(5)) == (6, 5)
    deadline.pause(lambda: wait(1000))
    assert deadline.left() == 6
    wait(5.5)
    assert deadline.left(5) == 0.5
    wait(0.5)
    with pytest.raises(FetchError, match="longer than allowed") as caught:
        deadline.left()
    assert caught.value.reason == "timed_out"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "scheme_not_allowed"),
        ("shop.example.org", "scheme_not_allowed"),
        ("//shop.example.org/", "scheme_not_allowed"),
        ("file:///etc/passwd", "scheme_not_allowed"),
        ("gopher://shop.example.org/", "scheme_not_allowed"),
        ("ftp://shop.example.org/", "scheme_not_allowed"),
        ("data:text/html,hello", "scheme_not_allowed"),
        ("http:///x", "bad_url"),
        ("http://user@shop.example.org/", "bad_url"),
        ("http://user:secret@shop.example.org/", "bad_url"),
        ("http://:@shop.example.org/", "bad_url"),
        ("http://@shop.example.org/", "bad_url"),
        ("http://evil.org\\@shop.example.org/", "bad_url"),
        ("http://shop.example.org\t/", "bad_url"),
        ("http://shop.example.org/\r\nHost: evil", "bad_url"),
        (" http://shop.example.org/", "bad_url"),
        ("http://shop.example.org./", "bad_url"),
        ("http://shop.example.org:99999/", "port_not_allowed"),
        ("http://shop.example.org:x/", "bad_url"),
        ("http://shop.example.org:22/", "port_not_allowed"),
        ("http://shop.example.org:0/", "port_not_allowed"),
        ("http://2130706433/", "bad_url"),
        ("http://0x7f000001/", "bad_url"),
        ("http://017700000001/", "bad_url"),
        ("http://127.1/", "bad_url"),
        ("http://[::1%25lo]/", "bad_url"),
        ("http://[::1/", "bad_url"),
        ("http://shop%2eexample.org/", "bad_url"),
        ("http://evil.org/", "host_not_allowed"),
        ("http://example.org/", "host_not_allowed"),
        ("http://evil-example.org/", "host_not_allowed"),
        ("http://shop.example.org.evil.org/", "host_not_allowed"),
        ("http://evil.org#@shop.example.org/", "host_not_allowed"),
        ("http://evil.org?@shop.example.org/", "host_not_allowed"),
        ("http://1.1.1.1/", "host_not_allowed"),
        ("http://shop.example.org/" + "a" * 2048, "bad_url"),
    ],
)
def test_urls_that_are_refused_before_anything_is_looked_up(url: str, reason: str) -> None:
    asked: list[str] = []
    with Fetcher(
        FetchPolicy(hosts=("*.example.org",)), resolver=lambda host, port: asked.append(host) or []
    ) as fetcher:
        with pytest.raises(FetchError) as caught:
            fetcher.fetch(url)
    assert (caught.value.reason, asked) == (reason, [])
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    "http://127.0.0.1/ http://[::1]/ http://0.0.0.0/ http://[::]/ http://169.254.169.254/latest/meta-data "
    "http://10.0.0.1/ http://[::ffff:127.0.0.1]/ http://[64:ff9b::7f00:1]/ http://[fe80::1]/ http://[fd00:ec2::254]/ "
    "http://224.0.0.1/ "
    "http://[2002:7f00:1::]/ http://100.100.100.200/ http://127。0。0。1/".split(),
)
def test_addresses_that_are_refused_whatever_the_list_of_hosts(url: str) -> None:
    with pytest.raises(FetchError) as caught:
        fetch(url, policy=FetchPolicy(hosts=("*",)))
    assert caught.value.reason == "address_not_allowed"


@pytest.mark.parametrize(
    "answers",
    [
        ["127.0.0.1"],
        ["93.184.215.14", "10.0.0.1"],
        ["10.0.0.1", "93.184.215.14"],
        ["::1"],
        ["fe80::1%lo"],
        ["nonsense"],
    ],
)
def test_a_name_with_one_private_address_is_refused(answers: list[str]) -> None:
    with Fetcher(FetchPolicy(hosts=("*",)), resolver=lambda host, port: answers) as fetcher:
        with pytest.raises(FetchError, match="is, or also is, at an address that is not public") as caught:
            fetcher.fetch("https://shop.example.org/")
    assert caught.value.reason == "address_not_allowed"
    assert not any(address in str(caught.value) for address in answers)


def test_allowing_private_addresses_does_not_allow_the_metadata_of_a_cloud() -> None:
    for url in ("http://169.254.169.254/", "http://0.0.0.0/", "http://[fd00:ec2::254]/"):
        with pytest.raises(FetchError) as caught:
            fetch(url, policy=FetchPolicy(hosts=("*",), allow_private=True))
        assert caught.value.reason == "address_not_allowed"


def test_the_address_that_was_checked_is_the_one_connected_to() -> None:
    """A name server that answers differently each time gains nothing: it is asked once a connection."""
    asked: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    with raw_server({"/": ok(b"hello")}) as server:
        policy = local(server, hosts=("shop.example.org",))
        with Fetcher(policy, resolver=rebinding) as fetcher:
            assert fetcher.fetch(f"http://shop.example.org:{server.port}/").content == b"hello"
        assert f"host: shop.example.org:{server.port}\r\n" in server.requests[0].lower()
        assert asked == ["shop.example.org"]


def test_of_several_addresses_the_next_is_tried() -> None:
    with raw_server({"/": ok(b"hello")}) as server:
        # Nothing listens at 127.0.0.2 on that port.
        with Fetcher(local(server, hosts=("*",)), resolver=lambda host, port: ["127.0.0.2", "127.0.0.1"]) as fetcher:
            assert fetcher.fetch(f"http://shop.example.org:{server.port}/").content == b"hello"


def test_a_name_that_cannot_be_found() -> None:
    def nobody(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    for resolver in (nobody, lambda host, port: []):
        with Fetcher(FetchPolicy(hosts=("*",)), resolver=resolver) as fetcher:
            with pytest.raises(FetchError) as caught:
                fetcher.fetch("http://shop.example.org/")
        assert caught.value.reason == "cannot_resolve"


def test_a_name_server_that_does_not_answer() -> None:
    forever = threading.Event()
    try:
        with Fetcher(
            FetchPolicy(hosts=("*",), timeout_seconds=0.05), resolver=lambda h, p: [str(forever.wait())]
        ) as fetcher:
            with pytest.raises(FetchError, match="looking up shop.example.org took too long") as caught:
                fetcher.fetch("http://shop.example.org/")
        assert caught.value.reason == "timed_out"
    finally:
        forever.set()


def test_nobody_listens() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        policy = FetchPolicy(hosts=("*",), ports=(port,), allow_private=True)
        with pytest.raises(FetchError) as caught:
            fetch(f"http://127.0.0.1:{port}/", policy=policy)
    assert caught.value.reason == "cannot_connect"


_ASKED: list[str] = []
_STRICT = Fetcher(FetchPolicy(hosts=("a.example",)), resolver=lambda host, port: _ASKED.append(host) or [])


@settings(max_examples=500)
@given(st.text(max_size=60), st.sampled_from(["", "http://", "https://", "http://[", "http://a.example", "//"]))
def test_whatever_the_url_nothing_is_looked_up_but_what_is_allowed(text: str, start: str) -> None:
    with pytest.raises(FetchError):
        _STRICT.fetch(start + text)
    assert set(_ASKED) <= {"a.example"}


def _certified(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Returns what a server of that name speaks TLS with, and what believes it."""
    key, day = ec.generate_private_key(ec.SECP256R1()), datetime.timedelta(days=1)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 1, now - day, now + day)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(secret + pem)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "server.pem")
    return server, ssl.create_default_context(cadata=pem.decode())


def test_tls_is_checked_against_the_name_not_the_address(tmp_path: Path) -> None:
    tls, trusted = _certified(tmp_path, "shop.example.org")
    named: list[str | None] = []
    tls.sni_callback = lambda connection, name, context: named.append(name)
    with raw_server({"/": ok(b"hello"), "/down": redirect("http://shop.example.org/")}, tls) as server:
        policy = local(server, hosts=("*",), ports=(server.port, 80))
        with Fetcher(policy, resolver=lambda host, port: ["127.0.0.1"], certificates=trusted) as fetcher:
            assert fetcher.fetch(f"https://shop.example.org:{server.port}/").content == b"hello"
            assert named == ["shop.example.org"]
            for url in (f"https://other.example.org:{server.port}/", f"https://127.0.0.1:{server.port}/"):
                with pytest.raises(FetchError) as caught:
                    fetcher.fetch(url)
                assert caught.value.reason == "bad_certificate"
            with pytest.raises(FetchError, match="from https to http") as caught:
                fetcher.fetch(f"https://shop.example.org:{server.port}/down")
            assert caught.value.reason == "bad_redirect"
        with Fetcher(policy, resolver=lambda host, port: ["127.0.0.1"]) as fetcher:
            with pytest.raises(FetchError) as caught:
                fetcher.fetch(f"https://shop.example.org:{server.port}/")
            assert caught.value.reason == "bad_certificate"
