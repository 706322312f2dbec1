"""Turns the spool files of a shard into TFRecord files, one a split, with the conversions of their products beside."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import IO

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.conversions import IMAGE_NOT_READ, SIMULATED, part, reject_impossible, sum_conversions
from features.creative_spec import COUNTS, CreativeSpec
from features.splits import SPLITS
from features.storage import open_atomic, read_bytes
from transforms.creative_ceiling import ceilings
from transforms.creative_splits import ProductSplits
from transforms.creative_work import CreativeLayout, CreativeReport, Product
from transforms.ipc import from_ipc
from transforms.letters import write_letters
from transforms.make_variants import RECORDED, SIMULATED_BY, one_core
from transforms.simulate_conversions import Simulation, simulate_conversions
from transforms.tally import Tally, by_reason, count, merge
from transforms.tfrecords import encode_examples, frame
from transforms.worker_sizes import HOLDS_SHARDS, sized

_FEATURES = {
    "image/encoded": "encoded",
    "image/id": "image_id",
    **{name: name for name in ("variant", "product", "kind", "brand", "gender", "name")},
}
"""Feature of an example -> column of a spool file."""


class WriteCreative(beam.PTransform):
    """(shard, paths of spool files and conversions as IPC) -> ``CreativeReport``, having written the shard's files.

    Args:
        spec: what the examples are.
        layout: where files go.
        dead_letter: folder for conversions that are refused when they are added up.
        simulation: conversions to simulate, or None.
        splits: singleton side input, ``ProductSplits``.
        tallies: side input, what the stage before counted.
    """

    def __init__(
        self,
        spec: CreativeSpec,
        layout: CreativeLayout,
        dead_letter: str,
        simulation: Simulation | None,
        splits: beam.pvalue.AsSingleton,
        tallies: beam.pvalue.AsList,
    ) -> None:
        super().__init__()
        self._writer = _WriteShard(spec, layout, dead_letter, simulation)
        self._inputs = (splits, tallies)

    def expand(self, shards: beam.PCollection) -> beam.PCollection:
        write = beam.ParDo(self._writer, *self._inputs)
        return shards | "WriteShard" >> sized(write, shards, HOLDS_SHARDS)


class _WriteShard(beam.DoFn):
    def __init__(
        self, spec: CreativeSpec, layout: CreativeLayout, dead_letter: str, simulation: Simulation | None
    ) -> None:
        self._spec = spec
        self._layout = layout
        self._dead_letter = dead_letter
        self._simulation = simulation

    def setup(self) -> None:
        one_core()

    def process(
        self, element: tuple[int, Iterable[str | bytes]], splits: ProductSplits, tallies: list[Tally]
    ) -> Iterator[CreativeReport]:
        shard, given = element
        pieces = list(given)
        report = CreativeReport()
        paths = sorted(piece for piece in pieces if isinstance(piece, str))
        products = self._examples(shard, paths, splits, report)
        batches = [from_ipc(piece) for piece in pieces if isinstance(piece, bytes)]
        if self._simulation is not None:
            for split, some in products.items():
                self._conversions(split, shard, simulate_conversions(some, self._spec, self._simulation), report)
        elif batches:
            self._given(shard, batches, products, merge(tallies), report)
        count("examples", {split: sum(len(some) for some in products.values()) for split in products})
        yield report

    def _examples(
        self, shard: int, paths: Sequence[str], splits: ProductSplits, report: CreativeReport
    ) -> dict[str, list[Product]]:
        """Copies spool files into the splits' TFRecord files, one at a time; returns the products of each split."""
        products: dict[str, list[Product]] = {}
        with ExitStack() as stack:
            files: dict[str, IO[bytes]] = {}
            for path in paths:
                spooled = pa.ipc.open_file(pa.BufferReader(read_bytes(path))).read_all().combine_chunks()
                numbers = splits.numbers[spooled.column("number").to_numpy()]
                for number in np.unique(numbers).tolist():
                    split = SPLITS[number]
                    rows = spooled.filter(pa.array(numbers == number)).combine_chunks()
                    if split not in files:
                        target = self._layout.examples_path(split, shard)
                        files[split] = stack.enter_context(open_atomic(target, flush=self._layout.flush))
                    for piece in frame(encode_examples(_columns(rows, split))):
                        files[split].write(piece)
                    some = _products(rows)
                    products.setdefault(split, []).extend(some)
                    report.products[split] += len(some)
                    report.kinds.update((split, product.kind) for product in some)
                    report.examples.update((split, name) for name in rows.column("variant").to_pylist())
        return products

    def _given(
        self,
        shard: int,
        batches: list[pa.RecordBatch],
        products: dict[str, list[Product]],
        tally: Tally,
        report: CreativeReport,
    ) -> None:
        """Adds up the conversions that were read, and writes those of each split."""
        read = [product for some in products.values() for product in some]
        of_split = {product.product: split for split, some in products.items() for product in some}
        batches = [_filled(batch, read) for batch in batches]
        letters, kept = [], []
        for batch in batches:
            unread = pc.invert(pc.is_in(batch.column("product"), pa.array(list(of_split), pa.string())))
            reasons = np.where(unread.to_numpy(False), IMAGE_NOT_READ, "").astype(object)
            good, bad = part(batch, reasons, f"conversions of shard {shard}")
            kept.append(good)
            letters.append(bad)
        recorded = by_reason(tally, RECORDED)
        added = sum_conversions(kept, recorded)
        reasons = np.full(added.num_rows, "", object)
        reject_impossible(added, reasons)
        added, bad = part(added, reasons, f"conversions of shard {shard}, added up")
        letters.append(bad)
        simulated = by_reason(tally, SIMULATED_BY)
        if simulated:
            added = added.replace_schema_metadata({SIMULATED: ",".join(sorted(simulated)).encode()})
        splits = pa.array([of_split[name] for name in added.column("product").to_pylist()], pa.string())
        for split in products:
            self._conversions(split, shard, added.filter(pc.equal(splits, split)), report)
        rejected = write_letters(f"{self._dead_letter}/part-sums-{shard:05d}.parquet", letters)
        report.rejected.update(rejected)
        count("rejected_conversions", rejected)

    def _conversions(self, split: str, shard: int, rows: pa.RecordBatch, report: CreativeReport) -> None:
        if not rows.num_rows:
            return
        with open_atomic(self._layout.conversions_path(split, shard), flush=self._layout.flush) as file:
            pq.write_table(pa.Table.from_batches([rows]), file, compression="zstd")
        report.conversions[split, "rows"] += rows.num_rows
        for name in COUNTS:
            report.conversions[split, name] += pc.sum(rows.column(name)).as_py() or 0
        for target, sums in ceilings(rows, self._spec):
            report.ceiling[split, target] = sums


