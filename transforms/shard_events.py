"""Groups events by shard of visitors: the one shuffle of an examples pipeline."""

from collections.abc import Iterable, Iterator, Mapping

import apache_beam as beam
import pyarrow as pa

from transforms.shards import encode_columns, split_by_visitor


class GroupByShard(beam.PTransform):
    """``RecordBatch`` -> (shard, packed batches of all events of the shard's visitors).

    Args:
        shards: number of shards.
        columns: event columns to carry.
        links: singleton side input, anonymous id -> visitor; None where ids are not linked.
    """

    def __init__(self, shards: int, columns: Iterable[str], links: beam.pvalue.AsSingleton | None = None) -> None:
        super().__init__()
        self._split = _SplitByVisitor(shards, tuple(columns))
        self._links = links

    def expand(self, events: beam.PCollection) -> beam.PCollection:
        split = beam.ParDo(self._split) if self._links is None else beam.ParDo(self._split, self._links)
        # the hint gives the key Beam's integer coder, which is deterministic, and the value its bytes coder
        pieces = events | "SplitByVisitor" >> split.with_output_types(tuple[int, bytes])
        return pieces | "GroupByKey" >> beam.GroupByKey()


class _SplitByVisitor(beam.DoFn):
    def __init__(self, shards: int, columns: tuple[str, ...]) -> None:
        self._shards = shards
        self._columns = columns

    def process(self, element: pa.RecordBatch, links: Mapping[str, str] | None = None) -> Iterator[tuple[int, bytes]]:
        yield from split_by_visitor(encode_columns(element, self._columns, links or {}), self._shards)
