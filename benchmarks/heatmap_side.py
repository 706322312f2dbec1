"""One engine that answers with the network of an artifact, in a process of its own; ``benchmarks.heatmap`` runs two.

``make FOLDER`` writes an artifact of the default network, untrained but for random weights where it would begin with
zeros. ``time ENGINE FOLDER IMAGES ANSWERS`` answers each image of an ``.npy`` file once, keeps the maps in another,
says "ready", and then for every line that comes in answers them all again and says how many milliseconds each took.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

Answer = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]

ENGINES = ("onnxruntime", "torch", "torch-channels-last")
THREADS = "AUGURY_BENCH_THREADS"


def main() -> None:
    """Does what its arguments say."""
    if sys.argv[1] == "make":
        make_artifact(Path(sys.argv[2]))
    else:
        _, _, engine, folder, images, answers = sys.argv
        _serve(open_engine(engine, folder, int(os.environ[THREADS])), np.load(images), answers)


def open_engine(engine: str, folder: str, threads: int) -> Answer:
    """Returns what makes a density float32 (H, W) of an image uint8 (H, W, 3) of the model's size."""
    if engine == "onnxruntime":
        from models.attention.predictor import Predictor

        return Predictor.load(folder, threads=threads).density
    import torch

    from models.attention.export import ServedNetwork
    from models.attention.network import is_probability
    from models.attention.weights import load_network

    torch.set_num_threads(threads)
    arguments = json.loads((Path(folder) / "model_card.json").read_bytes())["arguments"]
    served = ServedNetwork(load_network(folder), is_probability(arguments["loss"]), None, arguments["mirror"]).eval()
    if engine == "torch-channels-last":
        served = served.to(memory_format=torch.channels_last)

    def answer(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        with torch.inference_mode():
            found: npt.NDArray[np.float32] = served(torch.from_numpy(image)[None])[1][0].numpy()
        return found

    return answer


def make_artifact(folder: Path) -> None:
    """Writes the default network with the weights that its seed gives, exported, with a golden set of noise."""
    import torch

    from features.attention_spec import SPEC, AttentionSpec
    from features.heatmaps import encode_png
    from models.attention import golden
    from models.attention.dataset import Stored
    from models.attention.export import export
    from models.attention.network import AttentionNetwork
    from models.attention.options import NetworkOptions
    from models.attention.predictor import Predictor
    from models.spool import Spool

    folder.mkdir(parents=True)
    spec = AttentionSpec(sets=("none",), image_format="png")
    torch.manual_seed(0)
    options = NetworkOptions()
    network = AttentionNetwork(options, spec.height, spec.width, spec.sets).eval()
    torch.nn.init.normal_(network.head.weight, std=0.1)  # zeros would answer alike whatever the image
    np.savez(folder / "weights.npz", **{name: value.numpy() for name, value in network.state_dict().items()})
    export(network, spec, folder, probability=False)
    (folder / SPEC).write_text(spec.to_json(), encoding="utf-8")
    (folder / "dataset_card.json").write_text("{}", encoding="utf-8")
    arguments = {name: getattr(options, name) for name in options.__dataclass_fields__}
    card = {"family": "attention", "arguments": {**arguments, "loss": "kl=1", "mirror": False}, "metrics": {}}
    (folder / "model_card.json").write_text(json.dumps(card), encoding="utf-8")
    noise = np.random.default_rng(0).integers(0, 256, (spec.height, spec.width, 3), np.uint8)
    nothing, spool = np.zeros(0, np.float32), Spool()
    stored = Stored(
        *("noise", "none", "eye", spool.keep(encode_png(noise)), spool.keep(b""), 0.0, noise.shape[:2]),
        *(nothing, nothing, nothing.astype(np.int64)),
    )
    golden.write(folder, [stored], Predictor.load(folder))


def _serve(answer: Answer, images: npt.NDArray[np.uint8], answers: str) -> None:
    np.save(answers, np.stack([answer(image) for image in images]))
    print("ready", flush=True)
    for _ in sys.stdin:
        took = []
        for image in images:
            began = time.perf_counter()
            answer(image)
            took.append((time.perf_counter() - began) * 1e3)
        print(json.dumps(took), flush=True)


if __name__ == "__main__":
    main()
