"""Tiny examples folders of drawn photos with all their variants, and one artifact trained on them."""

import hashlib
import json
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import pytest
import torch

from features.creative_spec import SPEC, CreativeSpec
from features.variants_stored import encode_variant, make_variants
from models.records import frame, make_example

SIZE = 32

torch.set_num_threads(1)


class Make:
    """Writes examples in the form of the creative pipeline."""

    small: ClassVar = {
        "backbone": "resnet18",
        "weights": "none",
        "max_epochs": 3,
        "batch_size": 12,
        "warmup_steps": 2,
        "learning_rate": 2e-3,
        "average": 0.8,
        "golden_products": 2,
        "threads": 1,
    }
    counts: ClassVar = {"train": 8, "validation": 3, "test": 3}

    def spec(self, **changes) -> CreativeSpec:
        return CreativeSpec(**{"width": SIZE, "height": SIZE, **changes})

    def photo(self, product: str):
        """A portrait with a bright disc on a dark, noisy ground."""
        rng = np.random.default_rng(list(product.encode()))
        image = rng.integers(0, 60, (40, 30, 3), np.uint8)
        centre = (int(rng.integers(10, 20)), int(rng.integers(10, 30)))
        return cv2.circle(image, centre, 7, rng.integers(120, 256, 3).tolist(), -1)

    def features(self, product: str, split="train", spec=None, **changes) -> list[dict]:
        """The features of each variant of a product's photo."""
        spec = spec or self.spec()
        photo = self.photo(product)
        return [
            {
                "image/encoded": [encode_variant(image, spec)],
                "image/id": [hashlib.sha256(photo.tobytes()).hexdigest().encode()],
                "variant": [variant.encode()],
                "product": [product.encode()],
                "kind": [[b"Shoes", b"Hat"][len(product) % 2]],
                "brand": [b""],
                "gender": [b""],
                "name": [b""],
                "split": [split.encode()],
                **changes,
            }
            for variant, image in zip(spec.variant_names, make_variants(photo, spec), strict=True)
        ]

    def products(self, split: str, count: int) -> list[str]:
        return [f"{split}-{'x' * (number % 2)}{number}" for number in range(count)]

    def write(self, folder: Path, counts=None, spec=None, named=None, **changes) -> Path:
        spec, counts = spec or self.spec(), counts or self.counts
        for split, count in counts.items():
            (folder / split).mkdir(parents=True)
            for part in range(2):
                records = [
                    make_example(features)
                    for product in (named or self.products)(split, count)[part::2]
                    for features in self.features(product, split, spec, **changes)
                ]
                (folder / split / f"examples-{part:05d}.tfrecord").write_bytes(b"".join(map(frame, records)))
        (folder / SPEC).write_text(spec.to_json())
        splits = {split: {"examples": count * len(spec.variants)} for split, count in counts.items()}
        (folder / "dataset_card.json").write_text(json.dumps({"fingerprint": spec.fingerprint, "splits": splits}))
        return folder


@pytest.fixture(scope="session")
def make() -> Make:
    return Make()


@pytest.fixture(scope="session")
def examples(make, tmp_path_factory) -> Path:
    return make.write(tmp_path_factory.mktemp("creative") / "examples")


@pytest.fixture(scope="session")
def artifact(make, examples) -> Path:
    from models.creative.options import TrainOptions
    from models.creative.training import train

    output = examples.parent / "artifact"
    return train(TrainOptions(examples=str(examples), output=str(output), **make.small))
