"""Whether a visitor agreed to be measured, by ``context.consent`` of Segment's specification.

https://segment.com/docs/privacy/consent-management/consent-in-segment-connections/: ``categoryPreferences`` holds
true or false for each category of data processing.
"""

from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from features.checks import plain

AGREES, REFUSES = 0, 1
"""What a context says of consent."""

OPTED_OUT = "opted_out"
"""Why an event or a visitor is left out who does not agree to be measured."""


def opted_out(context: dict[str, Any], categories: tuple[str, ...] = ()) -> bool:
    """Says whether an event's context forbids keeping it.

    Args:
        context: the event's; one without ``consent`` says nothing, and nothing is forbidden.
        categories: those that must not be refused, where consent is stated: one refused or left out forbids. Without
            any, refusing every category forbids.

    Returns:
        True where consent is stated in a form that cannot be read, too.
    """
    consent = context.get("consent")
    if consent is None:
        return False
    preferences = consent.get("categoryPreferences") if isinstance(consent, dict) else None
    if preferences is None and isinstance(consent, dict):
        return False
    if not isinstance(preferences, dict):
        return True
    if categories:
        return not all(preferences.get(category) is True for category in categories)
    return bool(preferences) and not any(value is True for value in preferences.values())


def stated_consent(contexts: pa.Array, categories: tuple[str, ...] = ()) -> pa.Array:
    """Returns int8 (N,): ``REFUSES`` or ``AGREES`` where a context states consent, null where it does not.

    Args:
        contexts: JSON objects as text (N,), or null.
        categories: see ``opted_out``.
    """
    texts = plain(contexts)
    texts = pc.if_else(pc.match_substring(texts, '"consent"'), texts, pa.scalar(None, pa.string())).dictionary_encode()
    found = pa.array([_stated(text, categories) for text in texts.dictionary.to_pylist()], pa.int8())
    return pc.take(found, texts.indices)


def _stated(text: str, categories: tuple[str, ...]) -> int | None:
    try:
        context = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(context, dict) or context.get("consent") is None:
        return None
    return REFUSES if opted_out(context, categories) else AGREES
