import numpy as np
import pytest

from models.attention.evaluation import paired_interval
from models.attention.rescore import compare
from models.rescored import RescoreError


def evaluation(cc: list[float], nss: list[float]) -> dict:
    images = [
        {
            "image": f"i{n}",
            "set": "pages",
            "kind": "page" if n % 2 else "photo",
            "scores": {"model": {"cc": a, "nss": b}},
        }
        for n, (a, b) in enumerate(zip(cc, nss, strict=True))
    ]
    return {"metrics": {"cc": float(np.mean(cc)), "nss": float(np.mean(nss))}, "images": images}


def test_two_models_are_compared_image_by_image() -> None:
    theirs, ours = [0.5] * 24, [0.5 + 0.01 * (n % 2) for n in range(24)]  # better on pages alone
    found = compare(evaluation(theirs, [1.0] * 24), evaluation(ours, [1.0] * 24))
    assert found.metrics == {"cc": 0.5, "nss": 1.0}
    assert found.changes["nss"] == (0.0, 0.0, 0.0)
    assert found.changes["cc"].value == pytest.approx(0.005)
    assert 0 < found.changes["cc"].low < 0.005 < found.changes["cc"].high < 0.01
    slices = {one.name: one for one in found.slices}
    assert slices.keys() == {"set pages", "kind page", "kind photo"}
    assert slices["kind page"].change.value == pytest.approx(0.01) and slices["kind page"].examples == 12
    assert slices["kind photo"].change.value == pytest.approx(0.0)


def test_other_images_are_refused() -> None:
    with pytest.raises(RescoreError, match="1 images were judged of one model only, the first i2"):
        compare(evaluation([0.5] * 2, [1.0] * 2), evaluation([0.5] * 3, [1.0] * 3))


def test_the_interval_holds_the_mean_of_normal_values() -> None:
    values = np.random.default_rng(1).normal(0.2, 1.0, 400)
    mean, low, high = paired_interval(values, np.random.default_rng(0))
    assert mean == pytest.approx(values.mean())
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)
