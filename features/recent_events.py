"""Every visitor's most recent events in a fast store: the row format, the rules, and what to ask Redis for.

The service and the pipelines write through this module, so that both leave the same bytes. Nothing here talks to a
server by itself: a client is handed in.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

import orjson
import pyarrow as pa

from features.checks import EVENT_TYPES, SLACK_US, plain
from features.errors import AuguryError
from features.events import EVENT_SCHEMA
from features.recent_scripts import FORGET, PUSH, RECENT, USER_PREFIX, Script
from features.sessions import VISITOR

RESERVED_PREFIX = USER_PREFIX
"""An anonymous id must not begin with it: it would pass for a user."""

MAX_ID_BYTES = 256
"""Longest anonymous id, user id and message id, in bytes of UTF-8."""

MAX_COUNT = 5_000
"""Most events of one visitor that can be asked for: Redis hands a script's rows over in one piece."""

PREVIOUS_ID = "previousId"
"""The property of an ``alias`` event that names who the user was before."""

_DAY_MS = 86_400_000
# As long as a browser keeps a cookie: https://www.rfc-editor.org/rfc/rfc6265bis "Max-Age", 400 days.
_LINKS_MS = 400 * _DAY_MS
_EVENTS_A_CALL = 128  # a script runs alone: half a millisecond at a time, so that readers do not wait long
_NAMES_A_CALL = 16
_NULL_ROW = b""


class RecentEventsError(AuguryError, ValueError):
    """Rules that cannot be, or rows that are not ours."""


@dataclass(frozen=True)
class RecentRules:
    """What is kept of each visitor.

    Attributes:
        count: the newest events that stay, by (timestamp_us, message_id).
        max_age_days: events older than this are left out.
        types: the calls of the Segment specification whose events are kept; the others still link visitors.
        dedup_seconds: how long a message counts as seen; 0 remembers none.
        link_visitors: whether a login gives the anonymous history to the user.
        namespace: what every key begins with, for several sites in one Redis.

    Raises:
        RecentEventsError: an impossible value.
    """

    count: int = 200
    max_age_days: float = 30
    types: tuple[str, ...] = EVENT_TYPES
    dedup_seconds: int = 3600
    link_visitors: bool = True
    namespace: str = "augury"

    def __post_init__(self) -> None:
        if not 1 <= self.count <= MAX_COUNT:
            raise RecentEventsError(f"count {self.count!r} is not possible; expected 1 to {MAX_COUNT}")
        if not (math.isfinite(self.max_age_days) and 0 < self.max_age_days <= 3650):
            raise RecentEventsError(f"max_age_days {self.max_age_days!r} is not possible; expected above 0, up to 3650")
        if not 0 <= self.dedup_seconds <= 30 * 86_400:
            raise RecentEventsError(f"dedup_seconds {self.dedup_seconds!r} is not possible; expected 0 to 2592000")
        unknown = sorted(set(self.types) - set(EVENT_TYPES))
        if unknown or not self.types:
            what = f"types {unknown}" if unknown else "an empty list of types"
            raise RecentEventsError(f"{what} cannot be kept; expected some of {', '.join(EVENT_TYPES)}")
        if not self.namespace or not self.namespace.isascii() or not self.namespace.isprintable():
            raise RecentEventsError(f"namespace {self.namespace!r} is not possible; expected printable ASCII")

    def horizon_us(self, now_us: int) -> int:
        """Returns the earliest event time that is kept."""
        return now_us - round(self.max_age_days * _DAY_MS * 1000)

    @property
    def rows_ttl_ms(self) -> int:
        """How long a visitor's keys outlive the last push; an event may be dated ``SLACK_US`` ahead of it."""
        return math.ceil(self.max_age_days * _DAY_MS) + SLACK_US // 1000

    @property
    def links_ttl_ms(self) -> int:
        """How long a login is remembered after the last event that used it, and that someone was forgotten."""
        return max(_LINKS_MS, self.rows_ttl_ms)


@dataclass(frozen=True)
class PushCounts:
    """What became of the events of a push; every event is in exactly one.

    Attributes:
        new: added (newer ones may push them out at once).
        known: the visitor has an event with this message id already; the first one stays.
        irrelevant: of a type that is not kept.
        forgotten: received before their visitor was forgotten.
        outdated: older than ``max_age_days``.
        refused: an id longer than ``MAX_ID_BYTES``, or an anonymous id that begins with ``RESERVED_PREFIX``.
    """

    new: int = 0
    known: int = 0
    irrelevant: int = 0
    forgotten: int = 0
    outdated: int = 0
    refused: int = 0

    def __add__(self, other: "PushCounts") -> "PushCounts":
        return PushCounts(*(getattr(self, item.name) + getattr(other, item.name) for item in fields(self)))

    @property
    def total(self) -> int:
        """The number of events pushed."""
        return sum(getattr(self, item.name) for item in fields(self))


