"""Fits what a feature spec or a generator takes from the data (quantile edges, vocabularies, thresholds) to train."""

from collections.abc import Sequence
from typing import Any

import mmh3
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from example_generators.base import ExampleGenerator
from features.adapters import Adapter
from features.cleaning import CleaningRules, clean
from features.errors import AuguryError
from features.fitting import fit_spec
from features.ragged import offsets_of, places_of
from features.sessions import VISITOR, Sessions, Window, build_sessions
from features.spec import FeatureSpec
from features.splits import SPLITS, assign_splits
from features.tombstones import Tombstones, drop_forgotten
from transforms.read_tasks import ReadTask
from transforms.shards import encode_columns
from transforms.sources import read_chunks

SAMPLE_EVENTS = 1_000_000
"""Most events that a fit keeps: the share of visitors kept is halved each time there are more."""


class EmptySampleError(AuguryError, ValueError):
    """No event was left to fit to."""


def fit_to_sample(
    generator: ExampleGenerator, spec: FeatureSpec, *, window: Window | None, **reading: Any
) -> tuple[ExampleGenerator, FeatureSpec]:
    """Returns the generator and the spec with everything fitted that waited for data.

    Only train sessions are looked at: what is held out decides nothing.

    Args:
        generator: fitted first, since the spec is fitted to its slices.
        spec: what to fit.
        window: the data window, or None where the sample decides.
        **reading: as for ``sample_sessions``.
    """
    sessions = train_sessions(sample_sessions(spec=spec, window=window, **reading), spec)
    if generator.needs_fitting:
        generator = generator.fit(sessions)
    if spec.needs_fitting:
        spec = fit_spec(spec, sessions, generator.slices_of(sessions))
    return generator, spec


def sample_sessions(
    *,
    spec: FeatureSpec,
    tasks: Sequence[ReadTask],
    adapter: Adapter,
    rules: CleaningRules,
    columns: Sequence[str],
    window: Window | None,
    tombstones: Tombstones | None = None,
    most: int = SAMPLE_EVENTS,
) -> Sessions:
    """Reads everything once and keeps whole visitors, chosen by hash, so that at most ``most`` events stay.

    Raises:
        EmptySampleError: nothing was left after cleaning.
    """
    kept: list[pa.Table] = []
    share, events = 1.0, 0
    for task in tasks:
        for chunk in read_chunks(task, adapter.columns(tuple(columns))):
            known, _ = drop_forgotten(adapter.adapt(chunk, task.path).events, tombstones or Tombstones())
            batch, _ = clean(known if window is None else window.cut(known), rules)
            kept.append(_visitors_below(pa.Table.from_batches([encode_columns(batch, columns)]), share))
            events += kept[-1].num_rows
            while events > most:
                share /= 2
                kept = [_visitors_below(table, share) for table in kept]
                events = sum(table.num_rows for table in kept)
    if not events:
        raise EmptySampleError("no event was left to fit to after cleaning; check the source, adapter and rules")
    table = pa.concat_tables(kept)
    if window is None:
        span = pc.min_max(table.column("timestamp_us")).as_py()
        window = Window(span["min"], span["max"] + 1)
    return build_sessions(table, spec.session_rules, window)[0]


def train_sessions(sessions: Sessions, spec: FeatureSpec) -> Sessions:
    """Returns the sessions whose visitor (split by visitor) or whose last event (split by time) is of the train split.

    Raises:
        EmptySampleError: there are none.
    """
    visitors, names = sessions.codes(VISITOR)
    ends = sessions.offsets[1:] - 1
    splits = assign_splits(spec.split, visitors[ends], names, sessions.time_us[ends], sessions.window)
    train = np.flatnonzero(splits == SPLITS.index("train"))
    if not len(train):
        raise EmptySampleError("no session of the sample is in the train split; read more events or lower the shares")
    lengths = np.diff(sessions.offsets)[train]
    rows = places_of(sessions.offsets[train], lengths)
    return Sessions(sessions.events.take(pa.array(rows)).combine_chunks(), offsets_of(lengths), sessions.window)


def _visitors_below(events: pa.Table, share: float) -> pa.Table:
    if share >= 1 or not events.num_rows:
        return events
    visitors = events.column(VISITOR).combine_chunks()
    below = np.array([mmh3.hash(name, 1, signed=False) < share * 2**32 for name in visitors.dictionary.to_pylist()])
    return events.filter(pa.array(below[visitors.indices.to_numpy()]))
