"""Writing the examples of several shards at once."""

import time
from typing import Any

import pytest

from example_generators.purchase import Purchase
from features.sessions import Window
from features.spec import FeatureSpec
from features.storage import StorageError
from transforms import write_examples
from transforms.write_examples import ShardLayout


def test_when_a_shard_fails_no_other_is_written_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, ended = [], []

    def work(_: Any, shard: int, *__: Any) -> None:
        if shard == 0:
            raise StorageError("cannot write examples: the disk is full")
        begun.append(shard)
        time.sleep(0.05)
        ended.append(shard)

    monkeypatch.setattr(write_examples._WriteShard, "_work", work)
    monkeypatch.setattr(write_examples, "unpack_within", lambda pieces, most: pieces)
    writer = write_examples._WriteShard(Purchase(), FeatureSpec(), ShardLayout("nowhere", 5, False, 0))
    writer.start_bundle()
    with pytest.raises(StorageError, match="the disk is full"):
        for shard in range(5):
            list(writer.process((shard, []), Window(0, 1)))
    assert sorted(begun) == sorted(ended)
