"""On real eye tracking the metrics and baselines give the figures that the data set's protocol states."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.attention_metrics import (
    HEIGHT,
    SIGMA_PX,
    STATED,
    WIDTH,
    Gaze,
    map_scores,
    osie_prior,
    read_osie,
)
from models.attention.baselines import human_consistency, residual_with_prior

FOLDER = Path(os.environ.get("AUGURY_DATA", "../shared/data")) / "osie"
Osie = tuple[dict[str, Gaze], list[str], np.ndarray]


@pytest.fixture(scope="module")
def osie() -> Osie:
    if not FOLDER.exists():
        pytest.skip(f"{FOLDER} is absent; set AUGURY_DATA to the folder of data sets")
    gaze, split = read_osie(FOLDER)
    return gaze, [name for name in split if split[name] == "test"], osie_prior(gaze, split)


def test_the_centre_prior_scores_what_the_protocol_states(osie: Osie) -> None:
    gaze, test, prior = osie
    rows = [map_scores(prior, gaze[name], gaze[name].density()) for name in test]
    assert len(rows) == 200
    for metric, stated in STATED["centre_prior"].items():
        rounding = 0.00006 if metric == "auc" else 0.0006
        assert np.mean([row[metric] for row in rows]) == pytest.approx(stated, abs=rounding), metric


def test_the_order_of_the_baselines_on_a_few_images(osie: Osie) -> None:
    """What all 200 give is in benchmarks/attention_metrics.py; these few take a second."""
    gaze, test, prior = osie
    scores = []
    for name in test[:8]:
        image = cv2.imread(str(FOLDER / "images" / name), cv2.IMREAD_COLOR_RGB)
        residual = map_scores(residual_with_prior(image, prior, SIGMA_PX), gaze[name], gaze[name].density())
        people = human_consistency(*gaze[name].points.T, gaze[name].subject, HEIGHT, WIDTH, SIGMA_PX)
        scores.append((map_scores(prior, gaze[name], gaze[name].density())["nss"], residual["nss"], people.nss))
    centre, residual_nss, people_nss = np.mean(scores, axis=0)
    assert centre < residual_nss < people_nss
    assert people_nss == pytest.approx(STATED["people"]["nss"], abs=0.8)
