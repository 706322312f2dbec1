"""What became of a campaign's messages: counts by product, variant and campaign, from tables of counts or of events.

Both forms become rows of one schema: an event is a row of counts that are 0 but for one. Rows of one key are added up.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import mmh3
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.checks import dead_letters, no_dead_letters
from features.creative_spec import COUNTS
from features.errors import AuguryError

KEYS = ("product", "variant", "campaign", "campaign_type", "industry", "brand", "gender", "kind")
"""What a row of conversions is about; all but product and variant may be ""."""

CONVERSION_SCHEMA = pa.schema(
    [*(pa.field(name, pa.string(), nullable=False) for name in KEYS), *(pa.field(name, pa.int64()) for name in COUNTS)]
)
"""Conversions as examples hold them; a count is null where it was not recorded. Simulated ones also have float64
columns ``truth_<target>`` with the true probability."""

ROW_SCHEMA = CONVERSION_SCHEMA.append(pa.field("recipient", pa.uint64()))
"""Conversions as they are read: ``recipient`` is a hash of who did it, null where nobody says."""

TRUTH = "truth_"
"""Prefix of the columns of true probabilities."""

SIMULATED = b"augury.simulated"
"""Key of the file metadata that says how conversions were simulated."""

EVENTS = {
    "email_sent": "sent",
    "email_open": "opened",
    "click": "clicked",
    "abandoned_cart": "abandoned",
    "unsubscribe": "unsubscribed",
}
"""Names of events in the event form, and what each counts."""

MOST = {"opened": "sent", "clicked": "sent", "abandoned": "clicked", "unsubscribed": "sent"}
"""Counts that cannot be more than another."""

NO_PRODUCT = "no_product"
NO_VARIANT = "no_variant"
BAD_NUMBER = "bad_number"
NEGATIVE = "negative_count"
NO_SENDS = "no_sends"
NOTHING_COUNTED = "nothing_counted"
UNKNOWN_EVENT = "unknown_event"
UNKNOWN_PRODUCT = "unknown_product"
UNKNOWN_VARIANT = "unknown_variant"
IMAGE_NOT_READ = "image_not_read"
REASONS = (
    *(NO_PRODUCT, NO_VARIANT, BAD_NUMBER, NEGATIVE, NO_SENDS, NOTHING_COUNTED, UNKNOWN_EVENT, UNKNOWN_PRODUCT),
    *(UNKNOWN_VARIANT, IMAGE_NOT_READ, *(f"{count}_more_than_{among}" for count, among in MOST.items())),
)
"""Every reason why a row is refused; docs/creative-examples.md says what each means."""

_WHOLE = r"^\s*[+-]?[0-9]{1,15}(\.0+)?\s*$"
_SEED = 0x5EED


class ConversionsError(AuguryError, ValueError):
    """A table that cannot hold conversions."""


@dataclass(frozen=True)
class AdaptedConversions:
    """Some rows of a table.

    Attributes:
        rows: in ``ROW_SCHEMA``, and with the columns ``truth_<target>`` that the table has.
        rejected: in ``DEAD_LETTER_SCHEMA``.
        recorded: the counts that these rows give; of events, those that there are.
    """

    rows: pa.RecordBatch
    rejected: pa.RecordBatch
    recorded: frozenset[str] = frozenset()


def adapt_conversions(table: pa.RecordBatch, source: str) -> AdaptedConversions:
    """Parts rows of text into conversions and dead letters.

    Args:
        table: columns of text: product, variant and either an ``event`` or counts; others of ``KEYS``, ``recipient``
            and ``truth_<target>`` where there are.
        source: the file, for the dead letters.
    """
    rows = table.num_rows
    reasons = np.full(rows, "", object)
    columns = {name: _text(table, name) for name in KEYS}
    recipient = pa.nulls(rows, pa.uint64())
    if "event" in table.schema.names:
        counts = _one_event(table.column("event"), reasons)
        if "recipient" in table.schema.names:
            recipient = _hashed(table.column("recipient"))
    else:
        counts = {name: _whole(table, name, reasons) for name in COUNTS}
    truths = {name: _share(table.column(name), reasons) for name in table.schema.names if name.startswith(TRUTH)}
    _reject(reasons, _empty(columns["variant"]), NO_VARIANT, first=True)
    _reject(reasons, _empty(columns["product"]), NO_PRODUCT, first=True)
    made = pa.RecordBatch.from_arrays(
        [*columns.values(), *counts.values(), recipient, *truths.values()],
        schema=pa.schema([*ROW_SCHEMA, *(pa.field(name, pa.float64()) for name in truths)]),
    )
    counted = "event" not in table.schema.names
    if counted:
        reject_impossible(made, reasons)
    kept, rejected = part(made, reasons, source, shown=table)
    found = {name: pc.is_valid(kept.column(name)) if counted else pc.greater(kept.column(name), 0) for name in COUNTS}
    return AdaptedConversions(kept, rejected, frozenset(name for name, there in found.items() if pc.any(there).as_py()))


def reject_impossible(rows: pa.RecordBatch, reasons: npt.NDArray[np.object_]) -> None:
    """Marks rows of counts that cannot be, in ``reasons`` (rows,), unless they are marked already."""
    counts = {name: rows.column(name) for name in COUNTS}
    for values in counts.values():
        _reject(reasons, pc.less(values, 0), NEGATIVE)
    _reject(reasons, pc.fill_null(pc.equal(counts["sent"], 0), True), NO_SENDS)
    recorded = [pc.is_valid(counts[name]) for name in MOST]
    _reject(reasons, pc.invert(pc.or_(pc.or_(*recorded[:2]), pc.or_(*recorded[2:]))), NOTHING_COUNTED)
    for count, among in MOST.items():
        _reject(reasons, pc.greater(counts[count], counts[among]), f"{count}_more_than_{among}")


def part(
    rows: pa.RecordBatch, reasons: npt.NDArray[np.object_], source: str, shown: pa.RecordBatch | None = None
) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Returns the rows without a reason, and the others as dead letters (as ``shown`` has them)."""
    bad = np.flatnonzero(reasons != "")
    if not len(bad):
        return rows, no_dead_letters()
    told = (rows if shown is None else shown).take(pa.array(bad)).to_pylist()
    texts = [",".join("" if value is None else str(value) for value in row.values()) for row in told]
    return rows.filter(pa.array(reasons == "")), dead_letters(reasons[bad].tolist(), texts, source)


