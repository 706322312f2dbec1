"""A trained model of a shop, small enough for tests of what serves it: orders are hidden, sessions have gaps.

from tests.tiny_model import registry  # a fixture
"""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from example_generators.purchase import Purchase
from features.coding import FeatureCoder
from features.fields import HashSpec
from features.sessions import SessionRules, Window
from features.spec import FeatureSpec, SplitSpec
from models.registry import Registry

START_US = 1_700_000_000_000_000
NAME = "purchase"
GAP_SECONDS = 1800.0
SPEC = FeatureSpec(
    sequence_length=8,
    hash=HashSpec(size=64, seed=3),
    hides=Purchase().hides,
    begins_after=Purchase().begins_after,
    stats=Purchase.stats,
    generator="purchase",
    split=SplitSpec(validation=0.25, test=0.25),
    session_rules=SessionRules(GAP_SECONDS, 1000),
)
SMALL = {"units": 8, "embedding_units": 4, "max_epochs": 1, "batch_size": 64, "learning_rate": 0.01}
_AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36"


def shop_events(visitors: int, seed: int) -> pa.Table:
    """Makes events with the column ``visitor``: pages, carts and orders, and pauses that end sessions."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, 25, visitors)
    total = int(lengths.sum())
    visitor = np.repeat(np.arange(visitors), lengths)
    event = random.choice(["Page Viewed", "Product Added", "Order Completed"], total, p=[0.7, 0.2, 0.1])
    pauses = random.choice([5, 40, 400, 4000], total, p=[0.4, 0.4, 0.15, 0.05])
    names = pa.array([f"v{seed}-{index:05d}" for index in visitor])
    page = random.integers(0, 6, total)
    return pa.table(
        {
            "message_id": [f"m{seed}-{index}" for index in range(total)],
            "anonymous_id": names,
            "visitor": names,
            "type": ["page" if name == "Page Viewed" else "track" for name in event],
            "event": event.tolist(),
            "timestamp_us": START_US + np.cumsum(pauses) * 1_000_000,
            "url": [f"https://shop.example/page/{index}?utm_source=x" for index in page],
            "referrer": pa.array([None, "https://www.google.com/"]).take(pa.array(random.integers(0, 2, total))),
            "user_agent": pa.array([_AGENT, None]).take(pa.array(visitor % 2)),
        }
    )


@cache
def artifact() -> Path:
    """Returns the folder of a trained artifact; not to be changed."""
    from models.behavior.options import TrainOptions
    from models.behavior.training import train

    folder = Path(tempfile.mkdtemp(prefix="augury-tiny-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _write_examples(folder / "examples")
    return train(TrainOptions(examples=str(folder / "examples"), output=str(folder / "model"), **SMALL))


def _write_examples(folder: Path) -> None:
    from transforms.shard_examples import shard_examples
    from transforms.tfrecords import encode_examples, tfrecord_bytes

    events = shop_events(400, 1)
    window = Window(START_US, START_US + 10**13)
    made = shard_examples(events, coder=FeatureCoder(SPEC), generator=Purchase(), window=window, golden=60)
    (folder / "golden").mkdir(parents=True)
    for split, columns in made.columns.items():
        (folder / split).mkdir()
        records = tfrecord_bytes(encode_examples(columns), compress=False)
        (folder / split / "examples-00000-of-00001.tfrecord").write_bytes(records)
    pq.write_table(made.golden, folder / "golden" / "candidates-00000-of-00001.parquet")
    (folder / "feature_spec.json").write_text(SPEC.to_json())
    card = {
        "fingerprint": SPEC.fingerprint,
        "generator": "purchase",
        "window": {"start_us": window.start_us, "end_us": window.end_us},
        "splits": {
            split: {"examples": sum(labels.values()), "labels": {str(label): n for label, n in labels.items()}}
            for split, labels in made.labels.items()
        },
    }
    (folder / "dataset_card.json").write_bytes(orjson.dumps(card))


def publish(root: Path, *, promote: bool = True, name: str = NAME) -> str:
    """Publishes the tiny model; returns its version."""
    from models.gates import GateResult

    registry = Registry(root)
    version = registry.publish(artifact(), "behavior", name)
    if promote:
        registry.promote("behavior", name, version, lambda *_: [GateResult("test", True, "")])
    return version


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry whose champion is the tiny model; not to be changed."""
    root = tmp_path_factory.mktemp("registry") / "registry"
    publish(root)
    return root
