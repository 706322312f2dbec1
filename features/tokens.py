"""Tokens: the strings that a hash field of one event contributes to its hash buckets.

A token is ``<field>=<value>``, so that the path ``/cart`` and the event ``/cart`` set different buckets. What is null,
empty or absent gives no token.
"""

from collections.abc import Iterable, Sequence
from itertools import islice

import orjson

from features.hashing import bucket_of
from features.urls import Url, parse_url


def column_tokens(column: str, fields: Sequence[str], text: str | None, most: int) -> list[str]:
    """Returns the tokens of one value of an event column, in the order of the fields.

    Args:
        column: the event column, which every field belongs to.
        fields: hash fields, e.g. ``("url.path", "url.query_keys")``.
        text: the column's value; None where null.
        most: most tokens of one field; the first distinct ones are kept.
    """
    if text is None or not fields:
        return []
    if column in ("url", "referrer"):
        url = parse_url(text)
        values = [url_values(url, field.partition(".")[2]) for field in fields]
    elif column == "properties":
        given = _object(text)
        values = [property_values(given.get(field.partition(".")[2])) for field in fields]
    else:
        values = [(text,) for _ in fields]
    return [
        f"{field}={value}"
        for field, found in zip(fields, values, strict=True)
        for value in islice(dict.fromkeys(filter(None, found)), most)
    ]


def column_buckets(column: str, fields: Sequence[str], text: str | None, most: int, size: int, seed: int) -> list[int]:
    """Returns the sorted distinct buckets of ``column_tokens``."""
    return sorted({bucket_of(token, size, seed) for token in column_tokens(column, fields, text, most)})


def url_values(url: Url, part: str) -> Iterable[str]:
    """Returns the values of one part of a URL; a campaign tag is ``<key>=<value>``."""
    if part == "host":
        return (url.host,)
    if part == "path":
        return (url.path,)
    if part == "segments":
        return url.segments
    if part == "query_keys":
        return url.query_keys
    return [f"{key}={value}" for key, value in url.campaign]


def property_values(value: object) -> Iterable[str]:
    """Returns the values of one property: a string, a number or a boolean is one, a list of them several, else none.

    A whole number reads the same with or without its decimal point.
    """
    if isinstance(value, list):
        return [text for item in value if not isinstance(item, list) for text in property_values(item)]
    if isinstance(value, bool):
        return ("true" if value else "false",)
    if isinstance(value, float) and value.is_integer():
        return (str(int(value)),)
    return (str(value),) if isinstance(value, (str, int, float)) else ()


def _object(text: str) -> dict[str, object]:
    try:
        given = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return given if isinstance(given, dict) else {}
