"""An artifact of the attention family that needs no training and no torch: people look where it is bright."""

import json
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from features.attention_spec import SPEC, AttentionSpec

CONTRAST = 24.0
"""Levels of brightness that make a place e times as attractive."""


def write_attention_artifact(folder: Path, width: int = 64, height: int = 48, **card: Any) -> Path:
    """Writes graph, description, spec and card: logits are brightness over ``CONTRAST``, the density their softmax."""
    folder.mkdir(parents=True)
    spec = AttentionSpec(width=width, height=height, sets=("bright",))
    size = [1, height, width]
    nodes = [
        helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats"], ["grey"], axes=[3], keepdims=0),
        helper.make_node("Div", ["grey", "contrast"], ["logits"]),
        helper.make_node("Flatten", ["logits"], ["flat"], axis=1),
        helper.make_node("Softmax", ["flat"], ["shares"], axis=1),
        helper.make_node("Reshape", ["shares", "size"], ["density"]),
    ]
    graph = helper.make_graph(
        nodes,
        "bright",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [*size, 3])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, size) for name in ("logits", "density")],
        [
            helper.make_tensor("contrast", TensorProto.FLOAT, [], [CONTRAST]),
            helper.make_tensor("size", TensorProto.INT64, [3], size),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    (folder / "model.json").write_text(json.dumps({"format": "onnx", "fingerprint": spec.fingerprint}))
    (folder / SPEC).write_text(spec.to_json())
    (folder / "model_card.json").write_text(json.dumps({"family": "attention", "metrics": {"nss": 1.0}, **card}))
    return folder
