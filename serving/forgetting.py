"""Forgetting: a visitor leaves the fast store at once, and the archive by tombstones that rewrite its partitions."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt
import orjson

from features.recent_rules import Forgotten
from features.storage import atomic_write, list_files
from features.tombstones import Tombstones, tombstone_files
from serving.archive import EVENTS, HEATMAPS, PREDICTIONS, RECOMMENDATIONS, STREAMS
from serving.compaction_parts import copy_rows, hour_of_part, list_parts, open_part, readable
from serving.compaction_streams import SCHEMAS, forgotten

_APPLIED = ".applied.json"
_COLUMNS = {
    EVENTS: ("anonymous_id", "user_id", "timestamp_us", "received_at_us"),
    PREDICTIONS: ("visitor", "time_us"),
    HEATMAPS: ("time_us",),
    RECOMMENDATIONS: ("time_us",),
}


@dataclass(frozen=True)
class Rewritten:
    """What forgetting took out of the archive.

    Attributes:
        rows: rows removed, by stream.
        parts: parts written again.
    """

    rows: Counter[str] = field(default_factory=Counter)
    parts: list[str] = field(default_factory=list)


class Store(Protocol):
    """What forgetting needs of the fast store."""

    async def forget(self, visitor: str) -> Forgotten:
        """Removes a visitor and all names that lead to it."""


async def forget_visitor(store: Store | None, archive: str, visitor: str, at_us: int) -> Forgotten:
    """Sets tombstones for a visitor and all its names, and removes it from the fast store.

    The name asked for is on record before anything is removed, so that a crash forgets nothing of the request.

    Args:
        store: the fast store; None where there is none.
        archive: root of the archive.
        visitor: an anonymous id, or ``user:<user_id>``.
        at_us: what was received up to this time is forgotten, int64 microseconds UTC.

    Returns:
        What the store removed, and every name that a tombstone was set for.

    Raises:
        StorageError: a tombstone cannot be written.
        StoreUnavailableError: the store cannot be used now; the tombstone of the name asked for is set.
    """
    folder = tombstones_folder(archive)
    await asyncio.to_thread(Tombstones.append, folder, [visitor], at_us)
    if store is None:
        return Forgotten(visitor, 0, 0, (visitor,))
    forgotten = await store.forget(visitor)
    others = {*forgotten.names} - {visitor}
    if others:
        await asyncio.to_thread(Tombstones.append, folder, others, at_us)
    return replace(forgotten, names=tuple(dict.fromkeys((*forgotten.names, visitor))))


def tombstones_folder(archive: str) -> str:
    """Returns where the tombstones of an archive are."""
    return f"{archive.rstrip('/')}/tombstones"


def pending_tombstones(archive: str) -> list[str]:
    """Returns the files of tombstones that the archive's partitions have not been rid of yet."""
    folder = tombstones_folder(archive)
    applied = {name.removesuffix(_APPLIED) for name in list_files(folder) if name.endswith(_APPLIED)}
    return [name for name in tombstone_files(folder) if name.removesuffix(".jsonl") not in applied]


def apply_tombstones(archive: str, files: Sequence[str]) -> Rewritten:
    """Writes the parts that hold a forgotten visitor again, without; whoever calls is alone with the archive.

    A part keeps its name and its list of spool files, and changes in one step. Done again, it finds nothing to do.

    Args:
        archive: root of the archive.
        files: files of tombstones, which are then marked as applied.

    Raises:
        AuguryError: something cannot be read or written; the tombstones stay pending.
    """
    result = Rewritten()
    tombstones = Tombstones.union(map(Tombstones.load, files))
    if len(tombstones):
        latest_us = max(tombstones.until_us.values())
        for stream in STREAMS:
            for part in list_parts(archive, stream):
                hour_us = hour_of_part(part)
                if hour_us is not None and hour_us <= latest_us:
                    _rewrite(stream, part, hour_us, tombstones, result)
    for name in files:
        note = {"rows": dict(result.rows), "parts": len(result.parts)}
        atomic_write(name.removesuffix(".jsonl") + _APPLIED, orjson.dumps(note))
    return result


def _rewrite(stream: str, part: str, hour_us: int, tombstones: Tombstones, result: Rewritten) -> None:
    dropped = _dropped(stream, part, hour_us, tombstones)
    if dropped.any():
        copy_rows(part, part, dropped)
        result.rows[stream] += int(dropped.sum())
        result.parts.append(part)


def _dropped(stream: str, path: str, hour_us: int, tombstones: Tombstones) -> npt.NDArray[np.bool_]:
    """Returns bool (N,) for the rows of a part; only the columns that say whose they are get read."""
    found = [np.zeros(0, np.bool_)]
    with open_part(path) as part:
        columns = [name for name in _COLUMNS.get(stream, SCHEMAS[stream].names) if name in part.schema_arrow.names]
        with readable(path):
            for batch in part.iter_batches(columns=columns):
                found.append(forgotten(stream, batch, tombstones, hour_us))
    return np.concatenate(found)
