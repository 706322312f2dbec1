import struct

import pytest

from features.storage import StorageError
from models.events import EventFile
from models.records import read_records


def test_the_records_by_hand(tmp_path) -> None:
    """event.proto: wall_time 1 (double), step 2 (varint), file_version 3, summary 5; summary.proto: value 1 of tag 1,
    simple_value 2 (float).
    """
    with EventFile(str(tmp_path)) as events:
        events.add(300, {"loss": 0.5})
    first, second = read_records(events.path.read_bytes(), "events")
    assert first[:1] == b"\x09"
    assert first[9:] == b"\x10\x00" + b"\x1a\x0d" + b"brain.Event:2"
    value = b"\x0a\x04loss" + b"\x15" + struct.pack("<f", 0.5)
    assert second[9:] == b"\x10\xac\x02" + b"\x2a\x0d" + b"\x0a\x0b" + value


def test_tensorboard_reads_them(tmp_path) -> None:
    loader = pytest.importorskip("tensorboard.backend.event_processing.event_file_loader", reason="no TensorBoard here")
    with EventFile(str(tmp_path)) as events:
        events.add(1, {"loss": 0.5, "nss": 3.0})
    found = list(loader.RawEventFileLoader(str(events.path)).Load())
    assert len(found) == 2


def test_a_folder_that_cannot_be_written_is_said(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write .*tfevents"):
        EventFile(str(tmp_path / "file" / "logs"))
