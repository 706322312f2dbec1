"""Writes an untrained recogniser as training would, in a process of its own: ``python -m benchmarks.recommend_side``.

Time does not depend on what the weights are, so any will do.
"""

import sys
from pathlib import Path

import torch

from features.creative_spec import SPEC, CreativeSpec
from models.artifact import write_text
from models.creative.export import export
from models.creative.network import VariantNetwork
from models.creative.options import NetworkOptions


def main() -> None:
    """Writes the recogniser of the backbone and to the folder that are named."""
    backbone, folder = sys.argv[1], Path(sys.argv[2])
    spec = CreativeSpec()
    torch.manual_seed(0)
    network = VariantNetwork(NetworkOptions(backbone=backbone), len(spec.variants))
    for module in network.modules():  # what is untrained grows from block to block, beyond what rounding leaves exact
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.constant_(module.weight, 0.5)
    folder.mkdir(parents=True)
    write_text(folder / SPEC, spec.to_json())
    export(network, spec, folder)


if __name__ == "__main__":
    main()
