"""A registry with the tiny attention model in it, golden set and all, and images to ask it about.

from tests.served_attention import attention_registry  # a fixture
"""

import hashlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from models.attention import golden
from models.attention.dataset import Stored
from models.attention.predictor import Predictor
from models.gates import GateResult
from models.registry import Registry
from models.spool import Spool
from tests.tiny_attention import write_attention_artifact

NAME = "page"
FIXATIONS = 40
GOLDEN = 6


def picture(
    height: int = 96, width: int = 128, seed: int = 0, bright: tuple[int, int] | None = None
) -> npt.NDArray[np.uint8]:
    """Makes an image: noise, and a white square of a quarter of the shorter side with its centre at (x, y)."""
    image = np.random.default_rng(seed).integers(0, 120, (height, width, 3), np.uint8)
    if bright is not None:
        half = max(1, min(height, width) // 8)
        x, y = bright
        image[max(0, y - half) : y + half, max(0, x - half) : x + half] = 255
    return image


def png(image: npt.NDArray[np.uint8]) -> bytes:
    """Returns a PNG file of an image."""
    done, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    assert done
    return data.tobytes()


def artifact(folder: Path, **card: Any) -> Path:
    """Writes an artifact with its golden set; another card makes another version."""
    write_attention_artifact(folder, **{"regions": {"effective_fixations": FIXATIONS}, **card})
    predictor = Predictor.load(folder)
    height, width = predictor.spec.height, predictor.spec.width
    golden.write(folder, [_stored(height, width, number) for number in range(GOLDEN)], predictor)
    return folder


def _stored(height: int, width: int, number: int) -> Stored:
    encoded = png(picture(height, width, seed=number))
    nowhere, spool = np.zeros(0, np.float32), Spool()
    return Stored(
        image_id=hashlib.sha256(encoded).hexdigest()[:16],
        set_name="bright",
        method="eye",
        kept_image=spool.keep(encoded),
        kept_map=spool.keep(b""),
        map_max=1.0,
        original=(height, width),
        x=nowhere,
        y=nowhere,
        subject=np.zeros(0, np.int64),
    )


def promote(root: Path, folder: Path, name: str = NAME) -> str:
    """Publishes an artifact and makes it the champion, unjudged; returns its version."""
    registry = Registry(root)
    version = registry.publish(folder, "attention", name)
    registry.promote("attention", name, version, lambda *_: [GateResult("test", True, "")])
    return version


@pytest.fixture(scope="session")
def attention_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry whose champion of ``attention`` is the tiny model; not to be changed."""
    folder = tmp_path_factory.mktemp("attention")
    promote(folder / "registry", artifact(folder / "model"))
    return folder / "registry"
