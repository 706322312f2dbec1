"""How long a heatmap takes, and what ONNX Runtime is worth: ``make bench-heatmap``.

A made page of 1440x900 is sent to the running service, one request at a time over one connection, and its heatmap comes
back as PNG. Then the same network answers the same images in ONNX Runtime and in torch, in turns, each in a process of
its own with the same number of threads. Any artifact will do; without one the default network is made, untrained, since
time does not depend on what the weights are.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.figures import Figure, write_results
from benchmarks.heatmap_side import ENGINES, THREADS
from benchmarks.load import request, send
from benchmarks.service import WRITE_KEY, running
from features.attention_spec import SPEC, AttentionSpec
from features.heatmaps import draw_heatmap, encode_png
from features.images import decode_image
from features.images_fit import letterbox
from features.storage import read_text
from models.attention.pages import attend
from models.attention.predictor import Predictor
from models.gates import GateResult
from models.registry import Registry

WIDTH, HEIGHT = 1440, 900
AGREE = 1e-4
"""The most that two engines may differ by, of density times pixels: 1 is the mean."""

_ROUNDS = 12
_IMAGES = 8


class SidesDifferError(RuntimeError):
    """Two engines that should answer alike do not."""


def main() -> None:
    """Measures, and writes ``benchmarks/results/heatmap.json``; the model's size joins its name where one is given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--artifact", type=Path, help="of a trained model; by default an untrained one is made")
    parser.add_argument("--requests", type=int, default=100, help="measured requests to the service")
    given = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="augury-bench-"))
    try:
        artifact = given.artifact or _made(scratch / "artifact")
        figures = [*_service_figures(scratch, artifact, given.requests), _engines_figure(scratch, artifact)]
        spec = AttentionSpec.from_json(read_text(artifact / SPEC))
        write_results(f"heatmap-{spec.width}x{spec.height}" if given.artifact else "heatmap", figures)
    finally:
        shutil.rmtree(scratch)


