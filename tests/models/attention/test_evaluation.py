import json
from collections.abc import Iterator

import numpy as np
import pytest

from features.gaze_density import density
from models.attention import evaluation, metrics
from models.attention.baselines import Consistency
from models.attention.evaluation import Case, OtherFixations, evaluate
from models.attention.metrics import MetricsError

HEIGHT, WIDTH = 30, 40


def _cases(count: int = 12) -> Iterator[Case]:
    for index in range(count):
        rng = np.random.default_rng(index)
        points = np.clip(rng.normal((12 + index, 15), 3, (20, 2)), 0, 29)
        truth = density(points, None, HEIGHT, WIDTH, 3)
        yield Case(
            f"{index}.jpg",
            *points.T,
            truth,
            {
                "model": density(points[::2], None, HEIGHT, WIDTH, 4),
                "centre_prior": np.outer(np.hanning(HEIGHT + 2)[1:-1], np.hanning(WIDTH + 2)[1:-1]),
            },
            set="osie" if index % 3 else "pages",
            kind="photo" if index % 2 else "",
            people=Consistency(2.0 + index, 0.9, 0.8, 5) if index < 4 else None,
        )


@pytest.fixture(scope="module")
def others() -> OtherFixations:
    return OtherFixations({case.image: (case.x, case.y, WIDTH, HEIGHT) for case in _cases()})


@pytest.fixture(scope="module")
def found(others: OtherFixations) -> dict:
    return evaluate(_cases(), others)


def test_figures_are_means_over_images(found: dict, others: OtherFixations) -> None:
    cases = list(_cases())
    nss = [metrics.nss(case.maps["model"], case.x, case.y) for case in cases]
    assert found["metrics"]["nss"] == found["figures"]["model"]["nss"]["value"] == pytest.approx(np.mean(nss))
    shuffled = [
        metrics.auc_shuffled(case.maps["model"], case.x, case.y, *others.without(case.image, WIDTH, HEIGHT))
        for case in cases
    ]
    assert found["metrics"]["auc_shuffled"] == pytest.approx(np.mean(shuffled))
    gain = [metrics.information_gain(case.maps["model"], case.maps["centre_prior"], case.x, case.y) for case in cases]
    assert found["metrics"]["information_gain"] == pytest.approx(np.mean(gain))
    assert set(found["metrics"]) == set(evaluation.METRICS)
    assert found["figures"]["centre_prior"]["information_gain"]["value"] == 0
    assert (found["images_judged"], found["fixations"]) == (12, 240)


def test_intervals_hold_the_mean_and_differences_are_paired(found: dict) -> None:
    for figures in found["figures"].values():
        assert all(each["low"] <= each["value"] <= each["high"] for each in figures.values())
    gap = found["differences"]["centre_prior"]["nss"]
    both = (found["figures"][name]["nss"]["value"] for name in ("model", "centre_prior"))
    assert gap["value"] == pytest.approx(np.subtract(*both))
    assert gap["low"] > 0


def test_a_bootstrap_is_about_as_wide_as_the_standard_error() -> None:
    values = np.random.default_rng(0).normal(5, 2, 400)
    interval = evaluation._interval(values, np.random.default_rng(1))
    assert interval["high"] - interval["low"] == pytest.approx(2 * 1.96 * 2 / 20, rel=0.15)


def test_people_stand_beside_where_they_were_measured(found: dict) -> None:
    people = found["figures"]["people"]
    assert people["nss"]["value"] == pytest.approx(3.5) and people["nss"]["images"] == 4
    assert set(people) == {"nss", "auc", "cc"}


def test_groups_by_set_and_kind(found: dict) -> None:
    assert [(group["by"], group["group"], group["images"]) for group in found["groups"]] == [
        ("set", "osie", 8),
        ("set", "pages", 4),
        ("kind", "unknown", 6),
        ("kind", "photo", 6),
    ]
    parts = [group["figures"]["model"]["cc"] for group in found["groups"][:2]]
    assert sum(part["value"] * part["images"] for part in parts) / 12 == pytest.approx(found["metrics"]["cc"])


def test_nothing_is_grouped_where_nothing_is_known() -> None:
    cases = [Case(case.image, case.x, case.y, case.truth, case.maps) for case in _cases(3)]
    assert evaluate(cases)["groups"] == []
    assert "auc_shuffled" not in evaluate(cases)["metrics"]


def test_worst_and_best(found: dict) -> None:
    worst, best = evaluation.worst_and_best(found, 3)
    cc = {row["image"]: row["scores"]["model"]["cc"] for row in found["images"]}
    assert cc[worst[0]] == min(cc.values()) and cc[best[0]] == max(cc.values())
    assert len(worst) == len(best) == 3
    kld = {row["image"]: row["scores"]["model"]["kld"] for row in found["images"]}
    assert kld[evaluation.worst_and_best(found, 1, "kld")[0][0]] == max(kld.values())


def test_it_is_json_and_repeatable(found: dict, others: OtherFixations) -> None:
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    again = evaluate(_cases(), others)
    assert again == found


def test_other_fixations_are_scaled() -> None:
    others = OtherFixations({"a": ([1.0, 9.999], [2.0, 4.0], 10, 5), "b": ([0.0], [0.0], 7, 7)})
    x, y = others.without("b", 20, 20)
    np.testing.assert_allclose((x, y), ([2, 19.998], [8, 16]))
    x, _ = others.without("a", 20, 20)
    assert x.tolist() == [0]
    assert OtherFixations({"a": ([1.0], [1.0], 2, 2)}).without("a", 5, 5)[0].size == 0


def test_what_cannot_be_evaluated() -> None:
    with pytest.raises(MetricsError, match="no images to evaluate; check that the split is not empty"):
        evaluate([])
    first, second = list(_cases(2))
    bare = Case("x.jpg", first.x, first.y, first.truth, {"centre_prior": first.truth})
    with pytest.raises(MetricsError, match=r"x.jpg: maps \['centre_prior'\] lack 'model', the one that is judged"):
        evaluate([bare])
    with pytest.raises(MetricsError, match=r"1.jpg: maps \['model'\] where 0.jpg has \['centre_prior', 'model'\]"):
        evaluate([first, Case("1.jpg", second.x, second.y, second.truth, {"model": second.truth})])
    with pytest.raises(MetricsError, match="x.jpg, model: 1 of 1 fixations lie outside the 40 x 30 map"):
        evaluate([Case("x.jpg", [41], [1], first.truth, {"model": first.truth})])
