"""The examples folder as arrays: a split's TFRecords read once, checked against spec and card, kept in memory.

Plain ``tf.data`` reads them as well, without this module::

    spec = FeatureSpec.from_json(read_text("examples/feature_spec.json"))
    files = tf.data.Dataset.list_files("examples/train/*.tfrecord", shuffle=False)
    batches = tf.data.TFRecordDataset(files).batch(256)
    batches = batches.map(lambda records: tf.io.parse_example(records, spec.parsing_spec(tf)))
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import tensorflow as tf

from features.coding import CodedInstances
from features.spec import FeatureSpec
from features.splits import SPLITS
from features.storage import is_local, open_filesystem
from models.examples_folder import DatasetError, SpecFolder

_RECORDS = 8192


@dataclass(frozen=True)
class Examples:
    """The N examples of a split, in the order of the files.

    Attributes:
        coded: the instances; ``rows`` counts them; ``event_rows`` is -1, for the events are not here.
        labels: int64 (N,) classes.
        time_us: int64 (N,) time of the last visible event.
        visitor: string (N,).
        example_id: string (N,).
        stats: name -> float32 (N,).
    """

    coded: CodedInstances
    labels: npt.NDArray[np.int64]
    time_us: npt.NDArray[np.int64]
    visitor: pa.Array
    example_id: pa.Array
    stats: Mapping[str, npt.NDArray[np.float32]]

    def __len__(self) -> int:
        return len(self.labels)


class ExamplesFolder(SpecFolder[FeatureSpec]):
    """A complete examples folder of the behaviour model."""

    spec_class = FeatureSpec
    command = "augury examples"
    noun = "examples"
    source = "events"

    @classmethod
    def is_card(cls, card: dict[str, Any]) -> bool:
        """Whether a dataset card says what a training needs of it."""
        try:
            return "window" in card and all(isinstance(card["splits"][split]["examples"], int) for split in SPLITS)
        except (KeyError, TypeError):
            return False

    def read(self, split: str) -> Examples:
        """Reads the examples of a split.

        Raises:
            DatasetError: a file is unreadable or not as the spec says, the split is empty or has examples of one class
                only, or their number is not the card's.
        """
        with _local_copies(self.files(split)) as files:
            examples = _gather(self._parsed(files), self.spec)
        self.check_count(split, len(examples))
        counts = np.bincount(examples.labels, minlength=self.spec.classes)
        if not counts.all():
            seen = ", ".join(f"{count} of class {label}" for label, count in enumerate(counts))
            raise DatasetError(
                f"{self.path}/{split} lacks a class ({seen}); use more events, a larger share for {split}, or another "
                "example generator"
            )
        return examples

    def _parsed(self, files: list[str]) -> Iterator[dict[str, Any]]:
        for name in files:
            compression = "GZIP" if name.endswith(".gz") else ""
            records = tf.data.TFRecordDataset(name, compression_type=compression).batch(_RECORDS)
            parsed = records.map(lambda batch: tf.io.parse_example(batch, self.spec.parsing_spec(tf)))
            try:
                yield from parsed.prefetch(1)
            # TensorFlow quotes a record that is no example in its message, and fails to decode that.
            except (tf.errors.DataLossError, tf.errors.InvalidArgumentError, UnicodeDecodeError) as e:
                reason = str(getattr(e, "message", "a record is not an example")).splitlines()[0]
                reason = reason.partition("}}")[2].partition(" [Op")[0].strip() or reason
                raise DatasetError(
                    f"cannot read {name}: {reason[:200]}; it is damaged or does not fit feature_spec.json: write the "
                    "examples again"
                ) from e


def parse_instances(columns: Mapping[str, Any], spec: FeatureSpec) -> CodedInstances:
    """Returns parsed examples (``tf.io.parse_example`` with the spec's parsing spec) as coded instances.

    Raises:
        DatasetError: the steps of an example are not equally many in all features, or it has none.
    """
    hash_lengths = columns["hash/lengths"]
    lengths = hash_lengths.row_lengths().numpy()
    steps = {}
    for feature in spec.steps:
        column = columns[f"step/{feature.name}"]
        if not np.array_equal(column.row_lengths().numpy(), lengths):
            raise DatasetError(f"step/{feature.name} and hash/lengths differ in length; write the examples again")
        steps[feature.name] = column.flat_values.numpy()
    bits = hash_lengths.flat_values.numpy()
    values = columns["hash/values"].flat_values.numpy()
    if bits.sum() != len(values) or (lengths < 1).any():
        raise DatasetError("an example has no steps, or not the hash bits it claims; write the examples again")
    return CodedInstances(
        rows=np.arange(len(lengths)),
        lengths=lengths,
        hash_values=values,
        hash_lengths=bits,
        steps=steps,
        metadata={feature.name: columns[f"metadata/{feature.name}"].numpy()[:, 0] for feature in spec.metadata},
        event_rows=np.broadcast_to(np.int64(-1), len(bits)),
        last_time_us=columns["time_us"].numpy(),
    )


def _gather(parsed: Iterator[dict[str, Any]], spec: FeatureSpec) -> Examples:
    """Puts the parsed batches end to end."""
    parts: list[CodedInstances] = []
    plain: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in ("label", *(f"stats/{s}" for s in spec.stats))}
    texts: dict[str, list[pa.Array]] = {"visitor": [], "example_id": []}
    for columns in parsed:
        parts.append(parse_instances(columns, spec))
        for name, found in plain.items():
            found.append(columns[name].numpy())
        for name, found in texts.items():
            found.append(pa.array(columns[name].numpy(), pa.string()))
    labels = _join(plain["label"], np.int64)
    if len(labels) and not 0 <= labels.min() <= labels.max() < spec.classes:
        raise DatasetError(
            f"labels run from {labels.min()} to {labels.max()}; the feature spec says 0 to {spec.classes - 1}"
        )
    coded = _concatenate(parts, spec)
    return Examples(
        coded,
        labels,
        coded.last_time_us,
        pa.chunked_array(texts["visitor"], pa.string()).combine_chunks(),
        pa.chunked_array(texts["example_id"], pa.string()).combine_chunks(),
        {name: _join(plain[f"stats/{name}"], np.float32) for name in spec.stats},
    )


def _concatenate(parts: list[CodedInstances], spec: FeatureSpec) -> CodedInstances:
    def join(name: str, dtype: type = np.int64) -> npt.NDArray[Any]:
        return _join([getattr(part, name) for part in parts], dtype)

    return CodedInstances(
        rows=np.arange(sum(len(part.lengths) for part in parts)),
        lengths=join("lengths"),
        hash_values=join("hash_values", np.int32),
        hash_lengths=join("hash_lengths"),
        steps={f.name: _join([part.steps[f.name] for part in parts], np.int32) for f in spec.steps},
        metadata={f.name: _join([part.metadata[f.name] for part in parts], np.int64) for f in spec.metadata},
        event_rows=np.broadcast_to(np.int64(-1), sum(len(part.event_rows) for part in parts)),
        last_time_us=join("last_time_us"),
    )


def _join(parts: list[npt.NDArray[Any]], dtype: type) -> npt.NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(0, dtype)


@contextmanager
def _local_copies(files: list[str]) -> Iterator[list[str]]:
    """Yields local paths of the files: TensorFlow reads no object store by itself."""
    if all(is_local(name) for name in files):
        yield files
        return
    with tempfile.TemporaryDirectory(prefix="augury-examples-") as folder:
        copies = []
        for index, name in enumerate(files):
            fs, target = open_filesystem(name)
            copies.append(f"{folder}/{index:05d}-{target.rsplit('/', 1)[-1]}")
            fs.get_file(target, copies[-1])
        yield copies


def all_splits(folder: ExamplesFolder) -> dict[str, Examples]:
    """Reads train, validation and test.

    Raises:
        DatasetError: as for ``ExamplesFolder.read``.
    """
    return {split: folder.read(split) for split in SPLITS}
