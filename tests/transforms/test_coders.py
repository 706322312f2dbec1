"""The coder of Arrow batches."""

import apache_beam as beam
import pyarrow as pa

from transforms.coders import RecordBatchCoder

BATCH = pa.RecordBatch.from_pydict({"a": [1, 2], "b": pa.array(["x", None]).dictionary_encode()})


def test_batches_come_back_equal_and_equal_batches_are_equal_bytes() -> None:
    coder = RecordBatchCoder()
    assert coder.decode(coder.encode(BATCH)).equals(BATCH)
    assert coder.encode(BATCH) == coder.encode(BATCH.slice(0, 2))
    assert coder.is_deterministic()


def test_beam_takes_it_for_batches_and_believes_its_sizes() -> None:
    coder = beam.coders.registry.get_coder(pa.RecordBatch)
    assert isinstance(coder, RecordBatchCoder)
    assert coder.get_impl().get_estimated_size_and_observables(BATCH) == (BATCH.nbytes, [])
