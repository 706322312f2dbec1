"""Every visitor's most recent events in a fast store: what the service and the pipelines write and read alike.

Both write through this module, so that both leave the same bytes. No server is talked to but through the client that
is handed in.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import pyarrow as pa

from features.recent_calls import PREVIOUS_ID, Call, push_calls, read_push
from features.recent_rows import decode_events, encode_events
from features.recent_rules import (
    MAX_ID_BYTES,
    RESERVED_PREFIX,
    Forgotten,
    PushCounts,
    Recent,
    RecentEventsError,
    RecentRules,
)

__all__ = [
    "MAX_ID_BYTES",
    "PREVIOUS_ID",
    "RESERVED_PREFIX",
    "Client",
    "Forgotten",
    "PushCounts",
    "Recent",
    "RecentEventsError",
    "RecentRules",
    "decode_events",
    "encode_events",
    "push_events",
]


class Client(Protocol):
    """The part of ``redis.Redis`` that is used here; ``decode_responses`` must be off."""

    def execute_command(self, *args: Any) -> Any: ...

    def pipeline(self, transaction: bool = True) -> Any: ...


def _run(client: Client, calls: Sequence[Call]) -> list[Any]:
    """Runs calls in one round trip, and once more where the server does not know the script yet.

    Raises:
        Exception: whatever the client raises, or the server answers.
    """
    pipeline = client.pipeline(transaction=False)
    for call in calls:
        pipeline.execute_command(*call.command)
    answers = pipeline.execute(raise_on_error=False)
    missing = [place for place, answer in enumerate(answers) if _is_unknown_script(answer)]
    if missing:
        for text in {calls[place].script.text for place in missing}:
            client.execute_command("SCRIPT LOAD", text)
        for place in missing:
            answers[place] = client.execute_command(*calls[place].command)
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers  # type: ignore[no-any-return]


def _is_unknown_script(answer: object) -> bool:
    """Says whether an answer is Redis's NOSCRIPT."""
    return isinstance(answer, Exception) and type(answer).__name__ == "NoScriptError"


def push_events(client: Client, events: pa.RecordBatch, rules: RecentRules, now_us: int) -> PushCounts:
    """Adds events to their visitors' recent ones and marks them as seen; again changes nothing.

    Args:
        client: a ``redis.Redis`` with ``decode_responses`` off.
        events: (N,) in ``EVENT_SCHEMA``; strings may be dictionary-encoded.
        rules: what is kept.
        now_us: the time that age is counted from.

    Raises:
        redis.RedisError: the server is away or refuses; some of the visitors may have their events already.
    """
    calls, counts = push_calls(events, rules, now_us)
    return counts + read_push(_run(client, calls))
