"""The report: complete, self-contained, escaped, and well-formed."""

import json
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from features.gaze_density import density
from models.attention.baselines import Consistency
from models.attention.evaluation import Case, OtherFixations, evaluate
from models.attention.report import Picture, render_report

VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Collects what the tests look at, and refuses tags that do not close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str | None] = []
        self.alts: list[str | None] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.said = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value for key, value in attrs if key in ("src", "href", "xlink:href")]
        self.alts += [value for key, value in attrs if key == "alt"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said += data + " "


CARD = {
    "encoder": "mobilenet_v2",
    "loss": {"kl": 1.0},
    "history": [{"epoch": i, "train_loss": 1 / i, "validation_loss": 1.2 / i} for i in (1, 2, 3)],
    "regions": {"mean_error": 0.0412, "effective_fixations": 61, "coverage": 0.946, "level": 0.95, "boxes": 4000},
    "note": "<script>",
}
ABLATION = [
    {"name": "plain <U-Net>", "metrics": {"nss": 1.5, "cc": 0.5}, "changes": {}},
    {
        "name": "CoordConv",
        "metrics": {"nss": 1.75, "cc": 0.45},
        "changes": {
            "nss": {
                "value": 0.25,
                "low": 0.1,
                "high": 0.4,
                "percent": 16.7,
                "percent_low": 6.2,
                "percent_high": 27.9,
            },
            "cc": {
                "value": -0.05,
                "low": -0.2,
                "high": 0.1,
                "percent": None,
            },
        },
    },
]


def _cases() -> list[Case]:
    found = []
    for index in range(8):
        points = np.clip(np.random.default_rng(index).normal((15 + index, 15), 3, (30, 2)), 0, 29)
        truth = density(points, None, 30, 40, 3)
        prior = np.outer(np.hanning(32)[1:-1], np.hanning(42)[1:-1])
        maps = {"model": density(points[::2], None, 30, 40, 4), "centre_prior": prior, "<b>mine</b>": np.ones((30, 40))}
        people = Consistency(5.0, 0.95, 0.9, 4)
        found.append(Case(f"<i>{index}</i>.jpg", *points.T, truth, maps, "osie", ("page", "photo")[index % 2], people))
    return found


@pytest.fixture(scope="module")
def evaluation() -> dict[str, Any]:
    cases = _cases()
    others = OtherFixations({case.image: (case.x, case.y, 40, 30) for case in cases})
    return evaluate(cases, others)


@pytest.fixture(scope="module")
def text(evaluation: dict[str, Any]) -> str:
    image = np.random.default_rng(0).integers(0, 256, (600, 800, 3), np.uint8)
    pictures = [Picture(case.image, image, case.truth, case.maps["model"]) for case in _cases()[:3]]
    return render_report(
        json.loads(json.dumps(evaluation)),
        CARD,
        {"sets": ["osie", "salicon"]},
        worst=pictures[:2],
        best=pictures[2:],
        ablation=ABLATION,
    )


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_it_is_one_file_that_asks_for_nothing(page: Page) -> None:
    assert "script" not in page.tags and "link" not in page.tags
    assert all(link and link.startswith(("data:image/jpeg;base64,", "#")) for link in page.links)


def test_what_comes_from_outside_is_escaped(text: str, page: Page) -> None:
    assert "<b>mine" not in text and "<i>0" not in text and "<U-Net>" not in text and "<script>" not in text
    assert "<b>mine</b>" in page.said and "plain <U-Net>" in page.said


def test_every_figure_stands_there(evaluation: dict[str, Any], page: Page) -> None:
    for figures in evaluation["figures"].values():
        for found in figures.values():
            assert f"{found['value']:,.3f}" in page.said
    for name in ("NSS", "AUC-Judd", "AUC-Borji", "sAUC", "CC", "SIM", "KLD", "IG", "People", "Centre prior"):
        assert name in page.said
    for group in ("page", "photo", "osie"):
        assert group in page.said


def test_the_best_map_is_marked_and_people_are_not(evaluation: dict[str, Any], text: str) -> None:
    row = re.search(r'<th scope="row">NSS</th>.*?</tr>', text, re.DOTALL)
    assert row is not None
    best = re.findall(r'class="best">([\d.]+) ★', row[0])
    assert best == [f"{evaluation['metrics']['nss']:.3f}"]


def test_the_ablation_says_what_changed(page: Page) -> None:
    said = re.sub(r"\s+", " ", page.said)
    minus = "\N{MINUS SIGN}"
    assert "1.750 +0.250 ★ (+0.100 to +0.400) +16.7 % (+6.2 to +27.9)" in said
    assert (
        f"0.450 {minus}0.050 ({minus}0.200 to +0.100) -" in said
    )  # no percentage, no star; then a metric without a figure


def test_verdicts(page: Page) -> None:
    said = re.sub(r"\s+", " ", page.said)
    assert "It is closer to where people looked than the centre prior: CC +" in said
    assert re.search(r"In NSS it goes \d+% of the way from the centre prior", said)


def test_pictures_are_shown_with_their_maps(page: Page) -> None:
    assert page.tags.count("img") == 9
    assert "<i>0</i>.jpg: the model" in page.alts
    assert "Where it is worst" in page.said and "Where it is best" in page.said


def test_trust_and_origin(page: Page) -> None:
    said = re.sub(r"\s+", " ", page.said)
    assert "off by 4.1 percentage points on average" in said and "counted from 61 fixations" in said
    assert "loss.kl" in said and "mobilenet_v2" in said and "osie, salicon" in said
    assert "svg" in page.tags


def test_an_evaluation_alone_makes_a_report() -> None:
    case = _cases()[0]
    bare = evaluate([Case("a", case.x, case.y, case.truth, {"model": case.maps["model"]})])
    page = Page(render_report(bare))
    assert "img" not in page.tags and "Where the model comes from" not in page.said and "sAUC" not in page.said
