import hashlib
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.privacy import shorten_ip, with_hashed_fields, without_fields


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("203.0.113.77", "203.0.113.0"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
        ("::ffff:203.0.113.77", "203.0.113.0"),  # an IPv4 address as a dual-stack socket writes it
        ("fe80::1%eth0", "fe80::"),
        ("203.0.113.07", None),  # octal to some, decimal to others
        ("203.0.113.256", None),
        ("203.0.113.77\n", None),
        ("unknown", None),
        ("", None),
        (7, None),
        (None, None),
    ],
)
def test_addresses_are_shortened(address: object, kept: str | None):
    assert shorten_ip(address, "truncate") == kept


def test_addresses_are_dropped_or_kept_as_told():
    assert shorten_ip("203.0.113.77", "drop") is None
    assert shorten_ip("203.0.113.77", "keep") == "203.0.113.77"
    assert shorten_ip("not one", "keep") is None


@given(st.ip_addresses())
def test_a_shortened_address_is_the_network_of_the_whole_one(address: ipaddress.IPv4Address | ipaddress.IPv6Address):
    short = shorten_ip(str(address), "truncate")
    plain = getattr(address, "ipv4_mapped", None) or address
    bits = 24 if plain.version == 4 else 48
    assert short == str(ipaddress.ip_network((plain, bits), strict=False).network_address)


MESSAGE = {
    "traits": {"email": "a@b.example", "age": 7},
    "properties": {"products": [{"name": "x", "sku": 1}, {"sku": 2}, 3]},
}


def test_fields_are_dropped_through_objects_and_lists():
    paths = (("traits", "email"), ("properties", "products", "name"), ("none", "such"), ("traits", "age", "deeper"))
    assert without_fields(MESSAGE, paths) == {
        "traits": {"age": 7},
        "properties": {"products": [{"sku": 1}, {"sku": 2}, 3]},
    }
    assert MESSAGE["traits"]["email"] == "a@b.example"  # another event of the batch may share the object


def test_fields_are_hashed_with_the_key():
    made = with_hashed_fields(MESSAGE | {"userId": None}, (("traits", "email"), ("traits", "age"), ("userId",)), b"key")
    expected = [hashlib.blake2b(text, digest_size=16, key=b"key").hexdigest() for text in (b"a@b.example", b"7")]
    assert [made["traits"]["email"], made["traits"]["age"]] == expected
    assert made["userId"] is None
    other = with_hashed_fields(MESSAGE, (("traits", "email"),), b"other")
    assert other["traits"]["email"] != expected[0]
