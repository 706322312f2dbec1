"""Which archived events a fast store needs: each visitor's newest ones, and the logins that say whose they are."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.checks import SLACK_US, plain
from features.recent_events import RecentRules

_ALIAS = "alias"
_NOBODY = -1


def may_matter(events: pa.RecordBatch, rules: RecentRules, now_us: int) -> npt.NDArray[np.bool_]:
    """Says which events can leave anything in a fast store, without looking at any other batch.

    These are the events that are kept, and of the others those that link visitors: every alias, every login that was
    received while events that are kept were, and of the logins before that the newest of each pair of ids.

    Args:
        events: (N,) in ``EVENT_SCHEMA``.
        rules: what is kept.
        now_us: the time that age is counted from.

    Returns:
        bool (N,).
    """
    kept = _kept(events, rules, now_us)
    if not rules.link_visitors:
        return kept
    time_us = events.column("timestamp_us").to_numpy()
    linking = events.column("user_id").is_valid().to_numpy(False) & ~kept
    linking &= time_us >= now_us - rules.links_ttl_ms * 1000
    alias = pc.equal(plain(events.column("type")), _ALIAS).to_numpy(False)
    before = linking & ~alias & (_received_us(events) < rules.horizon_us(now_us) - SLACK_US)
    rows = np.flatnonzero(before)
    anonymous, user = _codes(events.column("anonymous_id"))[rows], _codes(events.column("user_id"))[rows]
    order = np.lexsort((time_us[rows], user, anonymous))
    anonymous, user = anonymous[order], user[order]
    newest = np.ones(len(order), np.bool_)
    newest[:-1] = (anonymous[1:] != anonymous[:-1]) | (user[1:] != user[:-1])
    matter: npt.NDArray[np.bool_] = kept | (linking & ~before)
    matter[rows[order[newest]]] = True
    return matter


def newest_events(events: pa.RecordBatch, rules: RecentRules, now_us: int) -> pa.RecordBatch:
    """Returns, in the order in which they were received, the events of whole visitors that a fast store needs.

    Replaying these leaves what replaying all of them would: of everything that one anonymous id did while it belonged
    to one user (or to none yet) the newest ``rules.count``, every login that changed whose it was, and every alias.

    Args:
        events: (N,) in ``EVENT_SCHEMA``, all events of some anonymous ids.
        rules: what is kept.
        now_us: the time that age is counted from.
    """
    time_us, received_us = events.column("timestamp_us").to_numpy(), _received_us(events)
    message = _ranks(events.column("message_id"))
    anonymous = _codes(events.column("anonymous_id"))
    by_receipt = np.lexsort((message, time_us, received_us, anonymous))
    events = events.take(pa.array(by_receipt))
    time_us, message, anonymous = time_us[by_receipt], message[by_receipt], anonymous[by_receipt]
    kept = _kept(events, rules, now_us)

    owner, changes = np.full(len(anonymous), _NOBODY), np.zeros(len(anonymous), np.bool_)
    if rules.link_visitors:
        owner, changes = _owners(anonymous, _ranks(events.column("user_id")), time_us)
        changes |= pc.equal(plain(events.column("type")), _ALIAS).to_numpy(False)
    rows = np.flatnonzero(kept)
    newest_first = rows[np.lexsort((-message[rows], -time_us[rows], owner[rows], anonymous[rows]))]
    groups = (anonymous[newest_first], owner[newest_first])
    place = _place_in_run(np.any([np.diff(group, prepend=-2) != 0 for group in groups], axis=0))
    needed = changes
    needed[newest_first[place < rules.count]] = True
    return events.filter(pa.array(needed))


def _owners(
    anonymous: npt.NDArray[np.int64], user: npt.NDArray[np.int64], time_us: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Returns int64 (N,), whose each event is, and bool (N,), the logins that must be replayed to know.

    An event with a user is that user's; another is that of the newest login so far (by time, then by the user's name,
    as the fast store has it). Those before the first login end up with its user, but need not be told from nobody's.

    Args:
        anonymous: int64 (N,), ascending; within one, rows are in the order of receipt.
        user: int64 (N,), in the order of the names; ``_NOBODY`` where there is none.
        time_us: int64 (N,).
    """
    count = len(anonymous)
    named = user != _NOBODY
    strength = np.zeros(count, np.int64)  # 0 for no login, else its rank among all
    logins = np.flatnonzero(named)
    order = logins[np.lexsort((user[logins], time_us[logins]))]
    strength[order] = np.arange(1, len(order) + 1)
    base = anonymous * (count + 1)
    best = np.maximum.accumulate(strength + base) - base  # of the logins so far of the same anonymous id
    users = np.concatenate([[_NOBODY], user[order]])
    current = users[best]
    starts = np.diff(anonymous, prepend=-1) != 0
    owner = np.where(named, user, current)
    before = np.where(starts, _NOBODY, np.roll(current, 1))
    changes = named & (current != before)
    ends = np.append(starts[1:], True)[:count]
    changes[order[best[ends & (best > 0)] - 1]] = True  # the time of the login that holds is remembered with it
    return owner, changes


def _kept(events: pa.RecordBatch, rules: RecentRules, now_us: int) -> npt.NDArray[np.bool_]:
    kinds = pc.is_in(plain(events.column("type")), pa.array(rules.types)).to_numpy(False)
    kept: npt.NDArray[np.bool_] = kinds & (events.column("timestamp_us").to_numpy() >= rules.horizon_us(now_us))
    return kept


def _received_us(events: pa.RecordBatch) -> npt.NDArray[np.int64]:
    times = pc.coalesce(events.column("received_at_us"), events.column("timestamp_us"))
    return times.to_numpy()  # type: ignore[no-any-return]


def _codes(column: pa.Array) -> npt.NDArray[np.int64]:
    """Returns int64 (N,): a number for each distinct text, ``_NOBODY`` for null."""
    encoded = plain(column).dictionary_encode()
    return pc.fill_null(encoded.indices, _NOBODY).to_numpy(False).astype(np.int64)  # type: ignore[no-any-return]


def _ranks(column: pa.Array) -> npt.NDArray[np.int64]:
    """Returns int64 (N,): numbers in the order of the texts' bytes, ``_NOBODY`` for null."""
    encoded = plain(column).dictionary_encode()
    ranks = np.empty(len(encoded.dictionary) + 1, np.int64)
    ranks[pc.sort_indices(encoded.dictionary).to_numpy()] = np.arange(len(encoded.dictionary))
    ranks[-1] = _NOBODY
    found: npt.NDArray[np.int64] = ranks[pc.fill_null(encoded.indices, _NOBODY).to_numpy(False)]
    return found


def _place_in_run(begins: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Returns int64 (N,): how many rows of its run stand before each row."""
    rows = np.arange(len(begins))
    return rows - np.maximum.accumulate(np.where(begins, rows, 0)) if len(rows) else rows
