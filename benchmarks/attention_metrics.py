"""Whether the attention metrics are what they are elsewhere: ``make bench-attention-metrics``.

Against the values of the pysaliency package on made-up maps, and on the 200 test images of OSIE against the figures
that its protocol states for the centre prior, the spectral residual and people.
"""

import argparse
import csv
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from benchmarks.attention_golden import BORJI_SPLITS, FLOOR, GOLDEN, Case, cases
from benchmarks.figures import Figure, write_results
from features.gaze_density import density
from models.attention import metrics
from models.attention.baselines import centre_prior, human_consistency, residual_with_prior
from models.attention.region_error import effective_fixations

OSIE = Path(os.environ.get("AUGURY_DATA", Path(__file__).parents[2] / "shared" / "data")) / "osie"
WIDTH, HEIGHT, SIGMA_PX = 800, 600, 24.0
MAPS = ("nss", "auc", "cc", "sim", "kld")
STATED = {
    "centre_prior": dict(zip(MAPS, (0.780, 0.7220, 0.282, 0.362, 1.363), strict=True)),
    "spectral_residual": dict(zip(MAPS, (1.361, 0.8121, 0.438, 0.447, 1.057), strict=True)),
    "people": {"nss": 3.682, "auc": 0.9313, "cc": 0.873},
}
"""The protocol's table: three decimals, four for AUC."""

Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Gaze:
    """The fixations of one image: float (N, 2) of x and y in pixels, int (N,) who it was."""

    points: Points
    subject: npt.NDArray[np.int64]

    def density(self) -> npt.NDArray[np.float32]:
        """Returns the density of all of them, float32 (600, 800)."""
        return density(self.points, None, HEIGHT, WIDTH, SIGMA_PX)


def main() -> None:
    """Compares, and writes ``benchmarks/results/attention-metrics.json``."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    worst, values = golden_error()
    said = f"largest difference from pysaliency's of {values} values: eight metrics, 84 maps (ties, zeros, constants)"
    figures = [Figure("metrics_max_abs_error", said, worst, "", "<= 1e-6")]
    gaze, split = read_osie()
    found = osie_figures(gaze, split)
    figures += [
        Figure(f"osie_{name}_{metric}", f"{metric} of {name} on the 200 test images of OSIE", value, "")
        for name, scores in found.items()
        for metric, value in scores.items()
    ]
    gap = protocol_gap(found)
    figures.append(
        Figure("osie_protocol_gap", "largest difference from the protocol's rounded table", gap, "", "<= 0.001")
    )
    trust = _halves_error(gaze, split)
    said = (
        f"share of random boxes whose attention of one half of the people lies in the 95 % interval from the other "
        f"half's map, at its {trust['effective_fixations']} effective fixations"
    )
    figures.append(Figure("osie_region_coverage", said, trust["coverage"], "share"))
    write_results("attention-metrics", figures)


def golden_error() -> tuple[float, int]:
    """Returns the largest difference from the golden values, and how many there are."""
    golden = json.loads(GOLDEN.read_bytes())["values"]
    gaps = []
    for case in cases():
        ours = computed(case)
        gaps += [abs(ours[name] - value) for name, value in golden[case.name].items()]
    return max(gaps), len(gaps)


def computed(case: Case) -> dict[str, float]:
    """Returns our values of everything that a golden case may have."""
    seen, maps = (case.attention, case.x, case.y), (case.attention, case.truth)
    found = {
        "auc": metrics.auc(*seen),
        "auc_judd": metrics.auc_judd(*seen),
        "auc_borji": metrics.auc_borji(*seen, splits=BORJI_SPLITS, seed=case.seed),
        "auc_shuffled": metrics.auc_shuffled(*seen, case.other_x, case.other_y),
        "nss": metrics.nss(*seen),
        "cc": metrics.cc(*maps),
        "sim": metrics.sim(*maps),
        "kld": metrics.kld(*maps),
    }
    if case.attention.min() >= 0:
        found["sim_as_is"] = metrics.sim(*maps, subtract_minimum=False)
        found["kld_as_is"] = metrics.kld(*maps, subtract_minimum=False)
        floored = case.attention + FLOOR
        found["information_gain"] = metrics.information_gain(floored, case.baseline, case.x, case.y)
    return found


def read_osie(folder: Path = OSIE) -> tuple[dict[str, Gaze], dict[str, str]]:
    """Returns image -> its fixations without the forced first one, and image -> its split."""
    table = pacsv.read_csv(folder / "fixations.csv.gz")
    table = table.filter(pc.greater(table["order"], 0)).sort_by("image")
    names, starts = np.unique(table["image"].to_numpy(), return_index=True)
    points = np.stack([table["x"].to_numpy(), table["y"].to_numpy()], axis=1)
    subject = table["subject"].to_numpy()
    gaze = {
        str(name): Gaze(points[start:stop], subject[start:stop])
        for name, start, stop in zip(names, starts, [*starts[1:], len(points)], strict=True)
    }
    with open(folder / "split.csv", encoding="utf-8") as file:
        return gaze, {row["image"]: row["split"] for row in csv.DictReader(file)}


def osie_prior(gaze: dict[str, Gaze], split: dict[str, str]) -> Points:
    """Returns the centre prior of all images that are not for testing."""
    return centre_prior(gaze[name].density() for name in split if split[name] != "test")


def osie_figures(gaze: dict[str, Gaze], split: dict[str, str], folder: Path = OSIE) -> dict[str, dict[str, float]]:
    """Returns the means over the test images of what ``STATED`` has."""
    prior = osie_prior(gaze, split)
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in STATED}
    for name in (name for name in split if split[name] == "test"):
        one = gaze[name]
        truth = one.density()
        image = cv2.imread(str(folder / "images" / name), cv2.IMREAD_COLOR_RGB)
        residual = residual_with_prior(image, prior, SIGMA_PX)
        rows["centre_prior"].append(map_scores(prior, one, truth))
        rows["spectral_residual"].append(map_scores(residual, one, truth))
        people = human_consistency(*one.points.T, one.subject, HEIGHT, WIDTH, SIGMA_PX)
        rows["people"].append({"nss": people.nss, "auc": people.auc, "cc": people.cc})
    return {name: _mean(found) for name, found in rows.items()}


def map_scores(attention: npt.ArrayLike, gaze: Gaze, truth: npt.ArrayLike) -> dict[str, float]:
    """Returns the protocol's five metrics of one map."""
    seen = gaze.points.T
    return {
        "nss": metrics.nss(attention, *seen),
        "auc": metrics.auc(attention, *seen),
        "cc": metrics.cc(attention, truth),
        "sim": metrics.sim(attention, truth),
        "kld": metrics.kld(attention, truth),
    }


def protocol_gap(found: dict[str, dict[str, float]]) -> float:
    """Returns the largest difference from the protocol's table."""
    return max(abs(found[name][metric] - value) for name, row in STATED.items() for metric, value in row.items())


def _halves_error(gaze: dict[str, Gaze], split: dict[str, str]) -> dict[str, float]:
    def halves() -> Iterator[tuple[npt.ArrayLike, npt.ArrayLike]]:
        for name in (name for name in split if split[name] == "validation"):
            one = gaze[name]
            even = one.subject % 2 == 0
            maps = (density(one.points[rows], None, HEIGHT, WIDTH, SIGMA_PX) for rows in (even, ~even))
            yield next(maps), next(maps)

    return effective_fixations(halves())


def _mean(rows: list[dict[str, float]]) -> dict[str, float]:
    return {metric: float(np.mean([row[metric] for row in rows])) for metric in rows[0]}


if __name__ == "__main__":
    main()
