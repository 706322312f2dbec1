"""Cleaning: events that no visitor made are dropped before sessions, and counted by reason.

Duplicates and over-active visitors are found later, where a visitor's events are together (``build_sessions``).
"""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from features.agents import MAX_AGENT, are_bots, is_bot
from features.errors import AuguryError
from features.urls import parse_url

OWN_MODEL = "own_model"
TEST_EVENT = "test_event"
BOT = "bot"

DROPS = (OWN_MODEL, TEST_EVENT, BOT)
"""Why an event is dropped; one that has several reasons counts for the first."""

OWN_EVENT_PREFIX = "Augury "
"""Events named so are predictions sent back to the site's own tracking."""

_TEST_FLAG = r'"test"\s*:\s*true'
_FEW = 10  # up to so many new user agents are looked at one by one: compiling the expressions for more costs as much


class CleaningError(AuguryError, ValueError):
    """A cleaning rule that does not exist or cannot be followed."""


@dataclass(frozen=True)
class CleaningRules:
    """What is dropped.

    Attributes:
        drop_bots: drop robots that the crawler-user-agents list knows.
        bot_patterns: regular expressions (RE2) of further user agents to drop.
        bot_ips: addresses and networks (``192.0.2.0/24``) whose events are dropped, by ``context.ip``.
        drop_test_events: drop events whose context says ``"test": true``.
        test_event_names: names of events to drop.
        test_hosts: hosts of pages (``staging.shop.example``) whose events are dropped.
        test_visitor_ids: anonymous or user ids whose events are dropped.
        model_source: the ``source`` by which our own models' events are known; these and events whose name begins with
            ``OWN_EVENT_PREFIX`` are dropped; empty keeps both.
    """

    drop_bots: bool = True
    bot_patterns: tuple[str, ...] = ()
    bot_ips: tuple[str, ...] = ()
    drop_test_events: bool = True
    test_event_names: tuple[str, ...] = ()
    test_hosts: tuple[str, ...] = ()
    test_visitor_ids: tuple[str, ...] = ()
    model_source: str = "augury"

    def __post_init__(self) -> None:
        for pattern in self.bot_patterns:
            try:
                pc.match_substring_regex(pa.array([""]), pattern)
            except pa.ArrowInvalid as e:
                raise CleaningError(f"bot_patterns has {pattern!r}, which is no regular expression: {e}") from e
        for address in self.bot_ips:
            try:
                ipaddress.ip_network(address)
            except ValueError as e:
                raise CleaningError(
                    f"bot_ips has {address!r}; expected an address or a network such as 192.0.2.0/24: {e}"
                ) from e

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> "CleaningRules":
        """Returns rules from plain values, such as a configuration file holds.

        Raises:
            CleaningError: an unknown key, or a value of the wrong type.
        """
        known = {field.name: field.default for field in fields(cls)}
        values: dict[str, Any] = {}
        for key, value in given.items():
            if key not in known:
                raise CleaningError(f"no cleaning rule {key!r}; expected one of {', '.join(known)}")
            if isinstance(known[key], tuple):
                if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
                    raise CleaningError(f"{key} is {value!r}; expected a list of strings")
                value = tuple(value)
            elif type(value) is not type(known[key]):
                raise CleaningError(f"{key} is {value!r}; expected a {type(known[key]).__name__}")
            values[key] = value
        return cls(**values)

    def required_columns(self) -> tuple[str, ...]:
        """Returns the columns of ``EVENT_SCHEMA`` that the rules look at; one that is not read drops nothing."""
        chosen = ["event", "source"] if self.model_source else []
        if self.test_event_names:
            chosen.append("event")
        if self.drop_bots or self.bot_patterns:
            chosen.append("user_agent")
        if self.drop_test_events or self.bot_ips:
            chosen.append("context")
        if self.test_hosts:
            chosen.append("url")
        if self.test_visitor_ids:
            chosen += ["anonymous_id", "user_id"]
        return tuple(dict.fromkeys(chosen))


def clean(events: pa.RecordBatch, rules: CleaningRules) -> tuple[pa.RecordBatch, dict[str, int]]:
    """Drops events that no visitor made.

    Args:
        events: in ``EVENT_SCHEMA``, or some columns of it, strings plain or dictionary-encoded.
        rules: what to drop.

    Returns:
        The events kept, in order, and how many were dropped for each of ``DROPS``.
    """
    codes = judge(events, rules)
    dropped = dict(zip(DROPS, np.bincount(codes, minlength=len(DROPS) + 1)[1:].tolist(), strict=True))
    return (events.filter(pa.array(codes == 0)) if codes.any() else events), dropped


def judge(events: pa.RecordBatch, rules: CleaningRules) -> npt.NDArray[np.int8]:
    """Says of each event whether a visitor made it.

    Args:
        events: as ``clean`` takes them.
        rules: what to drop.

    Returns:
        int8 (N,): 0 for an event to keep, else 1 + the index in ``DROPS`` of why not.
    """
    codes = np.zeros(events.num_rows, np.int8)
    for code, find in enumerate((_own, _test, _bots), start=1):
        codes[find(events, rules) & (codes == 0)] = code
    return codes


