import pytest

from serving.addresses import Proxies


def scope(client: str | None, *forwarded: str) -> dict:
    headers = [(b"x-forwarded-for", text.encode()) for text in forwarded]
    return {"client": (client, 1) if client else None, "headers": [(b"host", b"x"), *headers]}


@pytest.mark.parametrize(
    ("client", "forwarded", "address"),
    [
        ("203.0.113.7", (), "203.0.113.7"),
        ("203.0.113.7", ("198.51.100.1",), "203.0.113.7"),  # no proxy of ours, so anybody may have written that
        ("10.0.0.1", (), "10.0.0.1"),
        ("10.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        ("10.0.0.1", ("198.51.100.1, 203.0.113.7",), "203.0.113.7"),  # the first is the visitor's own invention
        ("10.0.0.1", ("198.51.100.1, 203.0.113.7, 10.9.9.9",), "203.0.113.7"),
        ("10.0.0.1", ("198.51.100.1", "203.0.113.7"), "203.0.113.7"),
        ("10.0.0.1", ("198.51.100.1:4711",), "198.51.100.1"),
        ("10.0.0.1", ("[2001:db8::7]:443",), "2001:db8::7"),
        ("10.0.0.1", ("unknown",), "10.0.0.1"),
        ("10.0.0.1", ("198.51.100.1, unknown, 10.0.0.2",), "10.0.0.2"),
        ("10.0.0.1", ("10.0.0.3, 10.0.0.2",), "10.0.0.3"),
        ("::ffff:10.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        (None, ("198.51.100.1",), None),
    ],
)
def test_the_last_address_that_no_proxy_of_ours_has(
    client: str | None, forwarded: tuple[str, ...], address: str | None
):
    assert Proxies(("10.0.0.0/8",)).visitor_address(scope(client, *forwarded)) == address


def test_nobody_is_believed_unasked():
    assert Proxies().visitor_address(scope("10.0.0.1", "198.51.100.1")) == "10.0.0.1"
