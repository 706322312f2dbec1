import numpy as np
import onnx
import pytest
import torch

from features.attention_spec import AttentionSpec
from models import onnx_export
from models.attention.export import ServedNetwork, compare, export
from models.attention.network import AttentionNetwork
from models.attention.options import NetworkOptions
from models.onnx_export import ExportError

torch.set_num_threads(1)


def trained(encoder="mobilenet_v2", **changes) -> AttentionNetwork:
    """A network whose weights are not those that training begins with."""
    torch.manual_seed(0)
    options = NetworkOptions(encoder=encoder, depth=4, width=4, prior="per_set", coordinates="ijr", **changes)
    network = AttentionNetwork(options, 40, 72, ("a", "b"))
    with torch.no_grad():
        network.head.weight.normal_(std=0.3)
        network.prior.shared.normal_()
        network.prior.own.normal_()
    return network.eval()


SPEC = AttentionSpec(width=72, height=40, sets=("a", "b"))


@pytest.mark.parametrize("encoder", ["plain", "resnet18", "mobilenet_v2"])
@pytest.mark.parametrize("probability", [False, True])
def test_the_graph_answers_as_torch_does(encoder, probability, tmp_path) -> None:
    found = export(trained(encoder), SPEC, tmp_path, probability=probability, set_number=1)
    assert found.logits_max_abs <= 1e-4
    assert found.density_max_abs <= 1e-3  # of densities times the number of pixels, so of numbers about 1
    graph = onnx.load(tmp_path / "model.onnx")
    assert [o.version for o in graph.opset_import] == [17]


def test_the_prior_is_that_of_the_set() -> None:
    network = trained()
    image = torch.randint(0, 256, (1, 40, 72, 3)).to(torch.uint8)
    with torch.no_grad():
        expected = network(image.permute(0, 3, 1, 2), torch.tensor([1]))
        torch.testing.assert_close(ServedNetwork(network, False, 1, False)(image)[0], expected)
        shared = network(image.permute(0, 3, 1, 2))
        torch.testing.assert_close(ServedNetwork(network, False, None, False)(image)[0], shared)


def test_a_mirrored_network_answers_a_mirrored_image_with_the_mirrored_map(tmp_path) -> None:
    network = trained()
    with torch.no_grad():
        network.prior.shared.copy_((network.prior.shared + network.prior.shared.flip(2)) / 2)
    served = ServedNetwork(network, False, None, True)
    image = torch.randint(0, 256, (1, 40, 72, 3)).to(torch.uint8)
    with torch.no_grad():
        there, back = served(image)[0], served(image.flip(2))[0].flip(2)
    torch.testing.assert_close(there, back, atol=1e-4, rtol=1e-4)
    assert export(network, SPEC, tmp_path, probability=False, mirror=True).logits_max_abs <= 1e-4


def test_a_graph_that_answers_differently_is_refused(tmp_path, monkeypatch) -> None:
    network = trained()
    export(network, SPEC, tmp_path, probability=False)
    with torch.no_grad():
        network.head.bias.add_(0.5)
    image = np.zeros((40, 72, 3), np.uint8)
    found = compare(ServedNetwork(network, False, None, False), tmp_path / "model.onnx", [image])
    assert found.logits_max_abs == pytest.approx(0.5, abs=1e-3)
    monkeypatch.setattr(onnx_export, "PARITY", 0.0)
    with pytest.raises(ExportError, match="logits differ from torch's by .*; expected at most 0: try another version"):
        export(network, SPEC, tmp_path, probability=False)
