"""Recognizer: the ONNX graph of an artifact, asked which variant a photo is. No torch, no training code."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from features.creative_spec import CreativeSpec
from features.storage import read_bytes
from models.artifact import PredictorError, read_description

MODEL_FILE = "model.onnx"
FORMAT = "onnx"

_UNREADABLE = (ort_errors.InvalidProtobuf, ort_errors.InvalidGraph, ort_errors.Fail, ort_errors.InvalidArgument)


class Vectors(NamedTuple):
    """What a recogniser says of B images.

    Attributes:
        logits: float32 (B, V), one a variant in the order of the spec.
        features: float32 (B, D), what the logits are a linear function of.
    """

    logits: npt.NDArray[np.float32]
    features: npt.NDArray[np.float32]


class Recognizer:
    """A loaded model; safe to call from several threads.

    Attributes:
        spec: what stored images and their variants are.
        dimension: D, the number of features.
    """

    def __init__(self, spec: CreativeSpec, model: bytes, threads: int = 0) -> None:
        self.spec = spec
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.use_deterministic_compute = True
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        taken = [(item.name, item.type, item.shape[1:]) for item in self._session.get_inputs()]
        if taken != [("image", "tensor(uint8)", [spec.height, spec.width, 3])]:
            raise PredictorError(
                f"the graph takes {taken}; expected images, uint8 (B, {spec.height}, {spec.width}, 3): open the "
                "version again, or train again"
            )
        given = {item.name: item.shape[1:] for item in self._session.get_outputs()}
        if given.keys() != {"logits", "features"} or given["logits"] != [len(spec.variants)]:
            raise PredictorError(
                f"the graph gives {given}; expected logits (B, {len(spec.variants)}) and features (B, D): open the "
                "version again, or train again"
            )
        self.dimension = int(given["features"][0])

    @property
    def variants(self) -> tuple[str, ...]:
        """The names of the variants, in the order of the logits."""
        return self.spec.variant_names

    @classmethod
    def load(cls, folder: str | Path, expected: CreativeSpec | None = None, *, threads: int = 0) -> "Recognizer":
        """Loads the model of an artifact.

        Args:
            folder: of the artifact.
            expected: the spec in use, where it does not come from the artifact.
            threads: of one call; 0 is as many as there are processors. The bits of an answer do not depend on it.

        Raises:
            PredictorError: the model belongs to another spec, or is not one.
            StorageError: a file is missing.
        """
        spec, _ = read_description(folder, CreativeSpec, FORMAT, expected)
        model = read_bytes(f"{folder}/{MODEL_FILE}")
        try:
            return cls(spec, model, threads)
        except _UNREADABLE as e:
            reason = " ".join(str(e).split())[:200]
            raise PredictorError(f"{folder}/{MODEL_FILE} is no ONNX graph that can be run ({reason})") from e

    def embed(self, images: npt.NDArray[np.uint8]) -> Vectors:
        """Returns the vectors of images, each computed by itself: its bits do not depend on what is beside it.

        Args:
            images: uint8 (B, H, W, 3) RGB of the spec's size, as ``features.variants_stored.make_variants`` makes them.

        Raises:
            PredictorError: another shape or dtype.
        """
        size = (self.spec.height, self.spec.width, 3)
        if images.ndim != 4 or images.shape[1:] != size or images.dtype != np.uint8:
            raise PredictorError(
                f"the images are {images.dtype} {images.shape}; expected uint8 (B, {size[0]}, {size[1]}, 3): make them "
                "with features.variants_stored.make_variants"
            )
        logits = np.empty((len(images), len(self.variants)), np.float32)
        features = np.empty((len(images), self.dimension), np.float32)
        for row, image in enumerate(images):
            answers: list[Any] = self._session.run(["logits", "features"], {"image": np.ascontiguousarray(image)[None]})
            logits[row], features[row] = answers[0][0], answers[1][0]
        return Vectors(logits, features)


def probabilities(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Returns the softmax over the last axis, of the same shape."""
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    found: npt.NDArray[np.float32] = raised / raised.sum(axis=-1, keepdims=True)
    return found
