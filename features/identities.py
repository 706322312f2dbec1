"""Whose each event is, found from a whole archive at once as the fast store finds it event by event.

The rules are those of ``features.recent_scripts``: a login gives the anonymous history to the user, later anonymous
events go to the newest login, an alias makes one user of two, and no user gathers more than ``MOST_LINKS`` names. The
store applies them to every event in the order of receipt; here only the logins that can change something are replayed,
which are few, and all other events are looked up, a distinct name at a time.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from features.checks import plain
from features.recent_calls import PREVIOUS_ID
from features.recent_rules import RESERVED_PREFIX
from features.recent_scripts import MOST_LINKS

LOGIN_SCHEMA = pa.schema(
    [
        pa.field("received_us", pa.int64(), nullable=False),
        pa.field("time_us", pa.int64(), nullable=False),
        pa.field("message_id", pa.string(), nullable=False),
        pa.field("anonymous_id", pa.string(), nullable=False),
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("previous_id", pa.string()),
    ]
)
"""A login: an event with a user id. ``previous_id`` is that of an ``alias``."""

REQUIRED_COLUMNS = ("anonymous_id", "user_id", "type", "message_id", "timestamp_us", "received_at_us", "properties")
"""The columns of ``EVENT_SCHEMA`` that ``logins`` reads."""

_ALIAS = "alias"
_Moment = tuple[int, int]


def logins(events: pa.RecordBatch) -> pa.RecordBatch:
    """Returns the logins of a batch that can change whose an event is, in ``LOGIN_SCHEMA``.

    Of a device that one user alone used in this batch these are the first login received and the newest; of a shared
    one all of them; and every alias.

    Args:
        events: with ``REQUIRED_COLUMNS``.
    """
    named = events.filter(pc.is_valid(events.column("user_id")))
    alias = pc.equal(plain(named.column("type")), _ALIAS)
    found = pa.table(
        {
            "received_us": received_us(named),
            "time_us": named.column("timestamp_us"),
            "message_id": plain(named.column("message_id")),
            "anonymous_id": plain(named.column("anonymous_id")),
            "user_id": plain(named.column("user_id")),
            "previous_id": _previous(named, alias),
        }
    ).cast(LOGIN_SCHEMA)
    keep = alias.to_numpy(False) | _needed(found)
    needed = found.filter(pa.array(keep)).combine_chunks()
    columns = {name: needed.column(name).combine_chunks() for name in LOGIN_SCHEMA.names}
    return pa.RecordBatch.from_pydict(columns, schema=LOGIN_SCHEMA)


def received_us(events: pa.RecordBatch) -> pa.Array:
    """Returns int64 (N,) when each event was received; its own time stands where that is not known."""
    return pc.coalesce(events.column("received_at_us"), events.column("timestamp_us"))


@dataclass(frozen=True)
class Identities:
    """Who is whom.

    Attributes:
        visitors: name (an anonymous id, or ``user:`` and a user id) -> the visitor that all its events belong to; a
            name that is not here is a visitor itself.
        changes: the same of names that led to one visitor after the other: the moments (receipt, time) since when each
            holds, and the visitors; what came before the first belongs to the first.
    """

    visitors: Mapping[str, str] = field(default_factory=dict)
    changes: Mapping[str, tuple[tuple[_Moment, ...], tuple[str, ...]]] = field(default_factory=dict)

    @classmethod
    def of(cls, parts: Iterable[pa.RecordBatch]) -> "Identities":
        """Replays logins, as ``logins`` gives them, in the order in which they were received."""
        table = pa.Table.from_batches(list(parts), LOGIN_SCHEMA)
        order = [("received_us", "ascending"), ("time_us", "ascending"), ("message_id", "ascending")]
        table = table.take(pc.sort_indices(table, sort_keys=[*order, ("anonymous_id", "ascending")]))
        replay = _Replay()
        columns = [table.column(name).to_pylist() for name in LOGIN_SCHEMA.names]
        for received, time, _, anonymous, user, previous in zip(*columns, strict=True):
            replay.login((received, time), device_of(anonymous, user), user, previous)
        return replay.result()

    def of_events(self, events: pa.RecordBatch) -> pa.DictionaryArray:
        """Returns the visitor of each event (N,), dictionary-encoded.

        Args:
            events: with ``anonymous_id``, ``user_id``, ``timestamp_us`` and ``received_at_us``.
        """
        anonymous, user = (_encoded(events.column(name)) for name in ("anonymous_id", "user_id"))
        devices = [device_of(name, None) for name in anonymous.dictionary.to_pylist()]
        users = [RESERVED_PREFIX + name for name in user.dictionary.to_pylist()]
        names = [*devices, *users]
        codes = np.where(
            user.is_valid().to_numpy(False),
            pc.fill_null(user.indices, 0).to_numpy(False) + len(devices),
            anonymous.indices.to_numpy(False),
        ).astype(np.int64)
        found = [self.visitors.get(name, name) for name in names]
        shared = [code for code, name in enumerate(names) if name in self.changes]
        if shared:
            codes, found = self._at_their_time(events, codes, names, found, shared)
        visitors = pa.array(found, pa.string()).dictionary_encode()
        return pc.take(visitors, pa.array(codes)) if len(codes) else visitors.slice(0, 0)

    def _at_their_time(
        self,
        events: pa.RecordBatch,
        codes: npt.NDArray[np.int64],
        names: list[str],
        found: list[str],
        shared: list[int],
    ) -> tuple[npt.NDArray[np.int64], list[str]]:
        """Looks up the events of names that led to several visitors, one name at a time."""
        received, time = received_us(events).to_numpy(), events.column("timestamp_us").to_numpy()
        for code in shared:
            moments, visitors = self.changes[names[code]]
            rows = np.flatnonzero(codes == code)
            asked = zip(received[rows].tolist(), time[rows].tolist(), strict=True)
            places = [max(0, bisect_right(moments, moment) - 1) for moment in asked]
            codes[rows] = np.array(places, np.int64) + len(found)
            found += visitors
        return codes, found


def device_of(anonymous_id: str, user_id: str | None) -> str:
    """Returns the name that an anonymous id goes by: itself, or of a user who is called so, the user's.

    Args:
        anonymous_id: of an event.
        user_id: of the same event; None where the two are known to be alike.
    """
    reserved = anonymous_id.startswith(RESERVED_PREFIX) and user_id in (None, anonymous_id)
    return RESERVED_PREFIX + anonymous_id if reserved else anonymous_id


class _Replay:
    """The links of a fast store, without its events."""

    def __init__(self) -> None:
        self._links: dict[str, tuple[int, str]] = {}
        self._members: dict[str, set[str]] = {}
        self._merged: dict[str, str] = {}
        self._history: dict[str, list[tuple[_Moment, str]]] = {}

    def login(self, moment: _Moment, anonymous: str, user: str, previous: str | None) -> None:
        visitor = self._owner(RESERVED_PREFIX + user)
        if previous:
            if not previous.startswith(RESERVED_PREFIX):
                self._bind(previous, visitor, moment)
            self._bind(RESERVED_PREFIX + previous, visitor, moment)
        self._bind(anonymous, visitor, moment)

    def result(self) -> Identities:
        visitors: dict[str, str] = {}
        changes = {}
        for name, history in self._history.items():
            owners = [self._final(visitor) for _, visitor in history]
            if len(set(owners)) == 1:
                visitors[name] = owners[0]
            else:
                changes[name] = (tuple(moment for moment, _ in history), tuple(owners))
        return Identities(visitors, changes)

    def _owner(self, name: str) -> str:
        return self._links[name][1] if name in self._links else name

    def _bind(self, name: str, visitor: str, moment: _Moment) -> None:
        if name == visitor:
            return
        time = moment[1]
        held = self._links.get(name)
        if held is not None:
            if held[1] == visitor:
                self._links[name] = (max(held[0], time), visitor)
                return
            if held > (time, visitor):
                return
        members = self._members.setdefault(visitor, set())
        if len(members) >= MOST_LINKS:
            return
        if held is not None:
            self._members[held[1]].discard(name)
        self._follow(name, time, visitor, moment)
        for follower in self._members.pop(name, ()):
            self._follow(follower, self._links[follower][0], visitor, moment)
        self._merged.setdefault(name, visitor)

    def _follow(self, name: str, time: int, visitor: str, moment: _Moment) -> None:
        self._links[name] = (time, visitor)
        self._members.setdefault(visitor, set()).add(name)
        self._history.setdefault(name, []).append((moment, visitor))

    def _final(self, visitor: str) -> str:
        while visitor in self._merged:
            visitor = self._merged[visitor]
        return visitor


def _needed(found: pa.Table) -> npt.NDArray[np.bool_]:
    """Returns bool (N,): all logins of devices with several users, of the others the first and the newest."""
    count = found.num_rows
    needed = np.zeros(count, np.bool_)
    if not count:
        return needed
    anonymous, user = (found.column(name).combine_chunks().dictionary_encode() for name in ("anonymous_id", "user_id"))
    device, person = anonymous.indices.to_numpy(False).astype(np.int64), user.indices.to_numpy(False).astype(np.int64)
    pairs = np.unique(device * len(user.dictionary) + person)
    users = np.bincount(pairs // len(user.dictionary), minlength=len(anonymous.dictionary))
    needed |= (users > 1)[device]
    time, received = found.column("time_us").to_numpy(), found.column("received_us").to_numpy()
    for order in (np.lexsort((time, received, device)), np.lexsort((-received, -time, device))):
        first = np.diff(device[order], prepend=-1) != 0
        needed[order[first]] = True
    return needed


def _previous(named: pa.RecordBatch, alias: pa.Array) -> pa.Array:
    texts = pc.if_else(alias, plain(named.column("properties")), pa.scalar(None, pa.string())).dictionary_encode()
    found = pa.array([_previous_id(text) for text in texts.dictionary.to_pylist()], pa.string())
    return pc.take(found, texts.indices)


def _previous_id(properties: str) -> str | None:
    try:
        found = orjson.loads(properties).get(PREVIOUS_ID)
    except (orjson.JSONDecodeError, AttributeError):
        return None
    return found if isinstance(found, str) and found else None


def _encoded(column: pa.Array) -> pa.DictionaryArray:
    return column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
