"""INT8: the exported graph with 8-bit weights and activations, calibrated on training images (ONNX Runtime)."""

import logging
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from models.attention.predictor import INT8_FILE, MODEL_FILE, Predictor


class _Images(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, images: Iterable[npt.NDArray[np.uint8]]) -> None:
        self._images: Iterator[npt.NDArray[np.uint8]] = iter(images)

    def get_next(self) -> dict[str, Any] | None:
        image = next(self._images, None)
        return None if image is None else {"image": image[None]}


def quantize(folder: Path, images: Iterable[npt.NDArray[np.uint8]]) -> None:
    """Writes ``model.int8.onnx`` beside ``model.onnx``.

    Weights are quantised a channel at a time, convolutions alone: what follows the last one decides the density.

    Args:
        folder: of the artifact.
        images: uint8 (H, W, 3) of the model's size, from which the ranges of activations are taken; 32 are plenty.
    """
    logging.getLogger().addFilter(_no_advice)
    try:
        with tempfile.TemporaryDirectory(prefix="augury-int8-") as scratch:
            prepared = Path(scratch) / "prepared.onnx"
            quant_pre_process(str(folder / MODEL_FILE), str(prepared), skip_symbolic_shape=True)
            quantize_static(
                str(prepared),
                str(folder / INT8_FILE),
                _Images(images),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=["Conv"],
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )
    finally:
        logging.getLogger().removeFilter(_no_advice)


def agreement(folder: Path, images: Iterable[npt.NDArray[np.uint8]]) -> dict[str, float]:
    """Returns the mean and least correlation of the INT8 densities with those of the full graph."""
    full, small = Predictor.load(folder), Predictor.load(folder, int8=True)
    found = [float(np.corrcoef(full.density(i).ravel(), small.density(i).ravel())[0, 1]) for i in images]
    return {"mean_cc": float(np.mean(found)), "least_cc": float(np.min(found))}


def _no_advice(record: logging.LogRecord) -> bool:
    return record.levelno > logging.WARNING
