"""What 8-bit weights save, and what they cost: ``make bench-int8 ARGS='--artifact model --examples examples'``.

Of the exported graph and its INT8 form: bytes, milliseconds of a map (calls in turn, in one process), and NSS and CC on
the test images. The ranges of activations are taken from 32 training images, as ``augury train attention --int8`` does.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.figures import Figure, write_results
from features.attention_spec import SPEC
from models.artifact import DESCRIPTION_FILE
from models.attention import metrics
from models.attention.dataset import ExamplesFolder, Split
from models.attention.measuring import measurable
from models.attention.predictor import INT8_FILE, MODEL_FILE, Predictor
from models.attention.quantize import quantize

_CALIBRATION_IMAGES = 32
_CALLS = 40


def main() -> None:
    """Quantises a copy of the artifact and writes ``benchmarks/results/int8.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--artifact", required=True, help="folder of a trained model of attention")
    parser.add_argument("--examples", required=True, help="examples of its spec: train to calibrate, test to judge")
    given = parser.parse_args()
    examples = ExamplesFolder.open(given.examples)
    with tempfile.TemporaryDirectory(prefix="augury-bench-") as scratch:
        folder = Path(scratch)
        for name in (SPEC, DESCRIPTION_FILE, MODEL_FILE):
            shutil.copy(Path(given.artifact) / name, folder)
        quantize(folder, [item.image() for item in examples.read("train").stored[:_CALIBRATION_IMAGES]])
        write_results("int8", _figures(folder, measurable(examples.read("test"))))


def _figures(folder: Path, split: Split) -> list[Figure]:
    full, small = Predictor.load(folder), Predictor.load(folder, int8=True)
    sizes = [(folder / name).stat().st_size for name in (MODEL_FILE, INT8_FILE)]
    times = _milliseconds((full, small), split.stored[0].image())
    of_full, of_small, agreement = _scores(full, small, split)
    spec, count = split.spec, len(split)
    how = f"{spec.width}x{spec.height}, {count} test images"
    told = f"full {of_full[0]:.4f}, INT8 {of_small[0]:.4f}; {how}"
    return [
        Figure("int8_size_ratio", f"bytes: {sizes[0]:,} to {sizes[1]:,}", sizes[0] / sizes[1], "ratio"),
        Figure(
            "int8_speed_ratio",
            f"median of {_CALLS} calls in turn: full {times[0]:.1f} ms, INT8 {times[1]:.1f} ms; {how}",
            times[0] / times[1],
            "ratio",
        ),
        Figure("int8_nss_change", f"NSS {told}", of_small[0] - of_full[0], "NSS"),
        Figure(
            "int8_cc_change", f"CC full {of_full[1]:.4f}, INT8 {of_small[1]:.4f}; {how}", of_small[1] - of_full[1], "CC"
        ),
        Figure("int8_agreement", f"mean CC of the two maps of an image; {how}", agreement, "CC"),
    ]


def _milliseconds(predictors: tuple[Predictor, Predictor], image: npt.NDArray[np.uint8]) -> list[float]:
    """Returns the median time of a map, of both predictors, asked in turn so that neither has the machine's best."""
    taken: tuple[list[float], list[float]] = ([], [])
    for call in range(_CALLS + 3):
        for predictor, times in zip(predictors, taken, strict=True):
            started = time.perf_counter()
            predictor.density(image)
            if call >= 3:  # the first calls make ready
                times.append(1000 * (time.perf_counter() - started))
    return [statistics.median(times) for times in taken]


def _scores(full: Predictor, small: Predictor, split: Split) -> tuple[list[float], list[float], float]:
    """Returns (NSS, CC) of both, means over the images, within what is image; and the mean CC between them."""
    rows = []
    for item in split.stored:
        place = item.placement(split.spec)
        shown = slice(place.top, place.top + place.height), slice(place.left, place.left + place.width)
        image, truth = item.image(), item.map()[shown]
        x, y = item.x - place.left, item.y - place.top
        inside = (x >= 0) & (x < place.width) & (y >= 0) & (y < place.height)
        maps = [predictor.density(image)[shown] for predictor in (full, small)]
        scores = [(metrics.nss(each, x[inside], y[inside]), metrics.cc(each, truth)) for each in maps]
        rows.append((*scores[0], *scores[1], metrics.cc(*maps)))
    means = np.mean(rows, axis=0).tolist()
    return means[:2], means[2:4], means[4]


if __name__ == "__main__":
    main()
