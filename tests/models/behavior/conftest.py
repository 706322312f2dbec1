"""A small examples folder as the pipeline writes it, from raw events with a signal that a model can find."""

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from features.bucketing import MinMax
from features.coding import CodedInstances, FeatureCoder
from features.sessions import SessionRules, Sessions, Window, build_sessions
from features.slices import Slices
from features.spec import DEFAULT_METADATA, Feature, FeatureSpec, HashSpec

PAGES = ("/", "/shoes", "/shoes/red", "/cart", "/help")
AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 16_0 like Mac OS X) AppleWebKit/605.1 Version/16.0 Mobile/15E148 Safari/604.1",
)
SPEC = FeatureSpec(
    sequence_length=8,
    hash=HashSpec(size=64, seed=3),
    metadata=(*DEFAULT_METADATA, Feature("span_share", MinMax(0.0, 3600.0), of="span")),
    stats=("clicks",),
    generator="test",
)


@dataclass(frozen=True)
class RawInstances:
    """Visitors of one visit each and what came of it."""

    sessions: Sessions
    slices: Slices
    coded: CodedInstances


def raw_instances(visitors: int, seed: int, classes: int = 2, spec: FeatureSpec = SPEC) -> RawInstances:
    """Makes visitors of 1 to 12 page views; the more often /cart, the likelier a label above 0."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, 13, visitors)
    total = int(lengths.sum())
    visitor = np.repeat(np.arange(visitors), lengths)
    page = random.integers(0, len(PAGES), total)
    names = pa.array([f"v{seed}-{index:06d}" for index in visitor])
    events = pa.table(
        {
            "message_id": pa.array([f"m{seed}-{index}" for index in range(total)]),
            "anonymous_id": names,
            "visitor": names,
            "type": pa.array(["page"] * total),
            "event": pa.array(["Page Viewed"] * total),
            "timestamp_us": 1_700_000_000_000_000 + np.cumsum(random.integers(1, 90, total)) * 1_000_000,
            "url": pa.array([f"https://shop.example{PAGES[index]}?a=1" for index in page]),
            "referrer": pa.array([None, "https://www.google.com/"]).take(pa.array(random.integers(0, 2, total))),
            "user_agent": pa.array(AGENTS).take(pa.array(visitor % 2)),
        }
    )
    window = Window(1_700_000_000_000_000, 1_800_000_000_000_000)
    sessions, _ = build_sessions(events, SessionRules(), window)
    carts = np.bincount(visitor, page == 3, minlength=visitors)
    chance = 1 / (1 + np.exp(-(1.5 * carts - 3)))
    labels = (random.random(visitors) < chance).astype(np.int64) * random.integers(1, classes, visitors)
    slices = Slices(
        np.arange(visitors), np.zeros(visitors, np.int64), lengths, labels, {"clicks": lengths.astype(np.float32)}
    )
    return RawInstances(sessions, slices, FeatureCoder(spec).encode(sessions, slices))


def serialise(coded: CodedInstances, labels: npt.NDArray[np.int64], seed: int, spec: FeatureSpec = SPEC) -> list[bytes]:
    """Returns one ``tf.train.Example`` per instance, made field by field with TensorFlow's own protobuf."""

    def ints(values: npt.NDArray[np.int64]) -> tf.train.Feature:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values.tolist()))

    def floats(values: list[float]) -> tf.train.Feature:
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))

    records = []
    steps, bits = np.cumsum([0, *coded.lengths]), np.cumsum([0, *coded.hash_lengths])
    for row, label in enumerate(labels):
        first, last = steps[row], steps[row + 1]
        feature = {
            "hash/values": ints(coded.hash_values[bits[first] : bits[last]]),
            "hash/lengths": ints(coded.hash_lengths[first:last]),
            "label": ints(np.array([label])),
            "time_us": ints(coded.last_time_us[row : row + 1]),
            "visitor": _bytes(f"v{seed}-{row:06d}"),
            "example_id": _bytes(_example_id(coded, row, seed)),
        }
        feature |= {f"step/{name}": ints(values[first:last]) for name, values in coded.steps.items()}
        for name, values in coded.metadata.items():
            one = values[row : row + 1]
            feature[f"metadata/{name}"] = ints(one) if one.dtype == np.int64 else floats(one.tolist())
        feature |= {f"stats/{name}": floats([float(coded.lengths[row])]) for name in spec.stats}
        records.append(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
    return records


def write_examples(folder: Path, sizes: dict[str, int], classes: int = 2) -> Path:
    """Writes a complete examples folder."""
    spec = replace(SPEC, classes=classes)
    (folder / "golden").mkdir(parents=True)
    splits = {}
    for seed, (split, size) in enumerate(sizes.items()):
        raw = raw_instances(size, seed, classes, spec)
        labels = raw.slices.label
        records = serialise(raw.coded, labels, seed, spec)
        (folder / split).mkdir()
        for shard, (start, stop) in enumerate(((0, size // 3), (size // 3, size))):
            zipped = shard == 1
            path = folder / split / f"examples-{shard:05d}-of-00002.tfrecord{'.gz' if zipped else ''}"
            with tf.io.TFRecordWriter(str(path), "GZIP" if zipped else "") as writer:
                for record in records[start:stop]:
                    writer.write(record)
        counts = np.bincount(labels, minlength=classes)
        splits[split] = {"examples": size, "labels": {str(label): int(n) for label, n in enumerate(counts) if n}}
        if split != "train":
            pq.write_table(golden_candidates(raw, split, seed, spec), folder / "golden" / f"{split}.parquet")
    (folder / "feature_spec.json").write_text(spec.to_json())
    card = {
        "fingerprint": spec.fingerprint,
        "generator": "test",
        "window": {"start_us": 1_700_000_000_000_000, "end_us": 1_800_000_000_000_000},
        "splits": splits,
    }
    (folder / "dataset_card.json").write_text(json.dumps(card))
    return folder


def golden_candidates(raw: RawInstances, split: str, seed: int, spec: FeatureSpec) -> pa.Table:
    """Returns the golden candidates of a split: its first 40 instances with their raw events."""
    count = min(40, len(raw.slices))
    events = raw.sessions.events.select(["anonymous_id", *spec.required_columns()])
    events = pa.table(
        {
            name: events.column(name).cast(pa.string())
            if pa.types.is_dictionary(events.column(name).type)
            else events.column(name)
            for name in events.column_names
        }
    )
    return pa.table(
        {
            "example_id": [_example_id(raw.coded, row, seed) for row in range(count)],
            "split": [split] * count,
            "rank": pa.array(range(count), pa.uint64()),
            "label": raw.slices.label[:count],
            "events": [
                events.slice(raw.sessions.offsets[row], raw.slices.end[row]).to_pylist() for row in range(count)
            ],
        }
    )


def _example_id(coded: CodedInstances, row: int, seed: int) -> str:
    return f"v{seed}-{row:06d}/{coded.last_time_us[row]}/{row}"


def _bytes(text: str) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode()]))


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete examples folder: 600, 200 and 200 examples of two classes."""
    return write_examples(tmp_path_factory.mktemp("data") / "examples", {"train": 600, "validation": 200, "test": 200})


@pytest.fixture
def own_examples(examples: Path, tmp_path: Path) -> Path:
    """A copy of ``examples`` that a test may damage."""
    return Path(shutil.copytree(examples, tmp_path / "examples"))


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    """The functions of this module."""
    return SimpleNamespace(
        raw_instances=raw_instances, serialise=serialise, write_examples=write_examples, spec=SPEC, small=SMALL
    )


SMALL = {"units": 8, "embedding_units": 4, "max_epochs": 3, "batch_size": 64, "learning_rate": 0.01}
"""Options of a training that takes a second or two."""


@pytest.fixture(scope="session")
def artifact(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained artifact; not to be changed."""
    from models.behavior.options import TrainOptions
    from models.behavior.training import train

    output = tmp_path_factory.mktemp("model") / "artifact"
    return train(TrainOptions(examples=str(examples), output=str(output), **SMALL))