def sum_conversions(batches: Iterable[pa.RecordBatch], recorded: Collection[str] = COUNTS) -> pa.RecordBatch:
    """Adds up the rows of each key; of one recipient an event counts once.

    Args:
        batches: in ``ROW_SCHEMA``, some with columns of truth.
        recorded: counts that the source records; the others become null, since nobody looked.

    Returns:
        One row a key, sorted by it, in ``CONVERSION_SCHEMA`` and with the columns of truth. A count that one of
        its rows lacks is null.
    """
    table = pa.concat_tables([pa.Table.from_batches([batch]) for batch in batches], promote_options="default")
    truths = [name for name in table.schema.names if name.startswith(TRUTH)]
    told = pc.is_valid(table.column("recipient"))
    if pc.any(told).as_py():
        once = table.filter(told).group_by([*KEYS, "recipient", *truths]).aggregate([(name, "max") for name in COUNTS])
        once = once.rename_columns([name.removesuffix("_max") for name in once.column_names])
        table = pa.concat_tables([table.filter(pc.invert(told)).select(once.column_names), once])
    strict = pc.ScalarAggregateOptions(skip_nulls=False)
    added = table.group_by(list(KEYS)).aggregate(
        [*((name, "sum", strict) for name in COUNTS), *((name, "max") for name in truths)]
    )
    added = added.rename_columns([name.removesuffix("_sum").removesuffix("_max") for name in added.column_names])
    added = added.sort_by([(name, "ascending") for name in KEYS])
    columns: list[Any] = [added.column(name).combine_chunks() for name in KEYS]
    for name in COUNTS:
        values = added.column(name).combine_chunks().cast(pa.int64())
        columns.append(values if name in recorded else pa.nulls(len(values), pa.int64()))
    columns += [added.column(name).combine_chunks() for name in truths]
    schema = pa.schema([*CONVERSION_SCHEMA, *(pa.field(name, pa.float64()) for name in truths)])
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _text(table: pa.RecordBatch, name: str) -> pa.Array:
    if name not in table.schema.names:
        return pa.array([""] * table.num_rows, pa.string())
    return pc.utf8_trim_whitespace(pc.fill_null(table.column(name), ""))


def _one_event(events: pa.Array, reasons: npt.NDArray[np.object_]) -> dict[str, pa.Array]:
    found = pc.index_in(pc.utf8_trim_whitespace(events), pa.array(list(EVENTS)))
    _reject(reasons, pc.is_null(found), UNKNOWN_EVENT)
    counted = pc.take(pa.array(list(EVENTS.values())), pc.fill_null(found, 0))
    return {name: pc.equal(counted, name).cast(pa.int64()) for name in COUNTS}


def _whole(table: pa.RecordBatch, name: str, reasons: npt.NDArray[np.object_]) -> pa.Array:
    """Returns a column of texts as integers; an empty one is null, one that is no integer is marked."""
    if name not in table.schema.names:
        return pa.nulls(table.num_rows, pa.int64())
    column = table.column(name)
    good = pc.match_substring_regex(pc.fill_null(column, ""), _WHOLE)
    _reject(reasons, pc.and_(pc.invert(good), pc.invert(_empty(column))), BAD_NUMBER)
    digits = pc.replace_substring_regex(pc.utf8_trim_whitespace(column), r"\.0+$|^\+", "")
    return pc.if_else(good, digits, pa.scalar(None, pa.string())).cast(pa.int64())


def _share(column: pa.Array, reasons: npt.NDArray[np.object_]) -> pa.Array:
    texts = pc.fill_null(pc.utf8_trim_whitespace(column), "")
    good = pc.match_substring_regex(texts, r"^(0|1|0?\.[0-9]+|[01]\.0*|[0-9](\.[0-9]+)?e-[0-9]+)$")
    _reject(reasons, pc.and_(pc.invert(good), pc.invert(_empty(texts))), BAD_NUMBER)
    return pc.if_else(good, texts, pa.scalar(None, pa.string())).cast(pa.float64())


def _hashed(column: pa.Array) -> pa.Array:
    """Returns a hash of each text, null where it is empty."""
    coded = pc.if_else(_empty(column), pa.scalar(None, pa.string()), column).dictionary_encode()
    hashes = [mmh3.hash64(text, _SEED, signed=False)[0] for text in coded.dictionary.to_pylist()]
    return pa.array(hashes, pa.uint64()).take(coded.indices)


def _empty(column: pa.Array) -> pa.Array:
    return pc.fill_null(pc.equal(pc.binary_length(pc.utf8_trim_whitespace(column)), 0), True)


def _reject(reasons: npt.NDArray[np.object_], where: pa.Array, reason: str, first: bool = False) -> None:
    """Marks rows; ``first`` outdoes what they are marked with."""
    bad = pc.fill_null(where, False).to_numpy(False)
    reasons[bad if first else bad & (reasons == "")] = reason
