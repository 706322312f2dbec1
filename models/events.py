"""TensorBoard's event files without TensorFlow: one scalar a record, for the curves of a training.

The messages are TensorFlow's (tensorflow/core/util/event.proto, tensorflow/core/framework/summary.proto), of which only
the fields of a scalar are written.
"""

import socket
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from features.storage import explained
from models.records import frame


class EventFile:
    """An event file that scalars are added to; each step is on the disk when ``add`` returns.

    Args:
        folder: local folder that TensorBoard is pointed at; made where it is missing.

    Raises:
        StorageError: it cannot be written.
    """

    def __init__(self, folder: str) -> None:
        now = time.time()
        self.path = Path(folder) / f"events.out.tfevents.{int(now)}.{socket.gethostname()}"
        with explained(self.path, "write"):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("ab")
        self._write(_event(now, 0, _text(3, b"brain.Event:2")))

    def add(self, step: int, scalars: Mapping[str, float]) -> None:
        """Adds one value of each scalar.

        Raises:
            StorageError: full disk.
        """
        values = b"".join(
            _text(1, _text(1, name.encode()) + b"\x15" + struct.pack("<f", value)) for name, value in scalars.items()
        )
        self._write(_event(time.time(), step, _text(5, values)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def _write(self, record: bytes) -> None:
        with explained(self.path, "write"):
            self._file.write(frame(record))
            self._file.flush()


def _event(wall_seconds: float, step: int, content: bytes) -> bytes:
    return b"\x09" + struct.pack("<d", wall_seconds) + b"\x10" + _varint(step) + content


def _text(number: int, content: bytes) -> bytes:
    """Returns a length-delimited field of a protobuf message."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])
