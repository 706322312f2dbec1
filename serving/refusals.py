"""What a refused event's reason means, for the people who read the answer."""

from dataclasses import dataclass

from features import checks


@dataclass(frozen=True, order=True)
class Rejected:
    """An event of a request that is none.

    Attributes:
        index: its place in the batch, 0 for the only one.
        reason: a word.
        detail: what was expected.
    """

    index: int
    reason: str
    detail: str


_DETAILS = {
    checks.NOT_UTF8: "the event is not UTF-8",
    checks.NOT_JSON: "the event is not JSON",
    checks.TOO_LARGE: "the event is larger than 32 KB; send fewer properties",
    checks.TOO_DEEP: "the event is nested too deeply; flatten its properties",
    checks.WRONG_TYPE: "a field has a value of another type: ids, type and event are texts; "
    "properties, traits and context are objects",
    checks.UNKNOWN_TYPE: f"the type is unknown; expected one of {', '.join(checks.EVENT_TYPES)}",
    checks.NO_EVENT_NAME: "a track event needs a name; give it as 'event'",
    checks.NO_VISITOR_ID: "nobody is named; give an anonymousId or a userId",
    checks.NO_TIME: "the event has no time",
    checks.BAD_TIME: "the timestamp cannot be read; expected ISO 8601, e.g. 2026-01-31T12:00:00.000Z",
    checks.ABSURD_TIME: "the time is before 2000 or more than a day ahead; check the clock and sentAt",
}


def detail_of(reason: str) -> str:
    """Returns a sentence about a reason of ``features.checks.REASONS``."""
    return _DETAILS.get(reason, reason.replace("_", " "))