def _own(events: pa.RecordBatch, rules: CleaningRules) -> npt.NDArray[np.bool_]:
    if not rules.model_source:
        return np.zeros(events.num_rows, np.bool_)
    named = _where(events, "event", lambda distinct: _truth(pc.starts_with(distinct, OWN_EVENT_PREFIX)))
    return named | _where(events, "source", lambda distinct: _truth(pc.equal(distinct, rules.model_source)))


def _test(events: pa.RecordBatch, rules: CleaningRules) -> npt.NDArray[np.bool_]:
    found = np.zeros(events.num_rows, np.bool_)
    if rules.test_event_names:
        found |= _where(events, "event", lambda distinct: _is_in(distinct, rules.test_event_names))
    for column in ("anonymous_id", "user_id") if rules.test_visitor_ids else ():
        found |= _where(events, column, lambda distinct: _is_in(distinct, rules.test_visitor_ids))
    if rules.test_hosts:
        hosts = {parse_url(f"//{host}").host for host in rules.test_hosts}
        found |= _where(events, "url", lambda distinct: _each(distinct, lambda text: parse_url(text).host in hosts))
    if rules.drop_test_events:
        found |= _flagged(events)
    return found


def _bots(events: pa.RecordBatch, rules: CleaningRules) -> npt.NDArray[np.bool_]:
    found = np.zeros(events.num_rows, np.bool_)
    if rules.drop_bots:
        found |= _where(events, "user_agent", _known_bots)
    if rules.bot_patterns:
        pattern = "|".join(f"(?:{pattern})" for pattern in rules.bot_patterns)
        found |= _where(events, "user_agent", lambda distinct: _truth(pc.match_substring_regex(distinct, pattern)))
    if rules.bot_ips:
        found |= _where(events, "context", lambda distinct: _each(distinct, lambda text: _from(text, rules.bot_ips)))
    return found


def _where(
    events: pa.RecordBatch, column: str, test: Callable[[pa.Array], npt.NDArray[np.bool_]]
) -> npt.NDArray[np.bool_]:
    """Returns bool (N,): where ``test``, asked once for each distinct string of the column, holds; null is false."""
    if column not in events.schema.names or events.column(column).null_count == events.num_rows:
        return np.zeros(events.num_rows, np.bool_)
    values = events.column(column)
    encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    answers = test(encoded.dictionary)
    if not answers.any():
        return np.zeros(events.num_rows, np.bool_)
    codes = pc.fill_null(encoded.indices, len(answers)).to_numpy(False)
    result: npt.NDArray[np.bool_] = np.append(answers, False)[codes]
    return result


def _flagged(events: pa.RecordBatch) -> npt.NDArray[np.bool_]:
    """Returns where the context says test; contexts differ from event to event, so they are not made distinct first."""
    found = np.zeros(events.num_rows, np.bool_)
    if "context" not in events.schema.names or events.column("context").null_count == events.num_rows:
        return found
    contexts = events.column("context")
    if pa.types.is_dictionary(contexts.type):
        contexts = contexts.dictionary_decode()
    maybe = np.flatnonzero(_truth(pc.match_substring_regex(contexts, _TEST_FLAG)))
    texts = contexts.take(pa.array(maybe)).to_pylist()
    found[maybe] = [_field(text, "test") is True for text in texts]
    return found


_KNOWN: dict[str, bool] = {}
_MOST_KNOWN = 1 << 17


def _known_bots(distinct: pa.Array) -> npt.NDArray[np.bool_]:
    """Returns which user agents are robots; answers are remembered from batch to batch."""
    texts = pc.utf8_slice_codeunits(distinct, 0, MAX_AGENT).to_pylist()
    new = [text for text in texts if text not in _KNOWN]
    if len(_KNOWN) + len(new) > _MOST_KNOWN:
        _KNOWN.clear()
        new = texts
    answers = [is_bot(text) for text in new] if len(new) <= _FEW else are_bots(pa.array(new, pa.string())).tolist()
    _KNOWN.update(zip(new, answers, strict=True))
    return np.array([_KNOWN[text] for text in texts], np.bool_)


def _from(context: str, networks: tuple[str, ...]) -> bool:
    """Says whether ``context.ip`` lies in one of the networks."""
    given = _field(context, "ip")
    return isinstance(given, str) and in_networks(given[:64], networks)


@lru_cache(maxsize=1 << 16)
def in_networks(text: str, networks: tuple[str, ...]) -> bool:
    """Says whether an IP address lies in one of the networks; a text that is no address lies in none."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return any(address in ipaddress.ip_network(network) for network in networks)


def _field(text: str, key: str) -> Any:
    try:
        given = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return given.get(key) if isinstance(given, dict) else None


def _each(distinct: pa.Array, test: Callable[[str], bool]) -> npt.NDArray[np.bool_]:
    return np.fromiter((test(text) for text in distinct.to_pylist()), np.bool_, len(distinct))


def _is_in(distinct: pa.Array, values: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    return _truth(pc.is_in(distinct, pa.array(values, pa.string())))


def _truth(mask: pa.Array) -> npt.NDArray[np.bool_]:
    result: npt.NDArray[np.bool_] = pc.fill_null(mask, False).to_numpy(False)
    return result
