"""The golden set through a running service; whatever is wrong on the way shows."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from features.errors import AuguryError
from models.registry import Registry
from serving import verification
from serving.verification import verify
from tests.tiny_model import NAME, artifact, registry  # noqa: F401 - a fixture


def test_every_golden_instance_is_answered_with_its_bits(registry: Path) -> None:  # noqa: F811
    version = Registry(registry).champion("behavior", NAME).version
    found = verify(str(registry), NAME, version)
    assert (found.total, found.identical, found.differing) == (60, 60, ())


def test_a_version_that_was_never_promoted_and_one_changed_bit(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(artifact(), tmp_path / "model"))
    path = folder / "golden" / "predictions.npy"
    promised = np.load(path)
    promised[40, 1] = np.nextafter(promised[40, 1], np.float32(2))
    np.save(path, promised)
    opened = Registry(tmp_path / "registry")
    version = opened.publish(folder, "behavior", NAME)
    found = verify(str(tmp_path / "registry"), NAME, version)
    assert (found.total, found.identical) == (60, 59)
    assert len(found.differing) == 1


def test_a_model_that_cannot_be_loaded_is_one_clear_line(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(artifact(), tmp_path / "model"))
    (folder / "model.pb").write_bytes(b"nothing")
    opened = Registry(tmp_path / "registry")
    version = opened.publish(folder, "behavior", NAME)
    with pytest.raises(AuguryError, match=rf"the service does not answer with {NAME} {version}: .*model\.pb"):
        verify(str(tmp_path / "registry"), NAME, version)


def test_what_is_not_there(registry: Path) -> None:  # noqa: F811
    with pytest.raises(AuguryError, match="has no version '20260101'"):
        verify(str(registry), NAME, "20260101")


def test_a_store_that_does_not_keep_the_events_is_found(
    registry: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(verification, "MAX_AGE_DAYS", 0.001)
    version = Registry(registry).champion("behavior", NAME).version
    with pytest.raises(AuguryError, match=r"only 0 of \d+ golden events are kept .*; write the examples again"):
        verify(str(registry), NAME, version)
