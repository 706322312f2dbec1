"""Golden values of the attention metrics, computed by the pysaliency package on maps that a seed gives.

``cases`` needs NumPy alone and is what tests and benchmarks compute their own values on. ``main`` writes the golden
file; it needs an environment of its own with pysaliency (0.2.22), which wants torch and NumPy 1:
``python -m benchmarks.attention_golden``.
"""

import json
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

GOLDEN = Path(__file__).parents[1] / "tests" / "models" / "attention" / "golden_metrics.json"
KINDS = ("noise", "smooth", "steps", "sparse", "negative", "narrow", "constant")
ROUNDS = 12
BORJI_SPLITS = 20
OTHERS = 300
FLOOR = 0.01
"""Added to a map before IG: pysaliency has no constant under the logarithm, ours would show at a value of 0."""

Map = npt.NDArray[np.float64]


class Case(NamedTuple):
    """A map, the true density and a baseline, all (H, W), with fixations and those of other images, in its pixels."""

    name: str
    attention: Map
    truth: Map
    baseline: Map
    x: Map
    y: Map
    other_x: Map
    other_y: Map
    seed: int


def cases() -> Iterator[Case]:
    """Yields maps of every kind in random sizes: ties, zeros, negative values, one value only."""
    for index in range(len(KINDS) * ROUNDS):
        rng = np.random.default_rng(index)
        kind = KINDS[index % len(KINDS)]
        height, width = (int(side) for side in rng.integers(16, 80, 2))
        count = int(rng.choice((1, 2, 7, 40, 150)))
        x, y = rng.random(count) * width, rng.random(count) * height
        if count > 5:
            x[: count // 4], y[: count // 4] = x[0], y[0]  # a place that many people look at
        truth = _smooth(rng, height, width)
        yield Case(
            f"{kind}-{index}",
            _map(kind, rng, height, width),
            truth,
            _smooth(rng, height, width) + 0.01,
            x,
            y,
            rng.random(OTHERS) * width,
            rng.random(OTHERS) * height,
            index,
        )


def _map(kind: str, rng: np.random.Generator, height: int, width: int) -> Map:
    noise = rng.random((height, width))
    if kind == "smooth":
        return _smooth(rng, height, width) ** 2
    if kind == "steps":
        return np.floor(noise * 4)
    if kind == "sparse":
        return np.where(noise > 0.9, noise, 0.0)
    if kind == "negative":
        return np.log(noise + 0.01)
    if kind == "narrow":
        return 1000 + noise * 1e-3
    if kind == "constant":
        return np.full((height, width), 0.25)
    return noise


def _smooth(rng: np.random.Generator, height: int, width: int) -> Map:
    """Returns a sum of four Gaussians, least value above 0."""
    rows, columns = np.mgrid[:height, :width]
    found = np.full((height, width), 1e-3)
    for _ in range(4):
        at_y, at_x, size = rng.random() * height, rng.random() * width, 3 + rng.random() * 9
        found += np.exp(-((rows - at_y) ** 2 + (columns - at_x) ** 2) / (2 * size**2))
    return found


def main() -> None:
    """Writes the golden file with pysaliency's values."""
    with np.errstate(all="ignore"):
        values = {case.name: _golden(case) for case in cases()}
    about = {"package": "pysaliency", "version": version("pysaliency"), "borji_splits": BORJI_SPLITS}
    text = json.dumps({"about": about, "values": values}, indent=1)
    GOLDEN.write_text(text + "\n", encoding="utf-8")
    print(f"{sum(map(len, values.values()))} values of {len(values)} maps")


def _golden(case: Case) -> dict[str, float]:
    import pysaliency
    from pysaliency.metrics import CC, NSS, SIM, MIT_KLDiv
    from pysaliency.models import SaliencyMapNormalizingModel

    height, width = case.attention.shape
    stimuli = pysaliency.Stimuli([np.zeros((height, width, 3), np.uint8), np.ones((height, width, 3), np.uint8)])
    model = _model(case.attention)
    fixations = _fixations([case.x], [case.y])
    both = _fixations([case.x, case.other_x], [case.y, case.other_y])
    found = {
        "auc": model.AUC_per_image(stimuli[:1], fixations)[0],
        "auc_judd": model.AUC_Judd(stimuli[:1], fixations, jitter=False),
        "auc_shuffled": model.AUC_per_image(stimuli, both, nonfixations="shuffled")[0],
        "auc_borji": np.mean([model.AUC_per_image(stimuli[:1], fixations, drawn)[0] for drawn in _drawn(case)]),
        "nss": NSS(case.attention, case.x, case.y).mean(),
        "cc": CC(case.attention, case.truth),
    }
    lowest = {"": (case.attention - case.attention.min(), case.truth - case.truth.min())}
    if case.attention.min() >= 0:
        lowest["_as_is"] = (case.attention, case.truth)
        ours, base = (
            SaliencyMapNormalizingModel(_model(each), minimum_value=0)
            for each in (case.attention + FLOOR, case.baseline)
        )
        found["information_gain"] = ours.information_gain(stimuli[:1], fixations, base)
    for suffix, (attention, truth) in lowest.items():
        found["sim" + suffix] = SIM(attention, truth)
        found["kld" + suffix] = MIT_KLDiv(attention, truth)
    return {name: float(value) for name, value in found.items()}


def _drawn(case: Case) -> Iterator[Any]:
    """Yields the random pixels of AUC-Borji as fixations."""
    height, width = case.attention.shape
    drawn = np.random.default_rng(case.seed).integers(0, height * width, (BORJI_SPLITS, len(case.x)))
    for chosen in drawn:
        yield _fixations([chosen % width + 0.5], [chosen // width + 0.5])


def _fixations(xs: list[Map], ys: list[Map]) -> Any:
    import pysaliency

    number = np.concatenate([np.full(len(x), n) for n, x in enumerate(xs)])
    x, y = np.concatenate(xs), np.concatenate(ys)
    none = np.zeros((len(x), 0))
    return pysaliency.Fixations(x, y, np.zeros(len(x)), none, none, none, n=number, subjects=np.zeros(len(x), int))


def _model(attention: Map) -> Any:
    import pysaliency

    class Maps(pysaliency.SaliencyMapModel):
        def _saliency_map(self, stimulus: Any) -> Map:
            return attention

    return Maps(caching=False)


if __name__ == "__main__":
    main()
