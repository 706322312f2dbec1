import os
import tempfile
from pathlib import Path

import pytest

from models.spool import Spool, SpoolError


def test_what_is_kept_comes_back_in_any_order() -> None:
    spool = Spool()
    pieces = [b"one", b"", bytes(1 << 20), b"four"]
    kept = [spool.keep(piece) for piece in pieces]
    assert [one.read() for one in reversed(kept)] == pieces[::-1]
    assert [(one.start, one.size) for one in kept] == [(0, 3), (3, 0), (3, 1 << 20), (3 + (1 << 20), 4)]


def test_it_has_no_name_and_is_gone_when_nobody_needs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    spool = Spool()
    kept = spool.keep(b"some")
    descriptor = spool._descriptor
    del spool
    assert (list(tmp_path.iterdir()), kept.read()) == ([], b"some")
    del kept
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_no_place_for_it_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    with pytest.raises(SpoolError, match=r"cannot keep images in .*absent .*TMPDIR"):
        Spool()
