"""What golden sets of images have in common; the families' tests replay whole ones."""

from pathlib import Path

import numpy as np
import pytest

from models.golden import GoldenError, Replay, expect, read_set, write_set


def test_what_was_written_is_read(tmp_path: Path) -> None:
    kept = np.array([[1.5, -0.0], [np.nan, 2.0]], np.float32)
    write_set(tmp_path, "golden/a.parquet", {"name": ["x", "y"], "encoded": [b"\x00", b""]}, {"golden/b.npy": kept})
    rows, [found] = read_set(tmp_path, "golden/a.parquet", ["name", "encoded"], ["golden/b.npy"])
    assert rows == [{"name": "x", "encoded": b"\x00"}, {"name": "y", "encoded": b""}]
    assert (found.tobytes(), found.dtype, found.shape) == (kept.tobytes(), kept.dtype, kept.shape)


def test_what_does_not_hold_together_is_refused(tmp_path: Path) -> None:
    write_set(tmp_path, "a.parquet", {"name": []}, {})
    with pytest.raises(GoldenError, match=r"no readable golden set \(a.parquet has not the columns name, or no rows\)"):
        read_set(tmp_path, "a.parquet", ["name"], [])
    with pytest.raises(GoldenError, match="no readable golden set .*; open the version again, or train again"):
        read_set(tmp_path, "b.parquet", ["name"], [])
    with pytest.raises(GoldenError, match=r"b.npy holds float64 \(3,\); expected float32 \(4,\): train again"):
        expect(tmp_path, "b.npy", np.zeros(3), (4,), np.float32)


def test_what_a_replay_says() -> None:
    assert (Replay(3, ("a",)).identical, Replay(2, ()).identical) == (2, 2)
