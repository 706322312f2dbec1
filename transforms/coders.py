"""How Arrow batches cross a process boundary, and how large they are said to be."""

import pyarrow as pa
from apache_beam import coders

from transforms.ipc import from_ipc, to_ipc


class RecordBatchCoder(coders.Coder):
    """Batches as Arrow IPC streams, deterministic.

    Beam asks for the size of the first elements it sees; without a coder of their own batches would be pickled for it.
    """

    def encode(self, value: pa.RecordBatch) -> bytes:
        """Returns the batch as an IPC stream."""
        return to_ipc(value)

    def decode(self, encoded: bytes) -> pa.RecordBatch:
        """Returns the batch of an IPC stream."""
        return from_ipc(encoded)

    def estimate_size(self, value: pa.RecordBatch) -> int:
        """Returns the bytes of the batch in memory."""
        return int(value.nbytes)

    def is_deterministic(self) -> bool:
        """Always true."""
        return True

    def to_type_hint(self) -> type:
        """Returns ``pa.RecordBatch``."""
        return pa.RecordBatch  # type: ignore[no-any-return]


coders.registry.register_coder(pa.RecordBatch, RecordBatchCoder)
