"""Predictor: the ONNX graph of an artifact, asked one image at a time. No torch, no training code."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from features.attention_spec import AttentionSpec
from features.images_fit import letterbox
from features.storage import read_bytes
from models.artifact import PredictorError, read_description

__all__ = ["FORMAT", "INT8_FILE", "MODEL_FILE", "Predictor", "PredictorError"]

MODEL_FILE = "model.onnx"
INT8_FILE = "model.int8.onnx"
FORMAT = "onnx"

CPU, CUDA = "cpu", "cuda"
DEVICES = (CPU, CUDA)
"""What a graph can run on. The second needs onnxruntime-gpu in the place of onnxruntime."""

_CUDA_PROVIDER = "CUDAExecutionProvider"
# The algorithm of a convolution is not chosen by trying which is fastest just then: the same image gives the same bits
# on the same kind of GPU.
_CUDA_OPTIONS = {"cudnn_conv_algo_search": "DEFAULT", "use_tf32": "0"}
_UNREADABLE = (ort_errors.InvalidProtobuf, ort_errors.InvalidGraph, ort_errors.Fail, ort_errors.InvalidArgument)


class Predictor:
    """A loaded model; safe to call from several threads.

    Attributes:
        spec: what stored images and maps are.
        exact: whether the bits of an answer are those that training computed: on a processor; a GPU adds up in another
            order, which moves the last digits.
    """

    def __init__(self, spec: AttentionSpec, model: bytes, threads: int = 0, device: str = CPU) -> None:
        self.spec, self.exact = spec, device == CPU
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.use_deterministic_compute = True
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(model, options, providers=_providers(device))
        if not self.exact and self._session.get_providers()[0] != _CUDA_PROVIDER:  # it would go on without a word
            raise PredictorError(
                f"device {device!r} cannot be used here, though this ONNX Runtime knows of it; check the GPU's driver "
                "and the CUDA libraries (docs/deployment.md), or choose cpu"
            )
        shape = [1, spec.height, spec.width, 3]
        found = [(item.name, item.type, item.shape) for item in self._session.get_inputs()]
        if found != [("image", "tensor(uint8)", shape)]:
            raise PredictorError(
                f"the graph takes {found}; expected one image, uint8 {shape}: open the version again, or train again"
            )

    @classmethod
    def load(
        cls,
        folder: str | Path,
        expected: AttentionSpec | None = None,
        *,
        threads: int = 0,
        int8: bool = False,
        device: str = CPU,
    ) -> "Predictor":
        """Loads the model of an artifact.

        Args:
            folder: of the artifact.
            expected: the spec in use, where it does not come from the artifact.
            threads: of one call; 0 is as many as there are processors. The bits of an answer do not depend on it.
            int8: the graph with 8-bit weights, where one was exported.
            device: one of ``DEVICES``.

        Raises:
            PredictorError: the model belongs to another spec, or is not one; there is no such device.
            StorageError: a file is missing.
        """
        spec, _ = read_description(folder, AttentionSpec, FORMAT, expected)
        name = INT8_FILE if int8 else MODEL_FILE
        model = read_bytes(f"{folder}/{name}")
        try:
            return cls(spec, model, threads, device)
        except _UNREADABLE as e:
            reason = " ".join(str(e).split())[:200]
            raise PredictorError(f"{folder}/{name} is no ONNX graph that can be run ({reason}); train again") from e

    def predict(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Returns where people look in an image: a density, float32 (H, W) of sum 1, of the image's own size.

        Args:
            image: uint8 (H, W, 3) RGB of any size; it is letterboxed to the model's.

        Raises:
            PredictorError: another shape or dtype.
        """
        canvas, placement = letterbox(checked(image), self.spec.width, self.spec.height)
        return placement.restore(self.density(canvas), density=True)

    def density(self, canvas: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Returns the density, float32 (H, W) of sum 1, of an image uint8 (H, W, 3) of the model's size."""
        return self._run("density", canvas)

    def logits(self, canvas: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Returns the logits, float32 (H, W), of an image of the model's size.

        A loss without Dice or BCE leaves their level free: those of two images cannot be compared, and those of two
        tiles of one image not be stitched (``models.attention.pages`` stitches densities instead).
        """
        return self._run("logits", canvas)

    def _run(self, output: str, canvas: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        size = (self.spec.height, self.spec.width, 3)
        if checked(canvas).shape != size:
            raise PredictorError(f"the image has shape {canvas.shape}; expected {size}: letterbox it first")
        answers: list[Any] = self._session.run([output], {"image": np.ascontiguousarray(canvas)[None]})
        found: npt.NDArray[np.float32] = answers[0][0]
        return found


def checked(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Returns the image if it is one.

    Raises:
        PredictorError: it is not uint8 (H, W, 3).
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise PredictorError(f"the image is {image.dtype} {image.shape}; expected uint8 (H, W, 3): decode it first")
    return image


def _providers(device: str) -> list[Any]:
    if device not in DEVICES:
        raise PredictorError(f"device is {device!r}; expected one of {', '.join(DEVICES)}")
    if device == CPU:
        return ["CPUExecutionProvider"]
    if _CUDA_PROVIDER not in onnxruntime.get_available_providers():
        raise PredictorError(
            f"device is {device!r}, but this ONNX Runtime has {', '.join(onnxruntime.get_available_providers())} only; "
            "install onnxruntime-gpu in the place of onnxruntime (requirements/serving-cuda.txt), or choose cpu"
        )
    onnxruntime.preload_dlls()  # of the packages nvidia-*, which are on no search path
    return [(_CUDA_PROVIDER, _CUDA_OPTIONS), "CPUExecutionProvider"]
