"""From a torch network to an ONNX graph that gives the same answers."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from features.errors import AuguryError

PARITY = 1e-4
"""The most that a logit of the exported graph may differ from torch's."""

OPSET = 17


class ExportError(AuguryError, ValueError):
    """A network that cannot be exported, or whose exported form answers differently."""


def write_graph(
    network: nn.Module, example: Tensor, path: Path, input_name: str, outputs: Sequence[str], *, any_batch: bool = False
) -> None:
    """Writes a network as an ONNX graph of one input.

    Args:
        network: on the CPU, in evaluation mode.
        example: an input.
        path: of the file.
        input_name: of the graph's input.
        outputs: names of the network's outputs.
        any_batch: the first dimension of input and outputs may have any size, not the example's alone.
    """
    axes = {name: {0: "batch"} for name in (input_name, *outputs)} if any_batch else None
    with warnings.catch_warnings():
        # torch calls this exporter deprecated, but the other one (dynamo=True) needs onnxscript, one more package to
        # lock; what comes out is compared with torch's answers either way.
        warnings.simplefilter("ignore", DeprecationWarning)
        # Height and width are the example's; whoever asks the graph gives images of that size.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        warnings.filterwarnings("ignore", "Constant folding", UserWarning)  # of the padding; ONNX Runtime does that
        torch.onnx.export(
            network,
            (example,),
            str(path),
            input_names=[input_name],
            output_names=list(outputs),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    onnx.checker.check_model(str(path))


def check_parity(max_abs: float) -> None:
    """Refuses a graph whose logits are not those of torch.

    Args:
        max_abs: the largest difference that was found.

    Raises:
        ExportError: it is more than ``PARITY``, or no number.
    """
    if not max_abs <= PARITY:
        raise ExportError(
            f"the exported graph's logits differ from torch's by {max_abs:.2g}; expected at most {PARITY:g}: try "
            "another version of onnxruntime"
        )
