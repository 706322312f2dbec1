"""The golden set of a creative model through a running service; whatever is wrong on the way shows."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from features.errors import AuguryError
from models.registry import Registry
from serving.creative.verification import verify
from serving.promotion import replay_through_service
from tests.served_creative import GOLDEN, NAME


def test_every_golden_photo_is_answered_with_its_bits(creative_registry: Path) -> None:
    version = Registry(creative_registry).champion("creative", NAME).version
    found = replay_through_service(str(creative_registry), "creative", NAME, version)(None)
    assert (found.total, found.identical, found.differing) == (GOLDEN, GOLDEN, ())


def test_one_changed_bit_in_a_version_that_was_never_promoted(creative_artifact: Path, tmp_path: Path) -> None:
    """The last photo is beyond the spot check, so that the version is served and its answers differ."""
    folder = tmp_path / "model"
    shutil.copytree(creative_artifact, folder)
    path = folder / "golden" / "predictions.npy"
    rates = np.load(path)
    rates[GOLDEN - 1, 1, 2, 0] = np.nextafter(rates[GOLDEN - 1, 1, 2, 0], 1)
    np.save(path, rates)
    root = tmp_path / "registry"
    found = verify(str(root), NAME, Registry(root).publish(folder, "creative", NAME))
    assert (found.total, found.identical, len(found.differing)) == (GOLDEN, GOLDEN - 1, 1)


def test_a_version_whose_first_answers_differ_is_not_served(creative_artifact: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(creative_artifact, folder)
    path = folder / "golden" / "predictions.npy"
    np.save(path, np.load(path) + 1e-9)
    root = tmp_path / "registry"
    version = Registry(root).publish(folder, "creative", NAME)
    with pytest.raises(AuguryError, match=r"gives other rates than training computed of 4 of 4 golden photos"):
        verify(str(root), NAME, version)


def test_what_is_not_there(creative_registry: Path) -> None:
    with pytest.raises(AuguryError, match="has no version '20260101'"):
        verify(str(creative_registry), NAME, "20260101")
