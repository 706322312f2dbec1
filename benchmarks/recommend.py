"""How long a recommendation takes: ``make bench-recommend``.

A made photo of 1200x900 is sent to the running service, one request at a time over one connection; back comes JSON with
six variants and twenty alternates, pictures and all. Any artifact will do. Without one it is made as large as training
makes it by default: a ResNet50 for photos of 128 pixels, 20 ensembles of trees for a target, 10,000 products in the
catalogue. Its recogniser is untrained and its trees have learnt noise, since time does not depend on what they know.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.figures import Figure, write_results
from benchmarks.load import request, send
from benchmarks.service import WRITE_KEY, running
from features.creative_spec import CATEGORICAL, SPEC, CreativeSpec
from features.images import decode_image
from features.images_encode import encode_image
from features.storage import write_folder_atomic
from features.variants_stored import make_variants
from models.artifact import DESCRIPTION_FILE, write_json, write_text
from models.creative.catalogue import write_catalogue
from models.creative.conversion import golden
from models.creative.conversion.calibration import Calibration
from models.creative.conversion.inputs import Inputs
from models.creative.conversion.options import ConversionOptions
from models.creative.conversion.trees import Counts, Grower, Stopping, TreeOptions
from models.creative.predictor import CALIBRATION_FILE, FORMAT, RECOGNIZER_FOLDER, TREES_FOLDER, CreativeModel
from models.creative.recommendation import Asked, Recommender
from models.creative.shown import as_json, variant_images
from models.gates import GateResult
from models.registry import Registry

WIDTH, HEIGHT = 1200, 900
TARGET, ALTERNATES = "click_through", 20

_ROUNDS = 100
_ROWS = 4_000
_NAMES = {name: tuple(f"{name}-{number}" for number in range(8)) for name in CATEGORICAL}
_CAMPAIGN = {name: values[0] for name, values in _NAMES.items()}


def main() -> None:
    """Measures, and writes ``benchmarks/results/recommend.json``, or ``recommend-trained.json`` of a given artifact."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--artifact", type=Path, help="of a trained model; by default one is made")
    parser.add_argument("--backbone", default="resnet50", help="of the one that is made")
    parser.add_argument("--requests", type=int, default=60, help="measured requests")
    given = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="augury-bench-"))
    try:
        artifact = given.artifact or make_artifact(scratch / "artifact", given.backbone, ConversionOptions.catalogue)
        what = f"the model of {artifact.name}" if given.artifact else f"an untrained {given.backbone} at 128 pixels"
        write_results(
            "recommend-trained" if given.artifact else "recommend", _figures(scratch, artifact, what, given.requests)
        )
    finally:
        shutil.rmtree(scratch)


