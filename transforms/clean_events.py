"""Drops the events that no visitor made: bots, tests, our own models."""

from collections.abc import Iterator
from typing import Any, Literal

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc

from features.cleaning import CleaningRules, clean
from transforms.read_events import TALLY
from transforms.tally import Tally, count


class CleanEvents(beam.PTransform):
    """``RecordBatch`` -> (``RecordBatch`` of the events kept; ``Tally`` under the tag ``TALLY``)."""

    def __init__(self, rules: CleaningRules) -> None:
        super().__init__()
        self._cleaner = _Clean(rules)

    def expand(self, events: beam.PCollection) -> Any:
        return events | "DropByRule" >> beam.ParDo(self._cleaner).with_outputs(TALLY, main="events")


class _Clean(beam.DoFn):
    def __init__(self, rules: CleaningRules) -> None:
        self._rules = rules

    def process(
        self, element: pa.RecordBatch
    ) -> Iterator[pa.RecordBatch | beam.pvalue.TaggedOutput[Literal["tally"], Tally]]:
        kept, dropped = clean(element, self._rules)
        span = pc.min_max(kept.column("timestamp_us")).as_py()
        yield beam.pvalue.TaggedOutput(
            TALLY,
            Tally(
                {**count("dropped", dropped), **count("kept", {"cleaned": kept.num_rows})},
                start_us=span["min"],
                end_us=None if span["max"] is None else span["max"] + 1,
            ),
        )
        if kept.num_rows:
            yield kept
