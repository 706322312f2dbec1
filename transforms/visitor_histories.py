"""Makes of a shard's events what a fast store would answer with: each visitor's newest events."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.consent import OPTED_OUT
from features.sessions import VISITOR, Window
from transforms.own_events import EMAIL, RECENT, REFUSED
from transforms.shards import unpack
from transforms.tally import TALLY, Tally, count

VISITORS_A_PART = 2048
"""Visitors that are scored, and written, together."""


class VisitorPart(NamedTuple):
    """Some visitors of a shard, sorted by name.

    Attributes:
        shard: number of the shard.
        part: place among the shard's parts.
        visitors: names (V,).
        full: bool (V,), whether a store would have left older events out.
        emails: text (V,), hash of the newest e-mail address that is known, or null.
        events: of these visitors, sorted by (visitor, timestamp_us, message_id); with the column ``visitor``.
    """

    shard: int
    part: int
    visitors: pa.Array
    full: npt.NDArray[np.bool_]
    emails: pa.Array
    events: pa.Table


class VisitorHistories(beam.PTransform):
    """(shard, packed events of ``OwnEvents``) -> (``VisitorPart``; ``Tally`` under the tag ``TALLY``).

    Args:
        newest: how many events a store keeps of a visitor.
        window: singleton side input, ``Window``: visitors without an event in it are left out.
    """

    def __init__(self, newest: int, window: beam.pvalue.AsSingleton) -> None:
        super().__init__()
        self._divide, self._window = _Divide(newest), window

    def expand(self, shards: beam.PCollection) -> Any:
        return shards | "DivideShard" >> beam.ParDo(self._divide, self._window).with_outputs(TALLY, main="parts")


class _Divide(beam.DoFn):
    def __init__(self, newest: int) -> None:
        self._newest = newest

    def process(
        self, element: tuple[int, Iterable[bytes]], window: Window
    ) -> Iterator[VisitorPart | beam.pvalue.TaggedOutput[Literal["tally"], Tally]]:
        shard, pieces = element
        histories, left_out, copies = visitor_histories(unpack(pieces), self._newest, window)
        counts = {**count("left_out", left_out), **count("dropped", {"copy": copies})}
        yield beam.pvalue.TaggedOutput(TALLY, Tally({**counts, **count("kept", {"visitors": len(histories.visitors)})}))
        yield from divided(histories._replace(shard=shard))


def visitor_histories(events: pa.Table, newest: int, window: Window) -> tuple[VisitorPart, dict[str, int], int]:
    """Returns a shard's histories as one part, how many visitors were left out, by reason, and how many copies.

    Args:
        events: all that ``OwnEvents`` found of these visitors.
        newest: how many events a store keeps of each; of copies, messages of one visitor with one id, it keeps the
            one that was received first.
        window: visitors without an event in it are left out.
    """
    given, events = events.num_rows, _sorted(events)
    names = pc.unique(events.column(VISITOR))
    owner = pc.index_in(events.column(VISITOR), names).to_numpy().astype(np.int64)
    recent = events.column(RECENT).to_numpy(False).astype(np.bool_)
    numbers = np.bincount(owner[recent], minlength=len(names))
    newest_time = np.full(len(names), np.iinfo(np.int64).min)
    np.maximum.at(newest_time, owner[recent], events.column("timestamp_us").to_numpy()[recent])

    opted_out = _last(owner, events.column(REFUSED), len(names)).fill_null(False).to_numpy(False)
    reasons = {
        OPTED_OUT: opted_out,
        "no_recent_events": ~opted_out & (numbers == 0),
        "not_in_window": ~opted_out & (numbers > 0) & (newest_time < window.start_us),
    }
    chosen = ~np.any(list(reasons.values()), axis=0) if len(names) else np.zeros(0, np.bool_)
    emails = _last(owner, events.column(EMAIL), len(names))

    after = np.cumsum(recent[::-1])[::-1] - recent  # recent events of the shard that come later
    last = np.zeros(len(names), np.int64)
    ends = np.append(np.flatnonzero(np.diff(owner)), len(owner) - 1) if len(owner) else np.zeros(0, np.int64)
    last[owner[ends]] = after[ends]
    wanted = recent & chosen[owner] & (after - last[owner] < newest)
    dropped = [RECENT, REFUSED, EMAIL]
    part = VisitorPart(
        0,
        0,
        names.filter(pa.array(chosen)),
        numbers[chosen] >= newest,
        emails.filter(pa.array(chosen)),
        events.filter(pa.array(wanted)).drop_columns(dropped),
    )
    left_out = {reason: int(mask.sum()) for reason, mask in reasons.items() if mask.any()}
    return part, left_out, given - events.num_rows


def divided(histories: VisitorPart, most: int = VISITORS_A_PART) -> Iterator[VisitorPart]:
    """Yields the visitors of a part in parts of at most ``most``."""
    visitors = len(histories.visitors)
    owner = pc.index_in(histories.events.column(VISITOR), histories.visitors).to_numpy()
    for number, first in enumerate(range(0, visitors, most)):
        start, stop = np.searchsorted(owner, [first, min(first + most, visitors)])
        yield VisitorPart(
            histories.shard,
            number,
            histories.visitors.slice(first, most),
            histories.full[first : first + most],
            histories.emails.slice(first, most),
            histories.events.slice(start, stop - start),
        )


def _sorted(events: pa.Table) -> pa.Table:
    """Returns events by (visitor, time, message id), without copies; visitors are plain text."""
    names = events.column(VISITOR).cast(pa.string())
    events = events.set_column(events.schema.get_field_index(VISITOR), VISITOR, names).unify_dictionaries()
    keys = [(name, "ascending") for name in (VISITOR, "message_id", "received_at_us", "timestamp_us")]
    apart = events.group_by([VISITOR, "message_id"]).aggregate([])
    if apart.num_rows < events.num_rows:
        events = events.take(pc.sort_indices(events, sort_keys=keys))
        same = np.ones(events.num_rows, np.bool_)
        for name in (VISITOR, "message_id"):
            column = events.column(name).combine_chunks()
            same[1:] &= pc.equal(column[1:], column[:-1]).to_numpy(False)
        same[0] = False
        events = events.filter(pa.array(~same))
    order = [(name, "ascending") for name in (VISITOR, "timestamp_us", "message_id")]
    return events.take(pc.sort_indices(events, sort_keys=order)).combine_chunks()


def _last(owner: npt.NDArray[np.int64], column: pa.ChunkedArray, visitors: int) -> pa.Array:
    """Returns of each visitor the last value that is not null, null where there is none."""
    values = column.combine_chunks()
    rows = np.full(visitors, -1, np.int64)
    known = np.flatnonzero(values.is_valid().to_numpy(False))
    rows[owner[known]] = known  # rows ascend: the last one stays
    found = values.take(pa.array(rows, mask=rows < 0))
    return found.dictionary_decode() if pa.types.is_dictionary(found.type) else found
