"""Groups events by shard of visitors: the one shuffle of an examples pipeline."""

from collections.abc import Iterable, Iterator, Mapping

import apache_beam as beam
import pyarrow as pa
from apache_beam.transforms.window import GlobalWindows
from apache_beam.utils.windowed_value import WindowedValue

from transforms.shards import encode_columns, split_by_visitor


class SplitByShard(beam.PTransform):
    """``RecordBatch`` -> (shard, packed rows of some of the shard's visitors); what is grouped later.

    Args:
        shards: number of shards.
        columns: columns to carry.
        links: singleton side input, anonymous id -> visitor; None where ids are not linked.
    """

    def __init__(self, shards: int, columns: Iterable[str], links: beam.pvalue.AsSingleton | None = None) -> None:
        super().__init__()
        self._split = _SplitByVisitor(shards, tuple(columns))
        self._links = links

    def expand(self, rows: beam.PCollection) -> beam.PCollection:
        split = beam.ParDo(self._split) if self._links is None else beam.ParDo(self._split, self._links)
        # the hint gives the key Beam's integer coder, which is deterministic, and the value its bytes coder
        return rows | "SplitByVisitor" >> split.with_output_types(tuple[int, bytes])


class GroupByShard(SplitByShard):
    """``RecordBatch`` -> (shard, packed batches of all events of the shard's visitors).

    Arguments are those of ``SplitByShard``.
    """

    def expand(self, rows: beam.PCollection) -> beam.PCollection:
        return super().expand(rows) | "GroupByKey" >> beam.GroupByKey()


_ROWS_A_PIECE = 16_384
_MOST_ROWS = 1 << 20


class _SplitByVisitor(beam.DoFn):
    """Holds batches back until a piece has some rows to it: many small pieces cost more than a few large ones."""

    def __init__(self, shards: int, columns: tuple[str, ...]) -> None:
        self._shards = shards
        self._columns = columns
        self._enough = min(_MOST_ROWS, shards * _ROWS_A_PIECE)

    def start_bundle(self) -> None:
        self._held: list[pa.RecordBatch] = []

    def process(self, element: pa.RecordBatch, links: Mapping[str, str] | None = None) -> Iterator[tuple[int, bytes]]:
        self._held.append(encode_columns(element, self._columns, links or {}))
        if sum(batch.num_rows for batch in self._held) >= self._enough:
            yield from self._split()

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for piece in self._split():
            yield GlobalWindows.windowed_value(piece)

    def _split(self) -> Iterator[tuple[int, bytes]]:
        if self._held:
            table = pa.Table.from_batches(self._held).unify_dictionaries().combine_chunks()
            self._held = []
            for batch in table.to_batches():
                yield from split_by_visitor(batch, self._shards)
