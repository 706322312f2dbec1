"""Tiny examples folders of images whose attention is on a bright spot, and one artifact trained on them."""

import json
import zlib
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import pytest

from features.attention_spec import MAP_LEVELS, SPEC, AttentionSpec

HEIGHT, WIDTH = 48, 64


class Make:
    """Writes examples in the form of the attention pipeline."""

    small: ClassVar = {
        "encoder": "plain",
        "depth": 3,
        "width": 4,
        "output_stride": 2,
        "max_epochs": 3,
        "batch_size": 4,
        "warmup_steps": 2,
        "learning_rate": 1e-2,
        "golden_images": 4,
        "threads": 1,
    }

    def spec(self, sets=("one", "two")) -> AttentionSpec:
        return AttentionSpec(width=WIDTH, height=HEIGHT, sets=sets, image_format="png")

    def features(self, seed, *, set_name="one", original=(96, 128), fixations=5, method="eye", **changes):
        """Noise with a white spot; attention is a Gaussian around it. Left and right a border if original is square."""
        rng = np.random.default_rng(seed)
        image = rng.integers(0, 80, (HEIGHT, WIDTH, 3), np.uint8)
        border = WIDTH // 2 - HEIGHT // 2 if original[0] == original[1] else 0
        x, y = int(rng.integers(border + 8, WIDTH - border - 8)), int(rng.integers(8, HEIGHT - 8))
        image[y - 3 : y + 4, x - 3 : x + 4] = 255
        rows, columns = np.mgrid[:HEIGHT, :WIDTH]
        density = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 2 / 5**2)
        density[:, :border] = density[:, WIDTH - border :] = 0
        density /= density.sum()
        levels = np.rint(density / density.max() * MAP_LEVELS).astype(np.uint16)
        found = {
            "image/encoded": [cv2.imencode(".png", image[:, :, ::-1])[1].tobytes()],
            "image/height": np.array([original[0]]),
            "image/width": np.array([original[1]]),
            "image/id": [f"{seed}.png".encode()],
            "set": [set_name.encode()],
            "method": [method.encode()],
            "split": [b"train"],
            "map/encoded": [cv2.imencode(".png", levels)[1].tobytes()],
            "map/max": np.array([density.max()], np.float32),
            "fixations/x": (x + rng.uniform(-2, 2, fixations)).astype(np.float32),
            "fixations/y": (y + rng.uniform(-2, 2, fixations)).astype(np.float32),
            "fixations/subject": np.arange(fixations),
        }
        return {**found, **changes}

    def record(self, *args, **changes) -> bytes:
        from models.records import make_example

        return make_example(self.features(*args, **changes))

    def write(self, folder: Path, counts=None, spec=None, **changes) -> Path:
        from models.records import frame

        counts = counts or {"train": 16, "validation": 6, "test": 6}
        spec = spec or self.spec()
        for split, count in counts.items():
            (folder / split).mkdir(parents=True)
            records = [
                self.record(
                    zlib.crc32(f"{split}{index}".encode()),
                    **{
                        "set_name": spec.sets[index % len(spec.sets)],
                        "original": [(96, 128), (200, 200)][index % 2],
                        "fixations": 0 if index == 1 else 5,
                        **changes,
                    },
                )
                for index in range(count)
            ]
            half = count // 2
            for part, chosen in enumerate((records[:half], records[half:])):
                (folder / split / f"examples-{part:05d}.tfrecord").write_bytes(b"".join(map(frame, chosen)))
        (folder / SPEC).write_text(spec.to_json())
        card = {
            "fingerprint": spec.fingerprint,
            "splits": {split: {"examples": count} for split, count in counts.items()},
        }
        (folder / "dataset_card.json").write_text(json.dumps(card))
        return folder


@pytest.fixture(scope="session")
def make() -> Make:
    return Make()


@pytest.fixture(scope="session")
def examples(make, tmp_path_factory) -> Path:
    return make.write(tmp_path_factory.mktemp("attention") / "examples")


@pytest.fixture(scope="session")
def artifact(make, examples) -> Path:
    from models.attention.options import TrainOptions
    from models.attention.training import train

    output = examples.parent / "artifact"
    return train(TrainOptions(examples=str(examples), output=str(output), int8=True, **make.small))
