"""The ablation table: changes from row to row, paired by image, worked out by hand."""

from typing import Any

import numpy as np
import pytest

from models.attention.ablation import AblationError, ablation_rows


def evaluation(scores: dict[str, list[float]], *, names: str = "abcd", width: int = 8, fixations: int = 40) -> dict:
    count = len(next(iter(scores.values())))
    images = [
        {
            "image": names[index],
            "width": width,
            "height": 6,
            "scores": {"model": {metric: values[index] for metric, values in scores.items()}},
        }
        for index in range(count)
    ]
    metrics = {metric: float(np.mean(values)) for metric, values in scores.items()}
    return {"images": images, "images_judged": count, "fixations": fixations, "metrics": metrics}


def test_changes_are_paired_by_image_and_from_the_row_before() -> None:
    """One is 0.5 better on every image, so no draw of images can change that; two is twice as good as one."""
    first = evaluation({"nss": [1.0, 2.0, 3.0, 4.0], "kld": [1.0, 1.0, 1.0, 1.0]})
    second = evaluation({"nss": [1.5, 2.5, 3.5, 4.5]})
    second["images"].reverse()  # the order of the images does not matter
    third = evaluation({"nss": [3.0, 5.0, 7.0, 9.0]})
    rows = ablation_rows([("one", first), ("two", second), ("three", third)])
    assert [row["name"] for row in rows] == ["one", "two", "three"]
    assert rows[0]["changes"] == {}
    assert rows[0]["metrics"] == {"nss": 2.5, "kld": 1.0}
    change = rows[1]["changes"]["nss"]
    assert rows[1]["changes"].keys() == {"nss"}
    assert (change["value"], change["low"], change["high"]) == pytest.approx((0.5, 0.5, 0.5))
    assert change["percent"] == pytest.approx(20)
    assert 100 * 0.5 / 4 <= change["percent_low"] < 20 < change["percent_high"] <= 100 * 0.5 / 1
    again = rows[2]["changes"]["nss"]
    assert again["value"] == pytest.approx(3.0)
    assert (again["percent"], again["percent_low"], again["percent_high"]) == pytest.approx((100, 100, 100))


def test_the_interval_is_that_of_means_of_images_drawn_again() -> None:
    """Of 400 differences of mean 0.1 and deviation 1, a mean has deviation 0.05: 0.1 - 1.96 * 0.05 to 0.1 + ..."""
    rng = np.random.default_rng(0)
    base, difference = rng.normal(3, 1, 400), rng.normal(0, 1, 400)
    difference = (difference - difference.mean()) / difference.std() + 0.1
    names: Any = [str(index) for index in range(400)]
    rows = ablation_rows(
        [
            ("a", evaluation({"nss": base.tolist()}, names=names)),
            ("b", evaluation({"nss": (base + difference).tolist()}, names=names)),
        ]
    )
    change = rows[1]["changes"]["nss"]
    assert change["value"] == pytest.approx(0.1)
    assert (change["low"], change["high"]) == pytest.approx((0.002, 0.198), abs=0.008)


def test_a_mean_that_may_be_nought_gives_no_percentage() -> None:
    rows = ablation_rows(
        [
            ("a", evaluation({"information_gain": [-0.1, 0.1, 0.0, 0.2]})),
            ("b", evaluation({"information_gain": [0.9, 1.1, 1.0, 1.2]})),
        ]
    )
    change = rows[1]["changes"]["information_gain"]
    assert change["value"] == pytest.approx(1.0)
    assert change["percent"] is change["percent_low"] is change["percent_high"] is None


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            {"names": "abce"},
            r"a and b were evaluated on different test images \(2 images are of one of them only",
        ),
        ({"width": 9}, r"\(a is 8x6 pixels in one, 9x6 in the other\); evaluate them on the same ones"),
        ({"fixations": 41}, r"\(their images have 40 and 41 fixations\)"),
    ],
)
def test_other_test_images_are_refused(other: dict[str, Any], message: str) -> None:
    scores = {"nss": [1.0, 2.0, 3.0, 4.0]}
    with pytest.raises(AblationError, match=message):
        ablation_rows([("a", evaluation(scores)), ("b", evaluation(scores, **other))])


def test_a_name_stands_once() -> None:
    one = evaluation({"nss": [1.0]})
    with pytest.raises(AblationError, match="two rows are called 'a'; name each row once"):
        ablation_rows([("a", one), ("a", one)])
