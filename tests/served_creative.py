"""A registry with a small creative model in it, golden set and all, and photos to ask it about.

from tests.served_creative import creative_artifact, creative_registry  # fixtures
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from features.creative_spec import CreativeSpec, Target
from features.images_encode import encode_image
from models.creative.conversion.training import train
from models.gates import GateResult
from models.registry import Registry
from tests.tiny_creative import photo, small_options, write_embeddings, write_examples, write_recognizer

NAME = "shoes"
GOLDEN = 6
# What the made tables call opened stands for unsubscribed here, so that there is a target of which less is better.
SPEC = CreativeSpec(
    width=32,
    height=32,
    targets=(Target("click_through", "clicked", "sent"), Target("unsubscribed", "opened", "sent", less_is_better=True)),
)


def png(image: npt.NDArray[np.uint8]) -> bytes:
    """Returns a PNG file of an image."""
    return encode_image(image, "png")


PHOTO = png(photo("of nobody"))


def write_artifact(folder: Path) -> Path:
    """Trains the model and writes its artifact."""
    data = folder.parent / f"{folder.name}-data"
    examples, recognizer = write_examples(data / "examples", SPEC), write_recognizer(data / "recognizer", SPEC)
    embeddings = write_embeddings(data / "embeddings", examples, recognizer)
    names = {"examples": str(examples), "embeddings": str(embeddings), "recognizer": str(recognizer)}
    return train(small_options(names, folder, rounds=25, members=4, golden_images=GOLDEN))


def promote(root: Path, folder: Path, name: str = NAME) -> str:
    """Publishes an artifact and makes it the champion, unjudged; returns its version."""
    registry = Registry(root)
    version = registry.publish(folder, "creative", name)
    registry.promote("creative", name, version, lambda *_: [GateResult("test", True, "")])
    return version


@pytest.fixture(scope="session")
def creative_artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact; not to be changed."""
    return write_artifact(tmp_path_factory.mktemp("creative") / "model")


@pytest.fixture(scope="session")
def creative_registry(creative_artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry whose champion of ``creative`` is the small model; not to be changed."""
    root = tmp_path_factory.mktemp("creative") / "registry"
    promote(root, creative_artifact)
    return root
