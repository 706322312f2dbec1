"""The golden set of an attention model through a running service; whatever is wrong on the way shows."""

from pathlib import Path

import numpy as np
import pytest

from features.errors import AuguryError
from models.registry import Registry
from serving.attention.verification import verify
from serving.promotion import replay_through_service
from tests.served_attention import GOLDEN, NAME, artifact


def test_every_golden_image_is_answered_with_its_bits(attention_registry: Path) -> None:
    version = Registry(attention_registry).champion("attention", NAME).version
    found = verify(str(attention_registry), NAME, version)
    assert (found.total, found.identical, found.differing) == (GOLDEN, GOLDEN, ())


def test_the_command_knows_how_to_replay_this_family(attention_registry: Path) -> None:
    version = Registry(attention_registry).champion("attention", NAME).version
    found = replay_through_service(str(attention_registry), "attention", NAME, version)(None)
    assert found.total == found.identical == GOLDEN


def test_one_changed_bit_in_a_version_that_was_never_promoted(tmp_path: Path) -> None:
    """The fifth image is beyond the spot check, so that the version is served and its answers differ."""
    folder = artifact(tmp_path / "model")
    path = folder / "golden" / "predictions.npy"
    maps = np.load(path)
    maps[5, 7, 9] = np.nextafter(maps[5, 7, 9], np.float32(1))
    np.save(path, maps)
    registry = Registry(tmp_path / "registry")
    found = verify(str(tmp_path / "registry"), NAME, registry.publish(folder, "attention", NAME))
    assert (found.total, found.identical) == (GOLDEN, GOLDEN - 1)
    assert [name.partition("/")[0] for name in found.differing] == ["bright"]


def test_a_model_that_cannot_be_loaded_is_one_clear_line(tmp_path: Path) -> None:
    folder = artifact(tmp_path / "model")
    (folder / "model.onnx").write_bytes(b"nothing")
    version = Registry(tmp_path / "registry").publish(folder, "attention", NAME)
    with pytest.raises(AuguryError, match=rf"the service does not answer with {NAME} {version}: .*model\.onnx"):
        verify(str(tmp_path / "registry"), NAME, version)


@pytest.mark.parametrize("shape", [(GOLDEN, 48, 63), (GOLDEN - 1, 48, 64)])
def test_a_golden_set_that_does_not_hold_together(tmp_path: Path, shape: tuple[int, ...]) -> None:
    folder = artifact(tmp_path / "model")
    np.save(folder / "golden" / "predictions.npy", np.zeros(shape, np.float32))
    version = Registry(tmp_path / "registry").publish(folder, "attention", NAME)
    with pytest.raises(AuguryError, match=r"golden/predictions\.npy holds float32 .*; expected float32 \(6, 48, 64\)"):
        verify(str(tmp_path / "registry"), NAME, version)


def test_what_is_not_there(attention_registry: Path) -> None:
    with pytest.raises(AuguryError, match="has no version '20260101'"):
        verify(str(attention_registry), NAME, "20260101")