def _columns(rows: pa.Table, split: str) -> pa.RecordBatch:
    """Returns examples as one LargeList column a feature."""
    offsets = pa.array(np.arange(rows.num_rows + 1))
    values = {feature: rows.column(name).combine_chunks() for feature, name in _FEATURES.items()}
    values["split"] = pa.array([split] * rows.num_rows)
    arrays = [pa.LargeListArray.from_arrays(offsets, value.cast(pa.large_binary())) for value in values.values()]
    return pa.RecordBatch.from_arrays(arrays, names=list(values))


def _products(rows: pa.Table) -> list[Product]:
    names = ("number", "product", "kind", "brand", "gender", "name")
    found = {row["number"]: Product(path="", **row) for row in rows.select(names).to_pylist()}
    return list(found.values())


def _filled(batch: pa.RecordBatch, products: Sequence[Product]) -> pa.RecordBatch:
    """Returns conversions with what the catalogue says of their products in place of what they say themselves."""
    places = pc.index_in(batch.column("product"), pa.array([product.product for product in products], pa.string()))
    for name in ("kind", "brand", "gender"):
        told = pc.take(pa.array([getattr(product, name) for product in products], pa.string()), places)
        own = batch.column(name)
        better = pc.fill_null(pc.not_equal(told, ""), False)
        batch = batch.set_column(
            batch.schema.get_field_index(name), batch.schema.field(name), pc.if_else(better, told, own)
        )
    return batch
