"""One shard of events to its examples: the pure work between the shuffle and the files."""

from collections import Counter
from dataclasses import dataclass, field

import mmh3
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from example_generators.base import ExampleGenerator
from features.coding import CodedInstances, FeatureCoder
from features.ragged import offsets_of, places_of
from features.sessions import VISITOR, Sessions, Window, build_sessions
from features.slices import CENSORED, SliceError, Slices
from features.spec import FeatureSpec
from features.splits import OTHER_SPLIT, SPLITS, assign_splits

_GOLDEN_SEED = 0x601D


@dataclass(frozen=True)
class ShardExamples:
    """What became of one shard.

    Attributes:
        columns: split -> one row an example, every column a LargeList.
        labels: split -> label -> number of examples.
        golden: candidates of the golden set, the lowest ranks of the shard.
        sessions: number of sessions.
        visitors: number of visitors.
        dropped: reason -> number of events.
        excluded: reason -> number of slices.
    """

    columns: dict[str, pa.RecordBatch]
    labels: dict[str, dict[int, int]]
    golden: pa.Table
    sessions: int
    visitors: int
    dropped: dict[str, int] = field(default_factory=dict)
    excluded: dict[str, int] = field(default_factory=dict)


def shard_examples(
    events: pa.Table,
    *,
    coder: FeatureCoder,
    generator: ExampleGenerator,
    window: Window,
    golden: int = 0,
) -> ShardExamples:
    """Sessions, slices, features and splits of one shard.

    Args:
        events: all events of the shard's visitors, in any order, as ``transforms.shards.unpack`` gives them.
        coder: codes the instances; its spec also says how sessions and splits are made.
        generator: where to predict.
        window: the time the whole data set covers.
        golden: most candidates for the golden set to take from this shard.
    """
    spec = coder.spec
    sessions, dropped = build_sessions(events, spec.session_rules, window)
    slices = generator.slices_of(sessions)
    known = slices.label != CENSORED
    excluded = Counter({"censored": int((~known).sum())})
    slices = slices.take(np.flatnonzero(known))
    _check_labels(slices, spec)
    coded = coder.encode(sessions, slices)
    excluded["no_visible_event"] = len(slices) - len(coded.rows)
    slices = slices.take(coded.rows)

    visitors, names = _visitors(sessions, slices)
    splits = assign_splits(spec.split, visitors, names, coded.last_time_us, window)
    excluded["visitor_in_other_split"] = int((splits == OTHER_SPLIT).sum())
    ids = _example_ids(names.take(pa.array(visitors)), coded.last_time_us, slices.end)

    columns, labels = {}, {}
    for number, split in enumerate(SPLITS):
        rows = np.flatnonzero(splits == number)
        chosen = slices.take(rows)
        columns[split] = coded.take(rows).to_record_batch(
            label=chosen.label,
            visitor=names.take(pa.array(visitors[rows])),
            example_id=ids.take(pa.array(rows)),
            stats=chosen.stats,
        )
        values, counts = np.unique(chosen.label, return_counts=True)
        labels[split] = dict(zip(values.tolist(), counts.tolist(), strict=True))
    return ShardExamples(
        columns=columns,
        labels=labels,
        golden=_golden(sessions, slices, coded, splits, ids, spec, golden),
        sessions=len(sessions),
        visitors=int(np.count_nonzero(np.diff(sessions.codes(VISITOR)[0], prepend=-1))),
        dropped=dropped,
        excluded={reason: n for reason, n in excluded.items() if n},
    )


def _check_labels(slices: Slices, spec: FeatureSpec) -> None:
    wrong = slices.label[(slices.label < 0) | (slices.label >= spec.classes)]
    if len(wrong):
        raise SliceError(
            f"generator {spec.generator!r} gives the label {wrong[0]}; expected 0 to {spec.classes - 1}, or CENSORED: "
            "correct its labels or its `classes`"
        )


def _visitors(sessions: Sessions, slices: Slices) -> tuple[npt.NDArray[np.int32], pa.Array]:
    """Returns int32 (N,) codes of the slices' visitors and the distinct visitors they index."""
    codes, names = sessions.codes(VISITOR)
    return codes[sessions.offsets[slices.session]], names


def _example_ids(visitors: pa.Array, time_us: npt.NDArray[np.int64], end: npt.NDArray[np.int64]) -> pa.Array:
    """Returns ``visitor/time_us/end``; two sessions of a visitor never share a time and an end."""
    return pc.binary_join_element_wise(
        visitors.cast(pa.string()), pa.array(time_us).cast(pa.string()), pa.array(end).cast(pa.string()), "/"
    )


def _golden(
    sessions: Sessions,
    slices: Slices,
    coded: CodedInstances,
    splits: npt.NDArray[np.int8],
    ids: pa.Array,
    spec: FeatureSpec,
    most: int,
) -> pa.Table:
    """Returns the lowest-ranked examples that are not trained on, each with its raw events."""
    held_out = np.flatnonzero(splits > 0) if most else np.zeros(0, np.int64)
    names = ids.take(pa.array(held_out))
    ranks = np.array([mmh3.hash64(name, _GOLDEN_SEED, signed=False)[0] for name in names.to_pylist()], np.uint64)
    lowest = np.argsort(ranks, kind="stable")[:most]
    rows = held_out[lowest]
    chosen = coded.take(rows)
    # From its first step to its end, hidden events too: whoever replays it has to leave those out, as the service has.
    first = chosen.event_rows[offsets_of(chosen.lengths)[:-1]]
    lengths = sessions.offsets[slices.session[rows]] + slices.end[rows] - first
    raw = sessions.events.take(pa.array(places_of(first, lengths)))
    raw = pa.table(
        {name: _plain(raw.column(VISITOR if name == "anonymous_id" else name)) for name in spec.golden_columns}
    )
    offsets = offsets_of(lengths).astype(np.int32)
    structs = pa.StructArray.from_arrays(
        [raw.column(name).combine_chunks() for name in raw.column_names], names=raw.column_names
    )
    return pa.table(
        {
            "example_id": names.take(pa.array(lowest)),
            "split": pa.array([SPLITS[number] for number in splits[rows]], pa.string()),
            "rank": pa.array(ranks[lowest]),
            "label": pa.array(slices.label[rows]),
            "events": pa.ListArray.from_arrays(offsets, structs),
        }
    )


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
