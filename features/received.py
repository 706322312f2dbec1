"""Received messages: what a client sent, made into what the archive keeps.

A received message is a message of Segment's specification with ``type``, ``messageId``, ``receivedAt``, ``sentAt`` and
``originalTimestamp``. Its ``timestamp`` is left out: ``features.segment`` computes it from the other three, wherever
the message is read (https://segment.com/docs/connections/spec/common/#timestamps), so that a client's wrong clock
cancels out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple
from uuid import uuid4

from features.checks import TOO_DEEP, WRONG_TYPE
from features.cleaning import BOT, in_networks
from features.consent import opted_out
from features.errors import AuguryError
from features.privacy import IpRule, shorten_ip, with_hashed_fields, without_fields
from features.recent_events import MAX_ID_BYTES, PREVIOUS_ID, RESERVED_PREFIX

RESERVED_ID = "reserved_id"
LONG_ID = "long_id"
OPTED_OUT = "opted_out"
DO_NOT_TRACK = "do_not_track"

_IDS = ("messageId", "anonymousId", "userId", "previousId", "groupId")


class CollectionError(AuguryError, ValueError):
    """A rule of collection that cannot be followed."""


@dataclass(frozen=True)
class CollectionRules:
    """What is kept of a message.

    Attributes:
        ip: what is done to ``context.ip``: shortened to /24 (IPv4) or /48 (IPv6), dropped, or kept whole.
        drop_fields: dotted paths of fields that are not kept, ``context.traits.email``; lists are gone through.
        hash_fields: dotted paths of fields that are kept as a keyed hash.
        hash_key: the key, of 1 to 64 bytes; needed for ``hash_fields``.
        honour_dnt: drop what comes with ``DNT: 1`` or ``Sec-GPC: 1``.
        consent_categories: see ``features.consent.opted_out``.
        bot_ips: addresses and networks whose events are dropped; looked at here because only here the address is whole.
    """

    ip: IpRule = "truncate"
    drop_fields: tuple[str, ...] = ()
    hash_fields: tuple[str, ...] = ()
    hash_key: str = field(default="", repr=False)
    honour_dnt: bool = True
    consent_categories: tuple[str, ...] = ()
    bot_ips: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.ip not in ("truncate", "drop", "keep"):
            raise CollectionError(f"ip is {self.ip!r}; expected truncate, drop or keep")
        if self.hash_fields and not 1 <= len(self.hash_key.encode()) <= 64:
            raise CollectionError("hash_fields needs a hash_key of 1 to 64 bytes; set one")
        for path in (*self.drop_fields, *self.hash_fields):
            if not all(path.split(".")):
                raise CollectionError(f"{path!r} is no path of a field; expected names joined by dots: traits.email")

    @cached_property
    def dropped_paths(self) -> tuple[tuple[str, ...], ...]:
        """Names on the way to each field that is dropped."""
        return tuple(tuple(path.split(".")) for path in self.drop_fields)

    @cached_property
    def hashed_paths(self) -> tuple[tuple[str, ...], ...]:
        """Names on the way to each field that is hashed."""
        return tuple(tuple(path.split(".")) for path in self.hash_fields)


class RequestFacts(NamedTuple):
    """What a request says about all of its events.

    Attributes:
        ip: the visitor's address; None where another server sends the events.
        user_agent: the visitor's browser; None where another server sends the events.
        do_not_track: whether the browser asks not to be tracked.
        context: what the batch says about each of its events.
        integrations: the same.
    """

    ip: str | None = None
    user_agent: str | None = None
    do_not_track: bool = False
    context: Mapping[str, Any] | None = None
    integrations: Mapping[str, Any] | None = None


class Refusal(NamedTuple):
    """A message that is no event.

    Attributes:
        reason: a word; see ``features.checks.REASONS`` and those of this module.
        detail: the same for people, without the values of the message.
        message: what may be kept of it as a dead letter.
    """

    reason: str
    detail: str
    message: Any = None


class Drop(NamedTuple):
    """A message that must not or need not be kept: nothing of it is."""

    reason: str


def receive(
    message: Any,
    *,
    kind: str | None,
    received_at: str,
    sent_at: Any,
    facts: RequestFacts,
    rules: CollectionRules,
) -> dict[str, Any] | Refusal | Drop:
    """Makes a received message of what a client sent; the argument is not changed.

    Args:
        message: a JSON value.
        kind: the type of message that the end-point takes; None leaves the message's own.
        received_at: ISO 8601, UTC.
        sent_at: when the client says it sent the request; None leaves the message's own.
        facts: what the request says.
        rules: what is kept.

    Returns:
        The message, ready to be archived; or why there is none.
    """
    if message.__class__ is not dict:
        return Refusal(WRONG_TYPE, "the event is not a JSON object", None)
    if facts.do_not_track and rules.honour_dnt:
        return Drop(DO_NOT_TRACK)
    made = {**message, "receivedAt": received_at}
    made.pop("writeKey", None)
    if kind is not None:
        made["type"] = kind
    _set_times(made, sent_at)
    problem = _set_context(made, facts, rules) or _refuse_texts(made)
    if isinstance(problem, Drop):
        return problem
    try:
        if rules.drop_fields:
            made = without_fields(made, rules.dropped_paths)
        if rules.hash_fields:
            made = with_hashed_fields(made, rules.hashed_paths, rules.hash_key.encode())
    except (RecursionError, TypeError):
        return Refusal(TOO_DEEP, "the event is nested too deeply; flatten its properties", None)
    return _with_ids(made) if problem is None else Refusal(problem.reason, problem.detail, made)


def _set_times(made: dict[str, Any], sent_at: Any) -> None:
    given = made.pop("timestamp", None)
    if given is not None and given != "":
        made["originalTimestamp"] = given
    if sent_at is not None:
        made["sentAt"] = sent_at


def _set_context(made: dict[str, Any], facts: RequestFacts, rules: CollectionRules) -> Refusal | Drop | None:
    own_context = made.get("context")
    readable = own_context is None or own_context.__class__ is dict
    context = {**(facts.context or {}), **((own_context or {}) if readable else {})}
    if facts.integrations:
        own = made.get("integrations")
        made["integrations"] = {**facts.integrations, **(own if isinstance(own, dict) else {})}
    if opted_out(context, rules.consent_categories):
        return Drop(OPTED_OUT)
    if not readable:
        made["context"] = None  # what cannot be looked into is not kept: it might hold what must be dropped
        return Refusal(WRONG_TYPE, "context is not a JSON object")
    if facts.user_agent and not context.get("userAgent"):
        context["userAgent"] = facts.user_agent
    address = context.pop("ip", None) or facts.ip
    if address is not None:
        if rules.bot_ips and isinstance(address, str) and in_networks(address[:64], rules.bot_ips):
            return Drop(BOT)
        kept = shorten_ip(address, rules.ip)
        if kept is not None:
            context["ip"] = kept
    if context or "context" in made:
        made["context"] = context
    return None


def _refuse_texts(made: dict[str, Any]) -> Refusal | None:
    """Refuses properties, or traits in their place, that cannot be looked into, and does not keep them either."""
    name = "properties" if made.get("properties") else "traits"
    if not made.get(name) or made[name].__class__ is dict:
        return None
    made[name] = None
    return Refusal(WRONG_TYPE, f"{name} is not a JSON object")


def _with_ids(made: dict[str, Any]) -> dict[str, Any] | Refusal:
    for name in _IDS:
        value = made.get(name)
        if value is None:
            continue
        if value.__class__ is int:
            value = made[name] = str(value)
        if value.__class__ is str and len(value) * 4 > MAX_ID_BYTES < len(value.encode()):
            return Refusal(LONG_ID, f"{name} has {len(value.encode())} bytes; expected at most {MAX_ID_BYTES}", made)
    if not made.get("messageId"):
        made["messageId"] = str(uuid4())
    if made.get("type") == "alias":
        _set_previous(made)
    visitor = made.get("anonymousId") or made.get("userId")
    if visitor.__class__ is str and visitor.startswith(RESERVED_PREFIX):
        return Refusal(
            RESERVED_ID, f"ids that begin with {RESERVED_PREFIX!r} are reserved; send the id without it", made
        )
    return made


def _set_previous(made: dict[str, Any]) -> None:
    """Makes the former id of an ``alias`` what tells visitors apart later: its anonymous id, and a property."""
    previous = made.get("previousId")
    if not previous or previous.__class__ is not str:
        return
    if not made.get("anonymousId"):
        made["anonymousId"] = previous
    properties = made.get("properties") or {}
    if properties.__class__ is dict:
        made["properties"] = {**properties, PREVIOUS_ID: previous}
