"""Hashed e-mail addresses and user ids, as ad platforms take lists of customers.

Google's Customer Match (``hashed_email`` of https://developers.google.com/google-ads/api/reference/rpc/v24/UserIdentifier)
and Meta's Custom Audiences (https://developers.facebook.com/docs/marketing-api/custom-audience-api, "Hashing and
Normalizing Data") want the same of an address: no white space around it, lower case, then the SHA-256 of the UTF-8
text as lower-case hexadecimal.
"""

import hashlib
import re
from collections.abc import Sequence

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from features.checks import plain

_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")
_IDENTIFY = "identify"


def hash_id(text: str) -> str:
    """Returns the SHA-256, in lower-case hexadecimal, of an id without the white space around it, in lower case."""
    return hashlib.sha256(text.strip().lower().encode("utf-8", "surrogatepass")).hexdigest()


def hash_email(text: object) -> str | None:
    """Returns ``hash_id`` of an e-mail address; None of what is none, such as one that collection has hashed."""
    if not isinstance(text, str) or not _EMAIL.fullmatch(text.strip()):
        return None
    return hash_id(text)


def hashed_emails(events: pa.RecordBatch) -> pa.Array:
    """Returns the hash of the ``email`` among the traits of each ``identify`` event, null for all others, (N,) text.

    Args:
        events: with ``type`` and ``properties``, where the traits of an ``identify`` are.
    """
    identify = pc.equal(plain(events.column("type")), _IDENTIFY)
    texts = pc.if_else(identify, plain(events.column("properties")), pa.scalar(None, pa.string())).dictionary_encode()
    found = pa.array(_hashes(texts.dictionary.to_pylist()), pa.string())
    return pc.take(found, texts.indices)


def _hashes(texts: Sequence[str]) -> list[str | None]:
    found = []
    for text in texts:
        try:
            traits = orjson.loads(text)
        except orjson.JSONDecodeError:
            traits = None
        found.append(hash_email(traits.get("email")) if isinstance(traits, dict) else None)
    return found
