"""Hashes as ad platforms take them."""

import hashlib

import orjson
import pytest

from features.contacts import hash_email, hash_id, hashed_emails
from features.segment import adapt_messages
from tests.transforms.streams import track


def test_the_hash_is_that_of_the_trimmed_lower_case_text() -> None:
    # printf %s ada@example.com | sha256sum
    assert hash_email("  Ada@Example.COM\n") == hashlib.sha256(b"ada@example.com").hexdigest()
    assert hash_id(" User-7 ") == hashlib.sha256(b"user-7").hexdigest()
    assert hash_id("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-4


@pytest.mark.parametrize("text", [None, 7, "", "ada", "ada at example.com", "a@b@c", "a b@c.de", "0f" * 16, "@x.de"])
def test_what_is_no_address_has_no_hash(text: object) -> None:
    assert hash_email(text) is None


def test_identify_events_tell_addresses_others_do_not() -> None:
    calls = [
        {**track("a", "m1", 1, userId="7", traits={"email": "Ada@example.com"}), "type": "identify"},
        {**track("a", "m2", 1, userId="7", traits={"name": "Ada"}), "type": "identify"},
        track("a", "m3", 1, properties={"email": "other@example.com"}),
        {**track("a", "m4", 1, userId="7"), "type": "identify"},
    ]
    events = adapt_messages(calls, [orjson.dumps(call) for call in calls], "test").events
    assert hashed_emails(events).to_pylist() == [hashlib.sha256(b"ada@example.com").hexdigest(), None, None, None]
    assert hashed_emails(events.slice(0, 0)).to_pylist() == []