def made_page(width: int = WIDTH, height: int = HEIGHT, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Returns a page uint8 (height, width, 3): a bar, columns of text, two photographs of smooth noise, a button."""
    rng = np.random.default_rng(seed)
    page: npt.NDArray[np.uint8] = np.full((height, width, 3), 250, np.uint8)
    page[: height // 12] = (28, 40, 66)
    for left, right in ((0.03, 0.3), (0.35, 0.97)):
        rows, columns = int(height * 0.42), int(width * (right - left))
        coarse = rng.integers(0, 256, (rows // 12, columns // 12, 3), np.uint8)
        photo = cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_CUBIC).astype(np.int16)
        grain = rng.integers(-6, 7, photo.shape, np.int16)  # as of a camera: no photograph packs like a drawing
        top, start = int(height * 0.12), int(width * left)
        page[top : top + rows, start : start + columns] = np.clip(photo + grain, 0, 255).astype(np.uint8)
    words = "where will people look first on this page"
    for line in range(10):
        for column in (0.03, 0.5):
            place = (int(width * column), int(height * 0.62) + line * height // 32)
            cv2.putText(page, words, place, cv2.FONT_HERSHEY_SIMPLEX, width / 1800, (50, 50, 50), 1, cv2.LINE_AA)
    cv2.rectangle(
        page, (int(width * 0.8), int(height * 0.92)), (int(width * 0.95), int(height * 0.97)), (220, 90, 20), -1
    )
    return page


def _service_figures(scratch: Path, artifact: Path, requests: int) -> list[Figure]:
    registry = Registry(scratch / "registry")
    version = registry.publish(artifact, "attention", "pages")
    registry.promote("attention", "pages", version, lambda *_: [GateResult("benchmark", True, "not judged")])
    page = cv2.imencode(".png", cv2.cvtColor(made_page(), cv2.COLOR_RGB2BGR))[1].tobytes()
    asked = request(
        "POST", f"/v1/attention/heatmap?format=overlay&writeKey={WRITE_KEY}", page, content_type="image/png"
    )
    with running({"AUGURY_REGISTRY": str(scratch / "registry")}) as service:
        answers = send([asked] * (requests + 10), service.port, 1, warm=10)
    steps = ", ".join(f"{name} {took:.1f}" for name, took in _steps(artifact, page).items())
    said = (
        f"median latency of POST /v1/attention/heatmap of a {WIDTH}x{HEIGHT} PNG of {len(page) / 1e6:.1f} MB, PNG "
        f"back, {answers.requests} requests one at a time; p99 {answers.p99_ms:.0f} ms; ms of its steps by "
        f"themselves: {steps}"
    )
    return [
        Figure("heatmap_ms", said, answers.p50_ms, "ms", "< 150"),
        Figure("heatmap_p99_ms", "99th percentile of the same", answers.p99_ms, "ms"),
    ]


def _steps(artifact: Path, page: bytes) -> dict[str, float]:
    """Returns the median milliseconds of each step of a heatmap, in this process."""
    predictor = Predictor.load(artifact)
    image = decode_image(page)
    canvas, _ = letterbox(image, predictor.spec.width, predictor.spec.height)
    density = attend(predictor, image)
    drawn = draw_heatmap(image, density)
    steps: dict[str, Callable[[], object]] = {
        "decode": lambda: decode_image(page),
        "attend": lambda: attend(predictor, image),
        "of that the network": lambda: predictor.density(canvas),
        "draw": lambda: draw_heatmap(image, density),
        "encode": lambda: encode_png(drawn),
    }
    return {name: float(np.median([_milliseconds(step) for _ in range(15)])) for name, step in steps.items()}


def _milliseconds(step: Callable[[], object]) -> float:
    began = time.perf_counter()
    step()
    return (time.perf_counter() - began) * 1e3


def _engines_figure(scratch: Path, artifact: Path) -> Figure:
    spec = Predictor.load(artifact).spec
    pages = [letterbox(made_page(seed=seed), spec.width, spec.height)[0] for seed in range(_IMAGES)]
    np.save(scratch / "images.npy", np.stack(pages))
    threads = len(os.sched_getaffinity(0))
    sides = {engine: _Side(engine, artifact, scratch, threads) for engine in ENGINES}
    try:
        for side in sides.values():
            side.wait()
        gap = _gap([side.answers() for side in sides.values()])
        took: dict[str, list[float]] = {engine: [] for engine in ENGINES}
        for _ in range(_ROUNDS):
            for engine, side in sides.items():
                took[engine] += side.again()
    finally:
        for side in sides.values():
            side.close()
    ours, eager, other = (float(np.median(took[engine])) for engine in ENGINES)
    said = (
        f"torch eager over ONNX Runtime, the same network, one image of {spec.width}x{spec.height}, {threads} "
        f"threads, in turns, medians of {_ROUNDS * _IMAGES}: {eager:.1f} over {ours:.1f} ms (torch in channels_last "
        f"{other:.1f} ms); densities times pixels differ by at most {gap:.1g}"
    )
    return Figure("ort_vs_torch", said, eager / ours, "ratio", ">= 1.7")


def _gap(answers: Sequence[npt.NDArray[np.float32]]) -> float:
    """Returns by how much the engines differ from the first at most, of density times pixels."""
    first, *others = answers
    gap = max(float(np.abs(other - first).max()) * first[0].size for other in others)
    if not gap <= AGREE:
        raise SidesDifferError(f"the engines' maps differ by {gap:.2g}; expected at most {AGREE:g}")
    return gap


class _Side:
    """An engine in a process of its own."""

    def __init__(self, engine: str, artifact: Path, scratch: Path, threads: int) -> None:
        self._answers = scratch / f"{engine}.npy"
        arguments = ["time", engine, str(artifact), str(scratch / "images.npy"), str(self._answers)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.heatmap_side", *arguments],
            env={**os.environ, THREADS: str(threads)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait(self) -> None:
        """Returns when the engine has answered every image once."""
        said = self._line()
        if said != "ready\n":
            raise RuntimeError(f"an engine said {said!r} instead of being ready; its own error is above")

    def answers(self) -> npt.NDArray[np.float32]:
        """Returns the densities of all images, float32 (N, H, W)."""
        found: npt.NDArray[np.float32] = np.load(self._answers)
        return found

    def again(self) -> list[float]:
        """Has every image answered and returns the milliseconds that each took."""
        assert self._process.stdin is not None
        self._process.stdin.write("again\n")
        self._process.stdin.flush()
        took: list[float] = json.loads(self._line())
        return took

    def close(self) -> None:
        """Ends the process."""
        self._process.communicate()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


def _made(folder: Path) -> Path:
    """Has another process, in which torch may be, make an artifact of the default network."""
    subprocess.run([sys.executable, "-m", "benchmarks.heatmap_side", "make", str(folder)], check=True)
    return folder


if __name__ == "__main__":
    main()
