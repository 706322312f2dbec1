"""Whether a visitor agreed to be measured, by ``context.consent`` of Segment's specification.

https://segment.com/docs/privacy/consent-management/consent-in-segment-connections/: ``categoryPreferences`` holds
true or false for each category of data processing.
"""

from typing import Any


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
