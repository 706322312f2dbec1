"""What to ask Redis for, and what its answers say; whoever holds a client, of either kind, sends it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa

from features.events import EVENT_SCHEMA
from features.recent_rows import encode_columns, event_columns
from features.recent_rules import MAX_ID_BYTES, RESERVED_PREFIX, Forgotten, PushCounts, Recent, RecentRules
from features.recent_scripts import FORGET, PUSH, RECENT, SEEN, Script

PREVIOUS_ID = "previousId"
"""The property of an ``alias`` event that names who the user was before."""

_EVENTS_A_CALL = 64  # a script runs alone: a millisecond at a time, so that readers do not wait long
_NAMES_A_CALL = 16
_NO_ROW = b""


@dataclass(frozen=True)
class Call:
    """One run of a script, as arguments of Redis's EVALSHA."""

    script: Script
    args: list[Any]

    @property
    def command(self) -> list[Any]:
        return ["EVALSHA", self.script.sha, 0, *self.args]


def mark_of(anonymous_id: str, message_id: str) -> bytes:
    """Returns the 128-bit BLAKE2b hash that a message is remembered by."""
    first = anonymous_id.encode()
    text = b"%d:%b%b" % (len(first), first, message_id.encode())
    return hashlib.blake2b(text, digest_size=16).digest()


def seen_calls(messages: Sequence[tuple[str, str]], rules: RecentRules) -> list[Call]:
    """Returns the calls that ask of each (anonymous_id, message_id) whether it was pushed; see ``read_seen``."""
    head = [rules.namespace, int(rules.link_visitors)]
    flat = [part for message in messages for part in (*message, mark_of(*message))]
    size = 3 * _EVENTS_A_CALL
    return [Call(SEEN, [*head, *flat[start : start + size]]) for start in range(0, len(flat), size)]


def read_seen(answers: Sequence[Sequence[int]]) -> list[bool]:
    """Returns what the calls of ``seen_calls`` answered, in the order asked for."""
    return [found == 1 for answer in answers for found in answer]


def push_calls(events: pa.RecordBatch, rules: RecentRules, now_us: int) -> tuple[list[Call], PushCounts]:
    """Returns the calls that push events, each answered by ``read_push``, and the events refused before any.

    The events of one visitor stay in order and within one call, unless they are very many.
    """
    head = [
        rules.namespace,
        rules.horizon_us(now_us),
        rules.count,
        rules.rows_ttl_ms,
        rules.links_ttl_ms,
        rules.dedup_seconds * 1000,
        int(rules.link_visitors),
    ]
    groups, refused = _by_visitor(events, rules)
    calls, args, room = [], list(head), _EVENTS_A_CALL
    for anonymous_id, flat in groups.items():
        for first in range(0, len(flat), 7 * _EVENTS_A_CALL):
            part = flat[first : first + 7 * _EVENTS_A_CALL]
            count = len(part) // 7
            if count > room:
                calls.append(Call(PUSH, args))
                args, room = list(head), _EVENTS_A_CALL
            args += [anonymous_id, count, *part]
            room -= count
    if len(args) > len(head):
        calls.append(Call(PUSH, args))
    return calls, PushCounts(refused=refused)


def read_push(answers: Sequence[Sequence[int]]) -> PushCounts:
    """Returns the sum of what the calls of ``push_calls`` answered."""
    return PushCounts(*(sum(numbers) for numbers in zip(*answers, strict=True)))


def recent_calls(visitors: Sequence[str], rules: RecentRules, now_us: int) -> list[Call]:
    """Returns the calls that ask for visitors' recent events, each answered by ``read_recent``."""
    head = [rules.namespace, rules.horizon_us(now_us), rules.count]
    starts = range(0, len(visitors), _NAMES_A_CALL)
    return [Call(RECENT, [*head, *visitors[start : start + _NAMES_A_CALL]]) for start in starts]


def read_recent(answers: Sequence[Sequence[Any]], rules: RecentRules) -> list[Recent]:
    """Returns what the calls of ``recent_calls`` answered, in the order asked for."""
    found = []
    for visitor, newest_first in (pair for answer in answers for pair in answer):
        rows = [row for row in reversed(newest_first) if row is not None]
        found.append(Recent(visitor.decode(), rows, len(newest_first) >= rules.count))
    return found


def forget_call(visitor: str, rules: RecentRules, now_us: int) -> Call:
    """Returns the call that forgets a visitor, answered by ``read_forgotten``."""
    return Call(FORGET, [rules.namespace, now_us, rules.links_ttl_ms, visitor])


def read_forgotten(answer: Sequence[Any]) -> Forgotten:
    """Returns what the call of ``forget_call`` answered."""
    events, links, names = answer
    texts = tuple(name.decode() for name in names)
    return Forgotten(texts[0], events, links, texts)


def _by_visitor(events: pa.RecordBatch, rules: RecentRules) -> tuple[dict[str, list[Any]], int]:
    """Returns anonymous id -> seven arguments of each of its events, one after the other; and how many were refused."""
    columns = event_columns(events)
    named = dict(zip(EVENT_SCHEMA.names, columns, strict=True))
    kept = set(rules.types)
    groups: dict[str, list[Any]] = {}
    refused = 0
    for message, anonymous_id, user_id, kind, time_us, received_us, properties, row in zip(
        named["message_id"],
        named["anonymous_id"],
        named["user_id"],
        named["type"],
        named["timestamp_us"],
        named["received_at_us"],
        named["properties"],
        encode_columns(columns),
        strict=True,
    ):
        previous = _previous_id(properties) if kind == "alias" and properties else ""
        name = anonymous_id
        if name.startswith(RESERVED_PREFIX) and name == user_id and rules.link_visitors:
            name = RESERVED_PREFIX + user_id  # an event without an anonymous id, of a user who is called so
        elif name.startswith(RESERVED_PREFIX) and name != user_id:
            refused += 1
            continue
        if _too_long(message, anonymous_id, user_id, previous):
            refused += 1
            continue
        group = groups.get(name)
        if group is None:
            group = groups[name] = []
        group += (
            message,
            time_us,
            time_us if received_us is None else received_us,
            row if kind in kept else _NO_ROW,
            user_id or "",
            previous,
            mark_of(anonymous_id, message),
        )
    return groups, refused


def _previous_id(properties: str) -> str:
    try:
        found = orjson.loads(properties).get(PREVIOUS_ID)
    except (orjson.JSONDecodeError, AttributeError):
        return ""
    return found if isinstance(found, str) else ""


def _too_long(*ids: str | None) -> bool:
    return any(text is not None and len(text) * 4 > MAX_ID_BYTES < len(text.encode()) for text in ids)