@dataclass(frozen=True)
class Recent:
    """The recent events of a visitor.

    Attributes:
        visitor: whose they are: ``user:<user_id>`` where the name asked for is linked to a user.
        rows: encoded events sorted by (timestamp_us, message_id), the newest ``count`` of them.
        full: as many as are kept, so older ones may have been left out.
    """

    visitor: str
    rows: list[bytes]
    full: bool


@dataclass(frozen=True)
class Forgotten:
    """What was removed of a visitor.

    Attributes:
        visitor: who it was, logins resolved.
        events: number of events removed.
        links: number of links removed.
        names: every name that led to the visitor and is forgotten with it, ``visitor`` first.
    """

    visitor: str
    events: int
    links: int
    names: tuple[str, ...]


class Client(Protocol):
    """The part of ``redis.Redis`` that is used here; ``decode_responses`` must be off."""

    def execute_command(self, *args: Any) -> Any: ...

    def pipeline(self, transaction: bool = True) -> Any: ...


@dataclass(frozen=True)
class Call:
    """One run of a script, as arguments of Redis's EVALSHA."""

    script: Script
    args: list[Any]

    @property
    def command(self) -> list[Any]:
        return ["EVALSHA", self.script.sha, 0, *self.args]


def encode_events(events: pa.RecordBatch) -> list[bytes]:
    """Returns each of the N rows as a compact JSON array, in the order of ``EVENT_SCHEMA``; nothing is lost.

    Args:
        events: (N,) in ``EVENT_SCHEMA``; strings may be dictionary-encoded.
    """
    return _encode(_columns(events))


def decode_events(rows: Sequence[bytes], visitors: Sequence[str]) -> pa.Table:
    """Returns encoded rows (N,) as a table in ``EVENT_SCHEMA`` with the column ``VISITOR``, ready for sessions.

    Args:
        rows: as ``encode_events`` made them.
        visitors: whose event each row is.

    Raises:
        RecentEventsError: a row that this version cannot read.
    """
    width = len(EVENT_SCHEMA)
    try:
        parsed = [orjson.loads(row) for row in rows]
        if any(len(row) != width for row in parsed):
            raise ValueError("another number of fields")
        drawn = list(zip(*parsed, strict=True)) or [()] * width
        columns = [pa.array(values, item.type) for values, item in zip(drawn, EVENT_SCHEMA, strict=True)]
    except (ValueError, TypeError) as e:
        raise RecentEventsError(
            f"a stored row is no array of {width} fields ({type(e).__name__}); "
            "it was written by another version: empty this namespace and refill it from the archive"
        ) from None
    return pa.table([*columns, pa.array(visitors, pa.string())], [*EVENT_SCHEMA.names, VISITOR])


def mark_of(anonymous_id: str, message_id: str) -> bytes:
    """Returns the 128-bit BLAKE2b hash that a message is remembered by."""
    first = anonymous_id.encode()
    text = b"%d:%b%b" % (len(first), first, message_id.encode())
    return hashlib.blake2b(text, digest_size=16).digest()


def seen_keys(messages: Sequence[tuple[str, str]], rules: RecentRules) -> list[bytes]:
    """Returns the key of the mark of each (anonymous_id, message_id): there is one where it was pushed lately."""
    start = f"{rules.namespace}:s:".encode()
    return [start + mark_of(*message) for message in messages]


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


def run_calls(client: Client, calls: Sequence[Call]) -> list[Any]:
    """Runs calls in one round trip, and once more where the server does not know the script yet.

    Raises:
        Exception: whatever the client raises, or the server answers.
    """
    pipeline = client.pipeline(transaction=False)
    for call in calls:
        pipeline.execute_command(*call.command)
    answers = pipeline.execute(raise_on_error=False)
    missing = [place for place, answer in enumerate(answers) if is_unknown_script(answer)]
    if missing:
        for text in {calls[place].script.text for place in missing}:
            client.execute_command("SCRIPT LOAD", text)
        for place in missing:
            answers[place] = client.execute_command(*calls[place].command)
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers  # type: ignore[no-any-return]


def is_unknown_script(answer: object) -> bool:
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
    return counts + read_push(run_calls(client, calls))


def _columns(events: pa.RecordBatch) -> list[list[Any]]:
    return [plain(events.column(item.name)).to_pylist() for item in EVENT_SCHEMA]


def _encode(columns: list[list[Any]]) -> list[bytes]:
    dumps = orjson.dumps
    return [dumps(row) for row in zip(*columns, strict=True)]


def _by_visitor(events: pa.RecordBatch, rules: RecentRules) -> tuple[dict[str, list[Any]], int]:
    """Returns anonymous id -> seven arguments of each of its events, one after the other; and how many were refused."""
    columns = _columns(events)
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
        _encode(columns),
        strict=True,
    ):
        previous = _previous_id(properties) if kind == "alias" and properties else ""
        if anonymous_id.startswith(RESERVED_PREFIX) or _too_long(message, anonymous_id, user_id, previous):
            refused += 1
            continue
        group = groups.get(anonymous_id)
        if group is None:
            group = groups[anonymous_id] = []
        group += (
            message,
            time_us,
            time_us if received_us is None else received_us,
            row if kind in kept else _NULL_ROW,
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
