"""Drops the events that no visitor made (bots, tests, our own models) and those of forgotten visitors."""

from collections.abc import Iterator
from typing import Any, Literal

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc

from features.cleaning import CleaningRules, clean
from features.tombstones import FORGOTTEN, Tombstones, drop_forgotten
from transforms.read_events import TALLY
from transforms.tally import Tally, count


class CleanEvents(beam.PTransform):
    """``RecordBatch`` -> (``RecordBatch`` of the events kept; ``Tally`` under the tag ``TALLY``).

    Args:
        rules: what no visitor made.
        tombstones: who is forgotten.
    """

    def __init__(self, rules: CleaningRules, tombstones: Tombstones | None = None) -> None:
        super().__init__()
        self._cleaner = _Clean(rules, tombstones or Tombstones())

    def expand(self, events: beam.PCollection) -> Any:
        return events | "DropByRule" >> beam.ParDo(self._cleaner).with_outputs(TALLY, main="events")


class _Clean(beam.DoFn):
    def __init__(self, rules: CleaningRules, tombstones: Tombstones) -> None:
        self._rules, self._tombstones = rules, tombstones

    def process(
        self, element: pa.RecordBatch
    ) -> Iterator[pa.RecordBatch | beam.pvalue.TaggedOutput[Literal["tally"], Tally]]:
        known, forgotten = drop_forgotten(element, self._tombstones)
        kept, dropped = clean(known, self._rules)
        span = pc.min_max(kept.column("timestamp_us")).as_py()
        yield beam.pvalue.TaggedOutput(
            TALLY,
            Tally(
                {**count("dropped", {**dropped, FORGOTTEN: forgotten}), **count("kept", {"cleaned": kept.num_rows})},
                start_us=span["min"],
                end_us=None if span["max"] is None else span["max"] + 1,
            ),
        )
        if kept.num_rows:
            yield kept
