"""What one worker does of a month of 10 billion events, in a process of its own that ``benchmarks.plan_10b`` starts."""

import argparse
import json
import mmap
import resource
import struct
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from features.adapters import get_adapter
from features.cleaning import CleaningRules, clean
from features.coding import FeatureCoder
from features.sessions import Window
from features.storage import atomic_write
from pipelines.behavior_recipe import ExamplesOptions, Recipe, make_recipe
from transforms.shard_examples import shard_examples
from transforms.shards import encode_columns, split_by_visitor, unpack
from transforms.sources import read_chunks
from transforms.tfrecords import encode_examples, tfrecord_bytes

HELD_ROWS = 1 << 20
"""Rows that a worker gathers before it splits them, as ``transforms.shard_events`` does with many shards."""


def main() -> None:
    """Runs the part that is asked for and prints what it took as one line of JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=("split", "shard"))
    parser.add_argument("--events", required=True)
    parser.add_argument("--pieces", required=True, help="file of packed pieces, each after its length")
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--most", type=int, default=0, help="of the shard's pieces, so many; 0: all")
    parser.add_argument("--output", default="")
    given = parser.parse_args()
    recipe = make_recipe(ExamplesOptions(events=(given.events,), output="unused", adapter="canonical"))
    if given.part == "split":
        found = _split(recipe, Path(given.pieces), given.shards)
    else:
        found = _shard(recipe, Path(given.pieces), given.most, given.output)
    print(json.dumps(found))


def _split(recipe: Recipe, path: Path, shards: int) -> dict[str, float]:
    """Reads, cleans, splits and packs; every row among rows of other visitors, the least that packing can save."""
    adapter = get_adapter("canonical", now_us=time.time_ns() // 1000)
    began, busy = time.perf_counter(), _busy()
    rows = 0
    kept: list[pa.RecordBatch] = []
    for task in recipe.tasks:
        for chunk in read_chunks(task, adapter.columns(recipe.read_columns)):
            events = adapter.adapt(chunk, task.path).events
            rows += events.num_rows
            cleaned, _ = clean(events, CleaningRules())
            kept.append(encode_columns(cleaned, recipe.shard_columns))
    read_busy = _busy() - busy
    table = pa.Table.from_batches(kept).unify_dictionaries().combine_chunks()
    table = table.take(pa.array(np.random.default_rng(0).permutation(table.num_rows)))
    busy = _busy()
    pieces = size = 0
    peak = 0.0
    with path.open("wb") as file:
        for start in range(0, table.num_rows, HELD_ROWS):
            [batch] = table.slice(start, HELD_ROWS).combine_chunks().to_batches()
            for _, piece in split_by_visitor(batch, shards):
                file.write(struct.pack("<Q", len(piece)) + piece)
                pieces, size = pieces + 1, size + len(piece)
            peak = max(peak, _peak_gb())
    return {
        "rows": rows,
        "kept": table.num_rows,
        "read_seconds": read_busy,
        "split_seconds": _busy() - busy,
        "wall_seconds": time.perf_counter() - began,
        "pieces": pieces,
        "bytes": size,
        "peak_gb": peak,
    }


def _shard(recipe: Recipe, path: Path, most: int, output: str) -> dict[str, float]:
    """One shard from its pieces to its files, as ``transforms.write_examples`` does it."""
    coder = FeatureCoder(recipe.spec)
    window = Window(0, 1 << 60)
    pieces = list(_pieces(path, most))
    before = _peak_gb()
    began, busy = time.perf_counter(), _busy()
    events = unpack(pieces)
    made = shard_examples(events, coder=coder, generator=recipe.generator, window=window, golden=17)
    size = 0
    for split, columns in made.columns.items():
        if columns.num_rows:
            data = tfrecord_bytes(encode_examples(columns), compress=False)
            size += len(data)
            atomic_write(f"{output}/{split}.tfrecord", data, False)
    return {
        "events": events.num_rows,
        "visitors": made.visitors,
        "examples": sum(columns.num_rows for columns in made.columns.values()),
        "busy_seconds": _busy() - busy,
        "wall_seconds": time.perf_counter() - began,
        "before_gb": before,
        "peak_gb": _peak_gb(),
        "pieces_gb": sum(map(len, pieces)) / 1e9,
        "examples_gb": size / 1e9,
    }


def _pieces(path: Path, most: int) -> Iterator[bytes]:
    """Yields the pieces, or so many of them, evenly spread."""
    with path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    places: list[tuple[int, int]] = []
    place = 0
    while place < len(data):
        (length,) = struct.unpack_from("<Q", data, place)
        places.append((place + 8, length))
        place += 8 + length
    chosen: Sequence[tuple[int, int]] = places
    if most:
        chosen = [places[index] for index in np.linspace(0, len(places) - 1, min(most, len(places))).astype(int)]
    for start, length in chosen:
        yield bytes(data[start : start + length])


def _busy() -> float:
    """Seconds of processor that this process has taken, all threads together."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


if __name__ == "__main__":
    main()
