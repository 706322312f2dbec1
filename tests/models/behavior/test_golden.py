import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.behavior.golden import choose, replay
from models.golden import GoldenError


@pytest.fixture
def own_artifact(artifact, tmp_path):
    return shutil.copytree(artifact, tmp_path / "artifact")


def test_raw_events_give_the_bits_that_training_computed(artifact) -> None:
    found = replay(artifact)
    assert (found.total, found.identical, found.differing) == (80, 80, ())


def test_the_predictions_are_plain_numbers(artifact) -> None:
    predictions = np.load(artifact / "golden/predictions.npy", allow_pickle=False)
    assert predictions.shape == (80, 2)
    assert predictions.dtype == np.float32
    instances = pq.read_table(artifact / "golden/instances.parquet")
    assert instances.column_names == ["example_id", "label", "events"]


def test_one_changed_bit_is_found_and_named(own_artifact) -> None:
    path = own_artifact / "golden/predictions.npy"
    predictions = np.load(path)
    predictions[7, 0] = np.nextafter(predictions[7, 0], np.float32(2))
    np.save(path, predictions)
    found = replay(own_artifact)
    assert (found.total, found.identical) == (80, 79)
    assert found.differing == (pq.read_table(own_artifact / "golden/instances.parquet")["example_id"][7].as_py(),)


def test_events_that_changed_are_found(own_artifact) -> None:
    path = own_artifact / "golden/instances.parquet"
    rows = pq.read_table(path).to_pylist()
    for event in rows[3]["events"]:
        event["url"] = "https://shop.example/somewhere/else"
    pq.write_table(pa.Table.from_pylist(rows, schema=pq.read_schema(path)), path)
    assert replay(own_artifact).differing == (rows[3]["example_id"],)


def test_a_missing_golden_set_is_said(own_artifact) -> None:
    shutil.rmtree(own_artifact / "golden")
    with pytest.raises(GoldenError, match="artifact holds no readable golden set .*open the version again"):
        replay(own_artifact)


def test_instances_without_their_events_are_refused(own_artifact) -> None:
    path = own_artifact / "golden/instances.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["events"]), path)
    with pytest.raises(GoldenError, match=r"no readable golden set \(golden/instances.parquet has no example_id or no"):
        replay(own_artifact)


def test_pickles_are_never_loaded(own_artifact) -> None:
    np.save(own_artifact / "golden/predictions.npy", np.array([{"a": 1}], object))
    with pytest.raises(GoldenError, match="no readable golden set"):
        replay(own_artifact)


def test_predictions_of_another_shape_are_refused(own_artifact) -> None:
    np.save(own_artifact / "golden/predictions.npy", np.zeros((3, 2), np.float32))
    with pytest.raises(GoldenError, match=r"holds float32 \(3, 2\); expected float32 \(80, 2\)"):
        replay(own_artifact)


def test_the_lowest_ranks_are_chosen(examples) -> None:
    chosen = choose(str(examples), most=30)
    assert chosen.column("rank").to_pylist() == sorted([*range(15), *range(15)])
    assert choose(str(examples)).num_rows == 80


def test_examples_without_candidates_are_refused(own_examples) -> None:
    shutil.rmtree(own_examples / "golden")
    with pytest.raises(GoldenError, match="holds no golden-set candidates; write the examples again"):
        choose(str(own_examples))


def test_candidates_that_cannot_be_read_are_named(own_examples) -> None:
    path = sorted((own_examples / "golden").iterdir())[0]
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(GoldenError, match=rf"cannot read .*{path.name} \(.*\); write the examples again"):
        choose(str(own_examples))
