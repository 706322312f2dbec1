"""Tombstones: visitors who asked to be forgotten, and when; what was received from them up to then is dropped.

A visitor is named as everywhere: an anonymous id, or ``user:`` and a user id. A tombstone holds the BLAKE2b-128 hash
of the name (https://www.rfc-editor.org/rfc/rfc7693), so that the list of the forgotten does not name them. Tombstones
lie in a folder, one small JSON-lines file a request: adding one never changes another, on a disk as on an object store.
"""

import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from features.errors import AuguryError
from features.recent_rules import RESERVED_PREFIX
from features.storage import atomic_write, list_files, read_bytes

FORGOTTEN = "forgotten"
"""Why an event of a forgotten visitor is dropped."""

REQUIRED_COLUMNS = ("anonymous_id", "user_id", "timestamp_us", "received_at_us")
"""The columns of ``EVENT_SCHEMA`` that ``Tombstones.mask`` looks at."""

_NEVER = np.iinfo(np.int64).min
_HASH = re.compile(r"[0-9a-f]{32}")
_PARTITION = re.compile(r"(.*)/events/date=\d{4}-\d\d-\d\d/hour=\d\d/[^/]+")


class TombstoneError(AuguryError, ValueError):
    """A file of tombstones that holds something else."""


@dataclass(frozen=True)
class Tombstones:
    """The forgotten.

    Attributes:
        until_us: hash of a visitor's name -> the time (int64 microseconds UTC) up to which the visitor is forgotten.
    """

    until_us: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.until_us)

    @classmethod
    def load(cls, path: str) -> "Tombstones":
        """Reads the tombstones of a folder (or of one file); where there is none, nobody is forgotten.

        Raises:
            TombstoneError: a file there holds something else.
            StorageError: it cannot be read.
        """
        return cls.union(cls(dict([pair])) for name in tombstone_files(path) for pair in _read(name))

    @classmethod
    def union(cls, several: "Iterable[Tombstones]") -> "Tombstones":
        """Returns tombstones of which each visitor's latest holds."""
        found: dict[str, int] = {}
        for tombstones in several:
            for visitor, at_us in tombstones.until_us.items():
                found[visitor] = max(at_us, found.get(visitor, at_us))
        return cls(found)

    @staticmethod
    def append(path: str, visitors: Iterable[str], at_us: int) -> str:
        """Adds tombstones to a folder, all of them or none; returns the file that holds them.

        Args:
            path: the folder, local or on ``gs://``; made if need be.
            visitors: names of visitors.
            at_us: what was received up to this time is to be forgotten, int64 microseconds UTC.

        Raises:
            StorageError: they cannot be written.
        """
        lines = [orjson.dumps({"visitor": visitor_hash(visitor), "at_us": at_us}) for visitor in sorted({*visitors})]
        name = f"{path.rstrip('/')}/{at_us}-{secrets.token_hex(8)}.jsonl"
        atomic_write(name, b"\n".join([*lines, b""]))
        return name

    def until(self, visitors: pa.Array) -> npt.NDArray[np.int64]:
        """Returns int64 (N,): the time up to which each visitor (a name, or null) is forgotten, the lowest if never."""
        encoded = visitors if pa.types.is_dictionary(visitors.type) else visitors.dictionary_encode()
        times = [self.until_us.get(visitor_hash(name), _NEVER) for name in encoded.dictionary.to_pylist()]
        codes = pc.fill_null(encoded.indices, len(times)).to_numpy(zero_copy_only=False)
        found: npt.NDArray[np.int64] = np.array([*times, _NEVER], np.int64)[codes]
        return found

    def mask(self, events: pa.RecordBatch) -> npt.NDArray[np.bool_]:
        """Says which events are to be dropped: those of a forgotten visitor received up to the tombstone's time.

        An event is a visitor's by its anonymous id and by its user id. Where there is no time of receipt, the event's
        own time stands for it.

        Args:
            events: N rows of ``EVENT_SCHEMA``, or of those of ``REQUIRED_COLUMNS`` that the source has.

        Returns:
            bool (N,).
        """
        if not self.until_us or not events.num_rows:
            return np.zeros(events.num_rows, np.bool_)
        until = self.until(events.column("anonymous_id"))
        if "user_id" in events.schema.names and events.column("user_id").null_count < events.num_rows:
            users = events.column("user_id")
            encoded = users if pa.types.is_dictionary(users.type) else users.dictionary_encode()
            names = pa.array([RESERVED_PREFIX + user for user in encoded.dictionary.to_pylist()], pa.string())
            named = pa.DictionaryArray.from_arrays(encoded.indices, names)
            until = np.maximum(until, self.until(named))
        times = events.column("timestamp_us")
        if "received_at_us" in events.schema.names:
            times = pc.coalesce(events.column("received_at_us"), times)
        dropped: npt.NDArray[np.bool_] = times.to_numpy(zero_copy_only=False) <= until
        return dropped


def drop_forgotten(events: pa.RecordBatch, tombstones: Tombstones) -> tuple[pa.RecordBatch, int]:
    """Returns the events of those who are not forgotten, in order, and how many were dropped."""
    dropped = tombstones.mask(events)
    return (events.filter(pa.array(~dropped)) if dropped.any() else events), int(dropped.sum())


def visitor_hash(visitor: str) -> str:
    """Returns the 32 hexadecimal digits that stand for a visitor's name."""
    return hashlib.blake2b(visitor.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def tombstone_files(path: str) -> list[str]:
    """Returns the files of tombstones in a folder, oldest first."""
    return [name for name in list_files(path) if name.endswith(".jsonl") or name == path]


def tombstones_beside(paths: Sequence[str]) -> list[str]:
    """Returns the folders where tombstones of the archives are that ``paths``, partitions' files, belong to."""
    roots = {found[1] for path in paths if (found := _PARTITION.fullmatch(path))}
    return [f"{root}/tombstones" for root in sorted(roots)]


def _read(name: str) -> Iterable[tuple[str, int]]:
    for number, line in enumerate(read_bytes(name).splitlines(), 1):
        try:
            row = orjson.loads(line)
            visitor, at_us = row["visitor"], row["at_us"]
            if not _HASH.fullmatch(visitor) or type(at_us) is not int:
                raise ValueError(visitor)
        except (ValueError, KeyError, TypeError) as e:
            raise TombstoneError(
                f'{name}: line {number} is no tombstone; expected {{"visitor": 32 hexadecimal digits, "at_us": '
                "microseconds}; restore the file, since without it forgotten visitors would come back"
            ) from e
        yield visitor, at_us
