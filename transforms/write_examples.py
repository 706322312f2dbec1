"""Turns grouped shards into TFRecord files, one a split, and reports what is in them."""

import io
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.transforms.window import GlobalWindows
from apache_beam.utils.windowed_value import WindowedValue

from example_generators.base import ExampleGenerator
from features.coding import FeatureCoder
from features.sessions import Window
from features.spec import FeatureSpec
from features.storage import atomic_write
from transforms.crowded import Unpacked, unpack_within
from transforms.shard_examples import ShardExamples, shard_examples
from transforms.shards import SHARDS_AT_ONCE
from transforms.tally import count
from transforms.tfrecords import encode_examples, tfrecord_bytes
from transforms.worker_sizes import HOLDS_SHARDS, sized


@dataclass(frozen=True)
class ShardLayout:
    """Where the files of a data set go.

    Attributes:
        folder: the (staged) folder of the data set.
        shards: number of shards, which is in every file name.
        compress: gzip the TFRecords.
        golden: most golden-set candidates over all shards; every shard offers its lowest ranks.
        flush: whether every file is flushed to the disk by itself; not needed in a folder that is flushed as a whole.
    """

    folder: str
    shards: int
    compress: bool = False
    golden: int = 1000
    flush: bool = True

    @property
    def golden_per_shard(self) -> int:
        """Candidates a shard offers: twice its even share, so that the lowest ranks overall are among them."""
        return min(self.golden, 2 * -(-self.golden // self.shards) + 16) if self.golden else 0

    def examples_path(self, split: str, shard: int) -> str:
        """Returns the TFRecord file of one shard of a split."""
        suffix = ".tfrecord.gz" if self.compress else ".tfrecord"
        return f"{self.folder}/{split}/examples-{shard:05d}-of-{self.shards:05d}{suffix}"

    def golden_path(self, shard: int) -> str:
        """Returns the Parquet file of one shard's golden-set candidates."""
        return f"{self.folder}/golden/candidates-{shard:05d}-of-{self.shards:05d}.parquet"


@dataclass(frozen=True)
class ShardReport:
    """Counts of one written shard, as ``ShardExamples`` has them, without the examples."""

    labels: dict[str, dict[int, int]]
    sessions: int
    visitors: int
    dropped: dict[str, int]
    excluded: dict[str, int]


class WriteExamples(beam.PTransform):
    """(shard, packed batches) -> ``ShardReport``, having written the shard's examples.

    Args:
        generator: where to predict.
        spec: how instances are coded.
        layout: where files go.
        window: singleton side input, the ``Window`` that the data set covers.
    """

    def __init__(
        self, generator: ExampleGenerator, spec: FeatureSpec, layout: ShardLayout, window: beam.pvalue.AsSingleton
    ) -> None:
        super().__init__()
        self._writer = _WriteShard(generator, spec, layout)
        self._window = window

    def expand(self, shards: beam.PCollection) -> beam.PCollection:
        write = beam.ParDo(self._writer, self._window)
        return shards | "WriteShard" >> sized(write, shards, HOLDS_SHARDS)


class _WriteShard(beam.DoFn):
    """Works on ``SHARDS_AT_ONCE`` of a bundle at once."""

    def __init__(self, generator: ExampleGenerator, spec: FeatureSpec, layout: ShardLayout) -> None:
        self._generator = generator
        self._spec = spec
        self._layout = layout

    def setup(self) -> None:
        self._coder = FeatureCoder(self._spec)

    def start_bundle(self) -> None:
        self._pool = ThreadPoolExecutor(SHARDS_AT_ONCE)
        self._running: deque[Future[ShardReport]] = deque()

    def process(self, element: tuple[int, Iterable[bytes]], window: Window) -> Iterator[ShardReport]:
        shard, pieces = element
        # Here, since a runner's iterable is this thread's alone.
        unpacked = unpack_within(pieces, self._spec.session_rules.max_events)
        self._running.append(self._pool.submit(self._work, shard, unpacked, window))
        while len(self._running) > SHARDS_AT_ONCE:
            yield self._next()

    def finish_bundle(self) -> Iterator[WindowedValue]:
        while self._running:
            yield GlobalWindows.windowed_value(self._next())
        self._pool.shutdown()

    def _next(self) -> ShardReport:
        try:
            report = self._running.popleft().result()
        except BaseException:
            self._pool.shutdown(cancel_futures=True)  # or they would write on while what was staged is removed
            raise
        count("dropped", report.dropped)
        count("excluded", report.excluded)
        count("examples", {split: sum(labels.values()) for split, labels in report.labels.items()})
        return report

    def _work(self, shard: int, unpacked: Unpacked, window: Window) -> ShardReport:
        made = shard_examples(
            unpacked.events,
            coder=self._coder,
            generator=self._generator,
            window=window,
            golden=self._layout.golden_per_shard,
        )
        self._write(shard, made)
        dropped = {reason: events + unpacked.dropped.get(reason, 0) for reason, events in made.dropped.items()}
        return ShardReport(made.labels, made.sessions, made.visitors, dropped, made.excluded)

    def _write(self, shard: int, made: ShardExamples) -> None:
        for split, columns in made.columns.items():
            if columns.num_rows:
                data = tfrecord_bytes(encode_examples(columns), compress=self._layout.compress)
                atomic_write(self._layout.examples_path(split, shard), data, self._layout.flush)
        if made.golden.num_rows:
            atomic_write(self._layout.golden_path(shard), _parquet_bytes(made.golden), self._layout.flush)


def _parquet_bytes(table: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, compression="zstd")
    return file.getvalue()
