"""The address check against Python's own registries and against lists made by hand."""

import ipaddress
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from features.public_addresses import allowed_address, is_name, literal_address

PUBLIC = """1.1.1.1 8.8.8.8 93.184.215.14 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 172.15.255.255 172.32.0.0
    192.167.255.255 192.169.0.0 169.253.255.255 169.255.0.0 223.255.255.255 11.0.0.0 9.255.255.255 168.63.129.15
    2606:4700::1111 2a00:1450:4001:80b::200e 2001:4860:4860::8888 2400::1 ::ffff:8.8.8.8 64:ff9b::8.8.8.8""".split()
PRIVATE = """127.0.0.1 127.255.255.254 10.0.0.0 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 100.64.0.1
    100.127.255.255 ::1 fc00::1 fdff::1 ::ffff:127.0.0.1 ::ffff:10.1.2.3 64:ff9b::192.168.1.1 64:ff9b::7f00:1""".split()
NEVER = """0.0.0.0 0.1.2.3 169.254.169.254 169.254.0.1 192.0.0.192 192.0.2.1 198.18.0.1 198.51.100.7 203.0.113.9
    224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 100.100.100.200 168.63.129.16 :: ::2 ::127.0.0.1 fe80::1
    fe80::1%lo fec0::1 ff02::1 ff0e::1 2001:db8::1 3fff::1 2001::1 2002:7f00:1:: 2002:808:808:: 64:ff9b:1::1 100::1
    fd00:ec2::254 fd20:ce::254 ::ffff:169.254.169.254 ::ffff:0.0.0.0 64:ff9b::169.254.169.254 5f00::1 4000::1""".split()


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_are_allowed(text: str) -> None:
    assert allowed_address(ip_address(text))
    assert allowed_address(ip_address(text), allow_private=True)


@pytest.mark.parametrize("text", PRIVATE)
def test_private_addresses_are_allowed_when_asked_for(text: str) -> None:
    assert not allowed_address(ip_address(text))
    assert allowed_address(ip_address(text), allow_private=True)


@pytest.mark.parametrize("text", NEVER)
def test_what_nobody_should_be_sent_to_is_never_allowed(text: str) -> None:
    assert not allowed_address(ip_address(text))
    assert not allowed_address(ip_address(text), allow_private=True)


_EDGES = [int(block[edge]) for block in map(ipaddress.ip_network, ["10.0.0.0/8", "172.16.0.0/12"]) for edge in (0, -1)]


@given(st.one_of(st.integers(0, 2**32 - 1), st.sampled_from(_EDGES)).map(IPv4Address))
@example(IPv4Address("169.254.169.254"))
def test_what_python_does_not_take_for_global_is_refused(address: IPv4Address) -> None:
    if not address.is_global or address.is_multicast or address.is_reserved:
        assert not allowed_address(address)
    if not (address.is_private or address.is_loopback) and address.is_global and not address.is_multicast:
        assert allowed_address(address) or str(address).startswith(("192.", "168.63.129.16"))
    assert allowed_address(IPv6Address(f"::ffff:{address}")) == allowed_address(address)
    assert allowed_address(IPv6Address(f"64:ff9b::{address}")) == allowed_address(address)


@given(st.integers(0, 2**128 - 1).map(IPv6Address))
def test_of_ipv6_only_global_unicast_is_allowed(address: IPv6Address) -> None:
    if allowed_address(address) and address.ipv4_mapped is None and int(address) >> 32 != 0x64FF9B << 64:
        assert address.is_global and int(address) >> 125 == 1
        assert address.sixtofour is None and address.teredo is None


@pytest.mark.parametrize(
    "host",
    [
        *"2130706433 0x7f.1 0x7f000001 017700000001 0177.0.0.1 127.1 1.2.3.4 a.1 a.0x a.0xff a. . .a a..b -a a- a_b! "
        "a%2e exa\\mple münchen ::1 [::1] a:80 A.ORG".split(),
        *("", " ", "a b", "a" * 64, "a." * 127 + "ab"),
    ],
)
def test_what_a_resolver_might_take_for_an_address_is_no_name(host: str) -> None:
    assert not is_name(host)


@pytest.mark.parametrize("host", ["a", "localhost", "shop.example.org", "xn--mnchen-3ya.de", "1a.2b.org", "_x.a_b.de"])
def test_names(host: str) -> None:
    assert is_name(host)
    assert literal_address(host) is None


def test_only_full_addresses_are_literals() -> None:
    assert literal_address("127.0.0.1") == IPv4Address("127.0.0.1")
    assert literal_address("::1") == IPv6Address("::1")
    assert [literal_address(host) for host in ("0177.0.0.1", "127.1", "2130706433", "1.2.3.4.", "[::1]")] == [None] * 5
