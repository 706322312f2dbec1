"""Creative examples, embeddings and a recogniser that need neither Beam nor torch, and options to train trees on them.

The recogniser's features are the mean brightness of the four quarters of an image, its logits linear in them:
it tells a brighter photo from a darker one, which is what conversions are made to depend on.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
from onnx import TensorProto, helper

from features.conversions import CONVERSION_SCHEMA
from features.creative_spec import SPEC, CreativeSpec
from features.splits import SPLITS
from features.variants_stored import encode_variant, make_variants
from models.creative.conversion.options import ConversionOptions
from models.creative.recognizer import Recognizer
from models.records import frame, make_example

SPEC_32 = CreativeSpec(width=32, height=32)
COUNTS = {"train": 40, "validation": 12, "test": 12}
CAMPAIGN_TYPES = ("newsletter", "launch")
BRANDS = ("Aster", "Birk", "Cedar")
LIKELY, UNLIKELY = 0.8, 0.2


def write_recognizer(folder: Path, spec: CreativeSpec = SPEC_32, scale: float = 1.0) -> Path:
    """Writes a recogniser with four features; ``scale`` makes another one of it."""
    folder.mkdir(parents=True)
    half = spec.height // 2
    nodes = [
        helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats"], ["grey"], axes=[3], keepdims=0),
        helper.make_node("Unsqueeze", ["grey", "one"], ["plane"]),
        helper.make_node("AveragePool", ["plane"], ["quarters"], kernel_shape=[half, half], strides=[half, half]),
        helper.make_node("Flatten", ["quarters"], ["flat"], axis=1),
        helper.make_node("Mul", ["flat", "scale"], ["features"]),
        helper.make_node("Gemm", ["features", "weight"], ["logits"]),
    ]
    variants = len(spec.variants)
    weight = np.random.default_rng(1).normal(size=(4, variants)).astype(np.float32)
    graph = helper.make_graph(
        nodes,
        "quarters",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", spec.height, spec.width, 3])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", variants]),
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", 4]),
        ],
        [
            helper.make_tensor("one", TensorProto.INT64, [1], [1]),
            helper.make_tensor("scale", TensorProto.FLOAT, [], [scale / 100]),
            helper.make_tensor("weight", TensorProto.FLOAT, [4, variants], weight.ravel()),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    (folder / "model.json").write_text(json.dumps({"format": "onnx", "fingerprint": spec.fingerprint}))
    (folder / SPEC).write_text(spec.to_json())
    confusion = (np.eye(variants, dtype=int) * 10).tolist()
    evaluation = {"metrics": {"accuracy": 1.0}, "variants": list(spec.variant_names), "confusion": confusion}
    (folder / "evaluation.json").write_text(json.dumps(evaluation))
    return folder


def photo(product: str) -> np.ndarray:
    """Returns a portrait with a bright disc on a dark, noisy ground, uint8 (40, 30, 3)."""
    random = np.random.default_rng(list(product.encode()))
    image = random.integers(0, 60, (40, 30, 3), np.uint8)
    centre = (int(random.integers(10, 20)), int(random.integers(10, 30)))
    return cv2.circle(image, centre, 9, random.integers(120, 256, 3).tolist(), -1)


def rate(variant: str, campaign_type: str, brand: str) -> float:
    """Returns the truth that conversions are drawn with: brighter photos convert in newsletters, darker at launches."""
    wanted = "brighter" if campaign_type == "newsletter" else "darker"
    return LIKELY if variant == wanted or brand == "Cedar" else UNLIKELY


def conversions(products: Sequence[str], spec: CreativeSpec, seed: int, sent: int = 20) -> pa.Table:
    """Returns conversions of opening and clicking, the two alike; of carts and unsubscriptions nothing was recorded."""
    random, rows = np.random.default_rng(seed), []
    for place, product in enumerate(products):
        for campaign_type in CAMPAIGN_TYPES:
            for variant in spec.variant_names:
                brand = BRANDS[place % len(BRANDS)]
                truth = rate(variant, campaign_type, brand)
                about = {"campaign": f"c-{campaign_type}", "campaign_type": campaign_type, "industry": "fashion"}
                counts = {"sent": sent, "opened": random.binomial(sent, truth), "clicked": random.binomial(sent, truth)}
                product_is = {"product": product, "variant": variant, "brand": brand, "gender": "", "kind": "shoe"}
                told = {"truth_open_rate": truth, "truth_click_through": truth}
                rows.append({**product_is, **about, **counts, "abandoned": None, "unsubscribed": None, **told})
    truths = [pa.field(name, pa.float64()) for name in ("truth_open_rate", "truth_click_through")]
    return pa.Table.from_pylist(rows, pa.schema([*CONVERSION_SCHEMA, *truths]))


def write_examples(folder: Path, spec: CreativeSpec = SPEC_32, counts: dict[str, int] | None = None) -> Path:
    """Writes an examples folder as the pipeline does, its conversions marked as simulated."""
    splits: dict[str, Any] = {}
    for index, split in enumerate(SPLITS):
        (folder / split).mkdir(parents=True)
        products = [f"{split}-{number:02d}" for number in range((counts or COUNTS)[split])]
        records = [
            make_example(
                {
                    "image/encoded": [encode_variant(image, spec)],
                    "image/id": [hashlib.sha256(photo(product).tobytes()).hexdigest().encode()],
                    "variant": [variant.encode()],
                    "product": [product.encode()],
                    "kind": [b"shoe"],
                    "brand": [b"Aster"],
                    "gender": [b""],
                    "name": [product.title().encode()],
                    "split": [split.encode()],
                }
            )
            for product in products
            for variant, image in zip(spec.variant_names, make_variants(photo(product), spec), strict=True)
        ]
        (folder / split / "examples-00000.tfrecord").write_bytes(b"".join(map(frame, records)))
        pq.write_table(conversions(products, spec, index), folder / split / "conversions-00000.parquet")
        splits[split] = {"examples": len(records), "products": len(products)}
    (folder / SPEC).write_text(spec.to_json())
    simulated = {"how": "test", "truth": "80 % for one version, 20 % else"}
    card = {"fingerprint": spec.fingerprint, "simulated": simulated, "splits": splits}
    (folder / "dataset_card.json").write_text(json.dumps(card))
    return folder


def write_embeddings(folder: Path, examples: Path, recognizer: Path, counts: dict[str, int] | None = None) -> Path:
    """Writes the recogniser's vectors of all variants, as the pipeline does."""
    loaded = Recognizer.load(recognizer, threads=1)
    for split in SPLITS:
        (folder / split).mkdir(parents=True)
        rows = []
        for number in range((counts or COUNTS)[split]):
            product = f"{split}-{number:02d}"
            vectors = loaded.embed(np.stack(make_variants(photo(product), loaded.spec)))
            for place, variant in enumerate(loaded.spec.variant_names):
                image_id = hashlib.sha256(photo(product).tobytes()).hexdigest()
                about = {"product": product, "variant": variant, "image_id": image_id}
                rows.append({**about, "logits": vectors.logits[place], "features": vectors.features[place]})
        kinds = [pa.string()] * 3 + [pa.list_(pa.float32())] * 2
        schema = pa.schema(zip(("product", "variant", "image_id", "logits", "features"), kinds, strict=True))
        pq.write_table(pa.Table.from_pylist(rows, schema), folder / split / "embeddings-00000.parquet")
    card = json.loads((examples / "dataset_card.json").read_text())
    sha256 = hashlib.sha256((recognizer / "model.onnx").read_bytes()).hexdigest()
    told = {**card, "recognizer": {"model_sha256": sha256}}
    (folder / "dataset_card.json").write_text(json.dumps(told))
    return folder


def write_creative_data(folder: Path) -> dict[str, str]:
    """Writes all that training reads; returns the folders as options."""
    examples, recognizer = write_examples(folder / "examples"), write_recognizer(folder / "recognizer")
    embeddings = write_embeddings(folder / "embeddings", examples, recognizer)
    return {"examples": str(examples), "embeddings": str(embeddings), "recognizer": str(recognizer)}


def small_options(data: dict[str, str], output: Path, **changes: Any) -> ConversionOptions:
    """Returns options that train in seconds."""
    small = {"trials": 0, "rounds": 60, "patience": 10, "members": 5, "golden_images": 3, "learning_rate": 0.2}
    return ConversionOptions(**{**data, "output": str(output), **small, **changes})


def write_creative_artifact(folder: Path, **changes: Any) -> Path:
    """Trains a small creative model beside ``folder``, and writes its artifact there."""
    from models.creative.conversion.training import train

    data = write_creative_data(folder.parent / f"{folder.name}-data")
    return train(small_options(data, folder, **changes))