def made_photo(seed: int = 0) -> npt.NDArray[np.uint8]:
    """Returns a photo uint8 (900, 1200, 3): something of many colours before a plain ground, with a camera's grain."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (HEIGHT // 60, WIDTH // 60, 3), np.uint8)
    colours = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    shape = cv2.ellipse(np.zeros((HEIGHT, WIDTH), np.uint8), (WIDTH // 2, HEIGHT // 2), (420, 260), 20, 0, 360, 1, -1)
    photo = np.where(shape[..., None] > 0, colours, 236).astype(np.int16) + rng.integers(-4, 5, (HEIGHT, WIDTH, 3))
    return np.clip(photo, 0, 255).astype(np.uint8)


def make_artifact(folder: Path, backbone: str, products: int) -> Path:
    """Writes an artifact as large as training does by default."""
    spec, options = CreativeSpec(), ConversionOptions
    with write_folder_atomic(str(folder)) as staged:
        recognizer = staged / RECOGNIZER_FOLDER
        command = [sys.executable, "-m", "benchmarks.recommend_side", backbone, str(recognizer)]
        subprocess.run(command, check=True)  # torch stays out of this process
        rng = np.random.default_rng(0)
        inputs = Inputs("logits", len(spec.variants), _NAMES)
        inputs.save(staged)
        kinds = inputs.kinds
        matrix = np.concatenate(
            [rng.normal(size=(_ROWS, inputs.width)), rng.integers(0, 8, (_ROWS, len(_NAMES)))], axis=1
        ).astype(np.float32)
        among = np.full(_ROWS, 200, np.int64)
        rate = 1 / (1 + np.exp(-matrix[:, 0] - 0.3 * matrix[:, inputs.width]))
        counts = Counts(matrix, kinds, rng.binomial(200, rate), among, np.arange(_ROWS, dtype=np.int64) // 12)
        grower = Grower(counts, counts, Stopping(_ROUNDS, _ROUNDS), 0, 2)
        grower.members(TreeOptions(), _ROUNDS, options.members).save(staged / TREES_FOLDER / TARGET)
        write_text(staged / SPEC, spec.to_json())
        write_json(staged / CALIBRATION_FILE, {TARGET: Calibration().to_dict()})
        told = {"members": options.members, "rounds": _ROUNDS, "less_is_better": False}
        description = {"format": FORMAT, "fingerprint": spec.fingerprint, "confidence": 0.95, "targets": {TARGET: told}}
        write_json(staged / DESCRIPTION_FILE, description)
        write_json(staged / "model_card.json", {"metrics": {"auc": 0.5}, "simulated": "noise"})
        model = CreativeModel.load(staged, spec)
        stored = encode_image(make_variants(made_photo(1), spec)[0], "png")
        _write_products(staged, model, products)
        golden.write(staged, [{"product": "p", "encoded": stored, **_CAMPAIGN}], model)
    return folder


def _write_products(folder: Path, model: CreativeModel, products: int) -> None:
    """Writes a catalogue of products that look like one photo, each in its own way."""
    rng = np.random.default_rng(1)
    photo = make_variants(made_photo(2), model.spec)[0]
    thumbnail = encode_image(photo, "jpeg", 85)
    base = model.embed(photo[None])
    about = {name: _CAMPAIGN[name] for name in ("kind", "brand", "gender")}
    rows: list[dict[str, Any]] = []
    for number in range(products):
        vectors = {
            "embedding": (base.features[0] + rng.normal(0, 0.1, base.features.shape[1])).astype(np.float32),
            "logits": (base.logits[0] + rng.normal(0, 0.1, base.logits.shape[1])).astype(np.float32),
        }
        name = f"product-{number:05d}"
        image_id = hashlib.sha256(name.encode()).hexdigest()
        rows.append({"product": name, "name": name, "image_id": image_id, "thumbnail": thumbnail, **about, **vectors})
    write_catalogue(folder, rows)


def _figures(scratch: Path, artifact: Path, what: str, requests: int) -> list[Figure]:
    registry = Registry(scratch / "registry")
    version = registry.publish(artifact, "creative", "photos")
    registry.promote("creative", "photos", version, lambda *_: [GateResult("benchmark", True, "not judged")])
    recommender = Recommender.load(artifact, threads=2)
    target = recommender.model.targets[0]
    values = {name: values[0] if values else "" for name, values in recommender.model.inputs.categories.items()}
    values["shoe_type"] = values.pop("kind", "")
    photo = encode_image(made_photo(), "jpeg", 90)
    query = "&".join(f"{name}={value}" for name, value in values.items())
    path = f"/v1/creative/recommend?target={target}&alternates={ALTERNATES}&{query}&writeKey={WRITE_KEY}"
    asked = request("POST", path, photo, content_type="image/jpeg")
    with running({"AUGURY_REGISTRY": str(scratch / "registry"), "AUGURY_MODELS": "creative/photos"}) as service:
        answers = send([asked] * (requests + 5), service.port, 1, warm=5)
    steps = ", ".join(
        f"{name} {took:.0f}" for name, took in _steps(recommender, photo, Asked(target, **values)).items()
    )
    variants = len(recommender.model.spec.variants)
    said = (
        f"median latency of POST /v1/creative/recommend of a {WIDTH}x{HEIGHT} JPEG of {len(photo) / 1e6:.1f} MB with "
        f"{variants} variants and {ALTERNATES} alternates out of {len(recommender.catalogue):,} products, pictures "
        f"included; {what}, {answers.requests} requests one at a time; p99 {answers.p99_ms:.0f} ms; ms of its steps by "
        f"themselves: {steps}"
    )
    return [
        Figure("recommend_ms", said, answers.p50_ms, "ms", "< 400"),
        Figure("recommend_p99_ms", "99th percentile of the same", answers.p99_ms, "ms"),
    ]


def _steps(recommender: Recommender, photo: bytes, asked: Asked) -> dict[str, float]:
    """Returns the median milliseconds of each step of a recommendation, in this process."""
    model, image = recommender.model, decode_image(photo)
    variants = np.stack(make_variants(image, model.spec))
    vectors = model.embed(variants)
    found = recommender.recommend(image, asked)
    pictures = variant_images(image, model.spec, 256)
    steps: dict[str, Callable[[], object]] = {
        "decode": lambda: decode_image(photo),
        "make variants": lambda: make_variants(image, model.spec),
        "recogniser": lambda: model.embed(variants),
        "look-alikes": lambda: recommender.catalogue.nearest(vectors.features[0], ALTERNATES),
        "trees of the variants": lambda: model.probabilities(vectors, {}, [asked.target]),
        "all of the recommendation": lambda: recommender.recommend(image, asked),
        "pictures": lambda: (variant_images(image, model.spec, 256), as_json(found, pictures)),
    }
    return {name: float(np.median([_milliseconds(step) for _ in range(9)])) for name, step in steps.items()}


def _milliseconds(step: Callable[[], object]) -> float:
    began = time.perf_counter()
    step()
    return (time.perf_counter() - began) * 1e3


if __name__ == "__main__":
    main()
