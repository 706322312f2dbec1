"""Groups of features, as a feature spec names them: what of an instance is permuted together.

Hash bits carry no name, so whose they are is read off raw events: a bucket is its that sets it most often there. A site
with more paths than buckets shares every bucket out, and then fields cannot be told apart; ``told_apart`` says how far.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.fields import AGENT_VALUES, NUMBERS
from features.hashing import bucket_of
from features.spec import FeatureSpec
from features.tokens import column_tokens

Bools = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class FeatureGroup:
    """Features that say something together.

    Attributes:
        name: ``hash``, ``hash/<column>``, ``hash/<field>``, ``step/<feature>``, ``metadata/agent``, ``metadata/source``
            or ``metadata/history``.
        features: their names in the feature spec.
        buckets: bool (m,), the hash buckets that are the group's; none outside ``hash``.
        steps: names of its features of a step.
        metadata: names of its features of an instance.
        told_apart: of all that set the group's buckets in the raw events, the share that the group itself is; None
            where buckets do not come into it.
    """

    name: str
    features: tuple[str, ...]
    buckets: Bools
    steps: tuple[str, ...] = ()
    metadata: tuple[str, ...] = ()
    told_apart: float | None = None


def feature_groups(spec: FeatureSpec, events: pa.Table) -> list[FeatureGroup]:
    """Returns the groups of a spec: hash bits (all, by column, by field), each feature of a step, kinds of metadata.

    A column or field to which no bucket falls is left out.

    Args:
        spec: fitted.
        events: raw events, those of the golden set, say, with ``spec.required_columns()``. They only serve to find out
            whose a hash bucket is.
    """
    none = np.zeros(spec.hash.size, np.bool_)
    groups = [*_hash_groups(spec, events)]
    groups += [FeatureGroup(f"step/{item.name}", (item.name,), none, steps=(item.name,)) for item in spec.steps]
    kinds = {
        "agent": tuple(item.name for item in spec.metadata if item.of in AGENT_VALUES),
        "source": tuple(item.name for item in spec.metadata if item.of not in (*AGENT_VALUES, *NUMBERS)),
        "history": tuple(item.name for item in spec.metadata if item.of in NUMBERS),
    }
    groups += [FeatureGroup(f"metadata/{kind}", own, none, metadata=own) for kind, own in kinds.items() if own]
    return groups


def _hash_groups(spec: FeatureSpec, events: pa.Table) -> Iterator[FeatureGroup]:
    fields = spec.hash.fields
    yield FeatureGroup("hash", fields, np.ones(spec.hash.size, np.bool_))
    counts = bucket_counts(spec, events)
    columns: dict[str, tuple[str, ...]] = {}
    for field in fields:
        columns[_column(field)] = (*columns.get(_column(field), ()), field)
    if len(columns) > 1:
        together = {name: np.sum([counts[field] for field in own], axis=0) for name, own in columns.items()}
        for name, (buckets, told_apart) in _owned(together).items():
            yield FeatureGroup(f"hash/{name}", columns[name], buckets, told_apart=told_apart)
    for field, (buckets, told_apart) in _owned(counts).items():
        if len(columns[_column(field)]) > 1:  # else the column is the field
            yield FeatureGroup(f"hash/{field}", (field,), buckets, told_apart=told_apart)


def bucket_counts(spec: FeatureSpec, events: pa.Table) -> dict[str, Counts]:
    """Returns how often each hash field sets each bucket in some events: field -> int64 (m,)."""
    counts = {field: np.zeros(spec.hash.size, np.int64) for field in spec.hash.fields}
    for column in dict.fromkeys(map(_column, spec.hash.fields)):
        found = pc.value_counts(events.column(column).cast(pa.string()))
        own = [field for field in spec.hash.fields if _column(field) == column]
        for text, times in zip(found.field("values").to_pylist(), found.field("counts").to_pylist(), strict=True):
            for field in own:
                for token in column_tokens(column, (field,), text, spec.hash.max_tokens):
                    counts[field][bucket_of(token, spec.hash.size, spec.hash.seed)] += times
    return counts


def _owned(counts: dict[str, Counts]) -> dict[str, tuple[Bools, float]]:
    """Returns name -> the buckets that it sets most often, if any, and which share of all that set them is its own."""
    table = np.stack(list(counts.values()))
    owner = np.where(table.any(axis=0), table.argmax(axis=0), -1)
    found = {}
    for index, name in enumerate(counts):
        buckets = owner == index
        if buckets.any():
            found[name] = buckets, float(table[index, buckets].sum() / table[:, buckets].sum())
    return found


def _column(field: str) -> str:
    return field.partition(".")[0]
