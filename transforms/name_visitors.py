"""Says whose each event is, as the fast store would: the column ``visitor``."""

import apache_beam as beam
import pyarrow as pa

from features.identities import Identities
from features.sessions import VISITOR


class NameVisitors(beam.PTransform):
    """``RecordBatch`` of events -> the same with the column ``visitor``.

    Args:
        columns: event columns to carry.
        identities: singleton side input, ``Identities``; None where logins link nobody.
    """

    def __init__(self, columns: tuple[str, ...], identities: beam.pvalue.AsSingleton | None) -> None:
        super().__init__()
        self._columns, self._inputs = columns, () if identities is None else (identities,)

    def expand(self, events: beam.PCollection) -> beam.PCollection:
        named = beam.Map(named_visitors, self._columns, *self._inputs)
        return events | "NameThem" >> named.with_output_types(pa.RecordBatch)


def named_visitors(
    events: pa.RecordBatch, columns: tuple[str, ...], identities: Identities | None = None
) -> pa.RecordBatch:
    """Returns the visitor of each event (N,) and the columns to carry."""
    visitors = (identities or Identities()).of_events(events)
    return pa.RecordBatch.from_pydict({VISITOR: visitors, **{name: events.column(name) for name in columns}})
