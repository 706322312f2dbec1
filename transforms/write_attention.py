"""Turns the spooled images of a shard and its points into TFRecord files, one a split, and reports what is in them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam
import cv2
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.attention_spec import METHODS, AttentionSpec
from features.gaze import NOT_READ, Points
from features.gaze_density import decode_map, encode_map
from features.gaze_map import AttentionMap, map_of_image
from features.images_fit import place_image
from features.splits import SPLITS
from features.storage import atomic_write, read_bytes
from transforms.attention_splits import LEFT_OUT, NEAR_DUPLICATE, ImageSplits
from transforms.attention_work import ImageTask
from transforms.image_sets import ImageLayout
from transforms.ipc import from_ipc
from transforms.tally import count
from transforms.tfrecords import encode_examples, tfrecord_bytes
from transforms.worker_sizes import HOLDS_SHARDS, sized

NO_GAZE = "no_gaze"


@dataclass
class AttentionReport:
    """Counts of one written shard.

    Attributes:
        examples: (split, set, method) -> examples.
        fixations: split -> points stored.
        dropped: reason -> points left out.
        excluded: reason -> images left out.
    """

    examples: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    fixations: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    excluded: Counter[str] = field(default_factory=Counter)


class WriteAttention(beam.PTransform):
    """(shard, paths of spool files, and points as IPC) -> ``AttentionReport``, having written the shard's examples.

    Args:
        images: all images of the job.
        forced_first: sets whose forced first fixations are dropped.
        spec: how images and maps are stored.
        layout: where files go.
        splits: singleton side input, ``ImageSplits``.
    """

    def __init__(
        self,
        images: tuple[ImageTask, ...],
        forced_first: frozenset[str],
        spec: AttentionSpec,
        layout: ImageLayout,
        splits: beam.pvalue.AsSingleton,
    ) -> None:
        super().__init__()
        self._writer = _WriteShard(images, forced_first, spec, layout)
        self._splits = splits

    def expand(self, shards: beam.PCollection) -> beam.PCollection:
        write = beam.ParDo(self._writer, self._splits)
        return shards | "WriteShard" >> sized(write, shards, HOLDS_SHARDS)


class _WriteShard(beam.DoFn):
    def __init__(
        self, images: tuple[ImageTask, ...], forced_first: frozenset[str], spec: AttentionSpec, layout: ImageLayout
    ) -> None:
        self._images = images
        self._forced_first = forced_first
        self._spec = spec
        self._layout = layout

    def setup(self) -> None:
        cv2.setNumThreads(1)

    def process(self, element: tuple[int, Iterable[str | bytes]], splits: ImageSplits) -> Iterator[AttentionReport]:
        shard, pieces = element
        spooled, batches = [], []
        for piece in pieces:
            if isinstance(piece, str):
                spooled.append(piece)
            else:
                batches.append(from_ipc(piece))
        report = AttentionReport()
        points = _points_by_image(batches)
        found: dict[str, list[dict[str, Any]]] = {split: [] for split in SPLITS}
        rows = [row for path in spooled for row in from_ipc(read_bytes(path)).to_pylist()]
        for row in sorted(rows, key=lambda row: row["number"]):
            of_image = points.pop(row["number"], {})
            if splits.numbers[row["number"]] == LEFT_OUT:
                report.excluded[NEAR_DUPLICATE] += 1
                continue
            task, split = self._images[row["number"]], SPLITS[splits.numbers[row["number"]]]
            mapped = self._map(task, split, row, of_image)
            report.dropped.update(mapped.dropped)
            if mapped.values is None:
                report.excluded[NO_GAZE] += 1
                continue
            found[split].append(_example(task, split, row, mapped))
            report.examples[split, task.set_name, mapped.method] += 1
            report.fixations[split] += len(mapped.fixations)
        for of_image in points.values():  # of images that could not be read
            report.dropped[NOT_READ] += sum(map(len, of_image.values()))
        for split, examples in found.items():
            if examples:
                data = tfrecord_bytes(encode_examples(_columns(examples)), compress=False)
                atomic_write(self._layout.examples_path(split, shard), data, self._layout.flush)
        count("dropped", report.dropped)
        count("excluded", report.excluded)
        count("examples", {split: len(examples) for split, examples in found.items()})
        yield report

    def _map(self, task: ImageTask, split: str, row: Mapping[str, Any], points: Mapping[str, Points]) -> AttentionMap:
        return map_of_image(
            points,
            None if row["mask"] is None else decode_map(row["mask"], row["mask_max"]),
            place_image(row["height"], row["width"], self._spec.width, self._spec.height),
            self._spec,
            set_name=task.set_name,
            split=split,
            drop_first=task.set_name in self._forced_first,
        )


def _points_by_image(batches: Sequence[pa.RecordBatch]) -> dict[int, dict[str, Points]]:
    """Returns image number -> method -> points, from batches in ``PIECE_SCHEMA``."""
    if not batches:
        return {}
    table = pa.Table.from_batches(batches).combine_chunks()
    columns = {name: np.asarray(table.column(name)) for name in table.schema.names}
    key = columns.pop("number").astype(np.int64) * len(METHODS) + columns.pop("method")
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    found: dict[int, dict[str, Points]] = {}
    for rows in np.split(order, starts[1:]):
        number, method = divmod(int(key[rows[0]]), len(METHODS))
        some = {name: values[rows] for name, values in columns.items()}
        found.setdefault(number, {})[METHODS[method]] = Points.in_order(**some)
    return found


def _example(task: ImageTask, split: str, row: Mapping[str, Any], mapped: AttentionMap) -> dict[str, Any]:
    """Returns one example, feature -> values."""
    assert mapped.values is not None
    encoded, most = encode_map(mapped.values)
    return {
        "image/encoded": [row["encoded"]],
        "image/height": [row["height"]],
        "image/width": [row["width"]],
        "image/id": [task.image.encode()],
        "set": [task.set_name.encode()],
        "kind": [task.kind.encode()],
        "method": [mapped.method.encode()],
        "split": [split.encode()],
        "map/encoded": [encoded],
        "map/max": [most],
        "fixations/x": mapped.fixations.x,
        "fixations/y": mapped.fixations.y,
        "fixations/subject": mapped.fixations.subject,
    }


_KINDS = {
    "image/height": pa.int64(),
    "image/width": pa.int64(),
    "map/max": pa.float32(),
    "fixations/x": pa.float32(),
    "fixations/y": pa.float32(),
    "fixations/subject": pa.int64(),
}


def _columns(examples: list[dict[str, Any]]) -> pa.RecordBatch:
    """Returns examples as one LargeList column a feature."""
    arrays = []
    for name in examples[0]:
        values = [example[name] for example in examples]
        offsets = np.concatenate([[0], np.cumsum([len(value) for value in values])])
        kind = _KINDS.get(name, pa.large_binary())
        flat = pa.array([item for value in values for item in value] if name not in _POINTS else _joined(values), kind)
        arrays.append(pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), flat))
    return pa.RecordBatch.from_arrays(arrays, names=list(examples[0]))


_POINTS = ("fixations/x", "fixations/y", "fixations/subject")


def _joined(values: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    return np.concatenate(values)
