"""How many hash buckets data needs: collisions and sparsity over a range of sizes."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import mmh3
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.errors import AuguryError
from features.fields import HashSpec
from features.tokens import column_tokens

DEFAULT_SIZES = tuple(2**power for power in range(6, 19))
"""64 to 262,144 buckets."""

TARGET_COLLISION_RATE = 0.1
"""At this rate about 81 % of the buckets stay empty, the "about 80 %" of Zap (arXiv 1807.06046)."""


class InspectionError(AuguryError, ValueError):
    """Data or sizes that nothing can be said about."""


@dataclass(frozen=True)
class BucketRow:
    """What one size does to the T distinct tokens of the data, O of the m buckets being set by at least one.

    Attributes:
        size: number of buckets m.
        collision_rate: ``1 - O / T``: the share of distinct tokens that found their bucket taken by an earlier one.
        expected_collision_rate: the same for an ideal hash, ``1 - m (1 - (1 - 1/m)^T) / T``.
        sparsity: ``1 - O / m``: the share of buckets that no token sets.
        shared_occurrences: the share of token occurrences in events whose bucket another distinct token sets too, so
            that the model cannot tell the two apart by it.
        event_sparsity: ``1 - (mean tokens of an event) / m``: the share of zeros in the vector of one event, but for
            collisions within it.
    """

    size: int
    collision_rate: float
    expected_collision_rate: float
    sparsity: float
    shared_occurrences: float
    event_sparsity: float


@dataclass(frozen=True)
class BucketReport:
    """Sizes compared.

    Attributes:
        events: events read.
        tokens: distinct tokens T in them.
        tokens_per_event: mean number of distinct tokens of an event.
        target: the collision rate to stay within.
        rows: one a size, smallest first.
        recommended: the smallest size whose collision rate is at most the target; None where none is.
    """

    events: int
    tokens: int
    tokens_per_event: float
    target: float
    rows: tuple[BucketRow, ...]
    recommended: int | None


def inspect_buckets(
    batches: Iterable[pa.Table | pa.RecordBatch],
    hashing: HashSpec,
    sizes: Sequence[int] = DEFAULT_SIZES,
    target: float = TARGET_COLLISION_RATE,
    hides: Sequence[str] = (),
) -> BucketReport:
    """Returns what each size does to the tokens of the events; the size in ``hashing`` plays no part.

    Args:
        batches: events; they need the columns that the hash fields are of, and ``event`` with ``hides``.
        hashing: the fields hashed, the seed and the most tokens of a field.
        sizes: numbers of buckets to try, each at least 2.
        target: the collision rate to stay within, above 0 and below 1.
        hides: names of events left out, as the instances leave them out.

    Raises:
        InspectionError: no event has a token, a size or the target is impossible, or a column is missing.
    """
    if not sizes or min(sizes) < 2:
        raise InspectionError(f"sizes {list(sizes)} are not possible; expected numbers of buckets of at least 2")
    if not 0 < target < 1:
        raise InspectionError(f"target collision rate {target!r} is not possible; expected a share between 0 and 1")
    events, counts = _count_tokens(batches, hashing, hides)
    if not counts:
        raise InspectionError(
            f"none of the {events} events has a token of {', '.join(hashing.fields)}; choose fields that the data has"
        )
    hashes = np.array(
        [mmh3.hash(token.encode("utf-8", "surrogatepass"), hashing.seed, signed=False) for token in counts], np.int64
    )
    occurrences = np.array(list(counts.values()), np.int64)
    per_event = float(occurrences.sum() / events)
    rows = tuple(_row(size, hashes, occurrences, per_event) for size in sorted(set(sizes)))
    recommended = next((row.size for row in rows if row.collision_rate <= target), None)
    return BucketReport(events, len(hashes), per_event, target, rows, recommended)


def _row(size: int, hashes: npt.NDArray[np.int64], occurrences: npt.NDArray[np.int64], per_event: float) -> BucketRow:
    tokens = len(hashes)
    _, which, members = np.unique(hashes % size, return_inverse=True, return_counts=True)
    occupied = len(members)
    ideal = -size * np.expm1(tokens * np.log1p(-1 / size))
    return BucketRow(
        size=size,
        collision_rate=1 - occupied / tokens,
        expected_collision_rate=float(1 - ideal / tokens),
        sparsity=1 - occupied / size,
        shared_occurrences=float(occurrences[members[which] > 1].sum() / occurrences.sum()),
        event_sparsity=max(0.0, 1 - per_event / size),
    )


def _count_tokens(
    batches: Iterable[pa.Table | pa.RecordBatch], hashing: HashSpec, hides: Sequence[str]
) -> tuple[int, Counter[str]]:
    """Returns the number of events, and how many of them have each token."""
    fields: dict[str, list[str]] = {}
    for name in hashing.fields:
        fields.setdefault(name.partition(".")[0], []).append(name)
    events, counts = 0, Counter[str]()
    for batch in batches:
        for column in (*fields, *(("event",) if hides else ())):
            if column not in batch.schema.names:
                raise InspectionError(
                    f"column {column!r} is not in the data ({', '.join(batch.schema.names)}); leave its fields out"
                )
        if hides:
            names = batch.column("event").cast(pa.string())
            batch = batch.filter(pc.invert(pc.is_in(names, pa.array(list(hides), pa.string()))))
        events += batch.num_rows
        for column, wanted in fields.items():
            for value in pc.value_counts(batch.column(column).cast(pa.string())):
                times = value["counts"].as_py()
                for token in column_tokens(column, wanted, value["values"].as_py(), hashing.max_tokens):
                    counts[token] += times
    return events, counts
