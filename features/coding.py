"""FeatureCoder: instances to arrays of small integers, on columns, the same in training and in serving."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.bucketing import MinMax, OneHot
from features.memo import Described, Memo
from features.ragged import Ints, changes, offsets_of, take_lists
from features.sessions import Sessions
from features.slices import Slices
from features.spec import FeatureSpec, FeatureSpecError
from features.steps import Steps, visible_steps
from features.values import instance_numbers, instance_strings, step_numbers

_MEMO_LIMIT = 300_000
"""Most distinct strings remembered between calls, some 100 MB; beyond it the memo starts afresh."""

_LARGEST_KEY = 2**62


@dataclass(frozen=True)
class CodedInstances:
    """N instances of T steps in all, with B set hash buckets in all.

    Attributes:
        rows: int64 (N,) which slices they are; a slice without a visible event is none.
        lengths: int64 (N,) steps of each instance; T is their sum.
        hash_values: int64 (B,) set buckets of each step, sorted within it.
        hash_lengths: int64 (T,) number of set buckets of each step.
        steps: name -> int64 (T,) bins.
        metadata: name -> int64 (N,) bins or float32 (N,) numbers.
        event_rows: int64 (T,) row of ``sessions.events`` of each step.
        last_time_us: int64 (N,) time of the last step.
    """

    rows: Ints
    lengths: Ints
    hash_values: Ints
    hash_lengths: Ints
    steps: Mapping[str, Ints]
    metadata: Mapping[str, npt.NDArray[Any]]
    event_rows: Ints
    last_time_us: Ints

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: Ints | npt.NDArray[np.bool_]) -> "CodedInstances":
        """Returns the instances at ``rows`` (indices or a boolean mask)."""
        chosen = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows.astype(np.int64, copy=False)
        places, lengths = take_lists(np.arange(len(self.hash_lengths)), offsets_of(self.lengths), chosen)
        values, hash_lengths = take_lists(self.hash_values, offsets_of(self.hash_lengths), places)
        return CodedInstances(
            rows=self.rows[chosen],
            lengths=lengths,
            hash_values=values,
            hash_lengths=hash_lengths,
            steps={name: bins[places] for name, bins in self.steps.items()},
            metadata={name: values[chosen] for name, values in self.metadata.items()},
            event_rows=self.event_rows[places],
            last_time_us=self.last_time_us[chosen],
        )

    def to_record_batch(
        self,
        *,
        label: Ints,
        visitor: pa.Array,
        example_id: pa.Array,
        stats: Mapping[str, npt.NDArray[np.float32]],
    ) -> pa.RecordBatch:
        """Returns one row an instance, every column a LargeList, named and ordered as ``FeatureSpec.tensors``.

        Args:
            label: int64 (N,).
            visitor: strings (N,), plain or dictionary-encoded.
            example_id: strings (N,).
            stats: name -> float32 (N,).
        """
        steps = pa.array(offsets_of(self.lengths))
        buckets = pa.array(offsets_of(self.hash_lengths)[offsets_of(self.lengths)])
        ones = pa.array(np.arange(len(self) + 1))
        columns = {
            "hash/values": (buckets, self.hash_values),
            "hash/lengths": (steps, self.hash_lengths),
            **{f"step/{name}": (steps, bins) for name, bins in self.steps.items()},
            **{f"metadata/{name}": (ones, values) for name, values in self.metadata.items()},
            "label": (ones, label.astype(np.int64, copy=False)),
            "time_us": (ones, self.last_time_us),
            "visitor": (ones, visitor.cast(pa.binary())),
            "example_id": (ones, example_id.cast(pa.binary())),
            **{f"stats/{name}": (ones, values.astype(np.float32, copy=False)) for name, values in stats.items()},
        }
        return pa.RecordBatch.from_arrays(
            [pa.LargeListArray.from_arrays(offsets, pa.array(values)) for offsets, values in columns.values()],
            names=list(columns),
        )


class FeatureCoder:
    """Codes instances as a spec says.

    An instance is the last ``sequence_length`` visible events of a slice, and everything is computed from those
    alone: whoever has only these events gets the same bits as the batch job that has them all. The coder remembers
    every distinct string it has met, so keep one per process; it may be shared by threads and pickled (without memory).
    """

    def __init__(self, spec: FeatureSpec) -> None:
        """Takes a fitted spec.

        Raises:
            FeatureSpecError: the spec still waits for edges or a vocabulary.
        """
        if spec.needs_fitting:
            waiting = [item.name for item in (*spec.steps, *spec.metadata) if not item.coding.fitted]
            raise FeatureSpecError(f"features {', '.join(waiting)} have no edges or vocabulary yet; run fit_spec first")
        self.spec = spec
        self._memo = Memo(spec)

    def __reduce__(self) -> tuple[type["FeatureCoder"], tuple[FeatureSpec]]:
        return FeatureCoder, (self.spec,)

    def encode(self, sessions: Sessions, slices: Slices) -> CodedInstances:
        """Returns the coded instances of the slices that have a visible event, in the order of the slices.

        Raises:
            SliceError: a slice lies outside its session.
            MissingColumnError: a column of ``spec.required_columns()`` was not carried here.
        """
        spec = self.spec
        if len(self._memo) > _MEMO_LIMIT:
            self._memo = Memo(spec)
        described = Described(self._memo, sessions)
        steps = visible_steps(sessions, slices, spec.hides, spec.sequence_length)
        values, lengths = self._hash(described, steps)
        return CodedInstances(
            rows=steps.rows,
            lengths=steps.lengths,
            hash_values=values,
            hash_lengths=lengths,
            steps={
                item.name: item.coding.index(step_numbers(item.of, steps, spec.utc_offset_seconds))  # type: ignore[union-attr,arg-type]
                for item in spec.steps
            },
            metadata={item.name: self._metadata(item.of, item.coding, steps, described) for item in spec.metadata},
            event_rows=steps.event_rows,
            last_time_us=steps.time_us[steps.last],
        )

    def _metadata(self, of: str, coding: Any, steps: Steps, described: Described) -> npt.NDArray[Any]:
        if isinstance(coding, OneHot):
            numbers, names = instance_strings(of, steps, described)
            return coding.index([*names, None])[numbers]  # NONE, -1, is the place after the names
        values = instance_numbers(of, steps, described, self.spec.visit_gap_seconds)
        return coding.scale(values) if isinstance(coding, MinMax) else coding.index(values)

    def _hash(self, described: Described, steps: Steps) -> tuple[Ints, Ints]:
        """Returns the set buckets of every step and how many it has: the union over its columns."""
        columns = [(described.memo.tables[name], described.profiles(name)) for name in described.memo.hashed]
        codes, firsts = _combine([(profiles, table.profiles) for table, profiles in columns])
        keys = []
        size = self.spec.hash.size
        for table, profiles in columns:
            buckets, lengths = take_lists(*table.buckets(), profiles[firsts])
            keys.append(np.repeat(np.arange(len(firsts)) * size, lengths) + buckets)
        union = np.sort(np.concatenate(keys))
        union = union[np.flatnonzero(changes(union, -1))]
        per_code = np.bincount(union // size, minlength=len(firsts))
        return take_lists(union % size, offsets_of(per_code), codes[steps.event_rows])


def _combine(columns: list[tuple[Ints, int]]) -> tuple[Ints, Ints]:
    """Returns int64 (E,) codes of the distinct rows of several columns of codes, and the first event of each.

    Args:
        columns: int64 (E,) codes and how many there can be.
    """
    key, count = columns[0]
    for codes, size in columns[1:]:
        if count * size > _LARGEST_KEY:
            encoded = pa.array(key).dictionary_encode()
            key, count = encoded.indices.to_numpy().astype(np.int64), len(encoded.dictionary)
        key = key * size + codes
        count *= size
    encoded = pa.array(key).dictionary_encode()
    codes = encoded.indices.to_numpy()
    firsts = np.empty(len(encoded.dictionary), np.int64)
    firsts[codes[::-1]] = np.arange(len(codes))[::-1]
    return codes.astype(np.int64), firsts
