"""Drops the events that no visitor made (bots, tests, our own models), of forgotten visitors, or of another time."""

from collections.abc import Iterator
from typing import Any, Literal

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc

from features.cleaning import CleaningRules, clean
from features.sessions import Window
from features.tombstones import FORGOTTEN, Tombstones, drop_forgotten
from transforms.read_events import TALLY
from transforms.tally import Tally, count

OUTSIDE_WINDOW = "outside_window"


class CleanEvents(beam.PTransform):
    """``RecordBatch`` -> (``RecordBatch`` of the events kept; ``Tally`` under the tag ``TALLY``).

    Args:
        rules: what no visitor made.
        tombstones: who is forgotten.
        window: the time that is asked about; None keeps events of any time.
    """

    def __init__(
        self, rules: CleaningRules, tombstones: Tombstones | None = None, window: Window | None = None
    ) -> None:
        super().__init__()
        self._cleaner = _Clean(rules, tombstones or Tombstones(), window)

    def expand(self, events: beam.PCollection) -> Any:
        return events | "DropByRule" >> beam.ParDo(self._cleaner).with_outputs(TALLY, main="events")


class _Clean(beam.DoFn):
    def __init__(self, rules: CleaningRules, tombstones: Tombstones, window: Window | None) -> None:
        self._rules, self._tombstones, self._window = rules, tombstones, window

    def process(
        self, element: pa.RecordBatch
    ) -> Iterator[pa.RecordBatch | beam.pvalue.TaggedOutput[Literal["tally"], Tally]]:
        known, forgotten = drop_forgotten(element, self._tombstones)
        timely = known if self._window is None else self._window.cut(known)
        kept, dropped = clean(timely, self._rules)
        dropped = {**dropped, FORGOTTEN: forgotten, OUTSIDE_WINDOW: known.num_rows - timely.num_rows}
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
