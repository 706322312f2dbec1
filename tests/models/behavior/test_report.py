"""The report: complete, self-contained, escaped, and well-formed."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from models.behavior.calibration import fit_matrix_scaling
from models.behavior.evaluation import evaluate
from models.behavior.report import render_report

VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """Collects what the tests look at, and refuses tags that do not close in order."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.tags, self.links, self.text, self.open = [], [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        found = dict(attrs)
        if "id" in found:
            self.ids.append(found["id"])
        self.links += [value for key, value in attrs if key in ("src", "href", "xlink:href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def evaluation(classes=2, n=3000, **changes):
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.3, (n, classes))
    logits[:, 0] += 1.5
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (rng.random((n, 1)) > np.cumsum(p, axis=1)).sum(axis=1)
    bare = p**0.5 / (p**0.5).sum(axis=1, keepdims=True)
    options = {
        "stats": {"clicks <b>": np.arange(n) % 7},
        "uncalibrated": bare,
        "calibration": fit_matrix_scaling(np.log(bare), labels),
        "history": [{"epoch": i, "train_loss": 1 / i, "validation_loss": 1.1 / i, "learning_rate": 1} for i in (1, 2)],
        "truth": p,
    }
    predictions = {"model": p, "trees": 0.9 * p + 0.1 / classes, "base_rate": np.full_like(p, 1 / classes)}
    return evaluate(labels, predictions, **options | changes)


CARD = {"generator": "purchase", "arguments": {"units": 64}, "note": "<script>alert('x')</script>", "history": [1]}
DATA = {
    "window": {"start_us": 1_746_057_600_000_000, "end_us": 1_748_736_000_000_000},
    "visitors": 1234,
    "events": {"read": 98765, "rejected": {"not_json": 17}, "dropped": {}},
    "splits": {"test": {"examples": 3000, "labels": {"0": 2000, "1": 1000}}},
}


@pytest.fixture(scope="module")
def text():
    return render_report(evaluation(), CARD, DATA)


def test_it_shows_every_plot_and_says_what_each_means(text):
    page = Page(text)
    assert page.tags.count("svg") == page.tags.count("figcaption") == 7
    plots = ["gain-0", "segments-0", "calibration-0", "distribution-0", "roc-0", "pr-0", "learning"]
    for plot in plots:
        assert f'aria-labelledby="{plot}-title" aria-describedby="{plot}-text"' in text
        assert {f"{plot}-title", f"{plot}-text"} <= set(page.ids)


IMPORTANCE = {
    "examples": 1500,
    "visitors": 1400,
    "repeats": 5,
    "seed": 0,
    "auc": 0.8,
    "log_loss": 0.4,
    "groups": [
        {
            "name": name,
            "features": [name.partition("/")[2], "<i>"],
            "told_apart": told_apart,
            "auc_drop": {"value": drop, "standard_error": 0.01, "low": drop - 0.02, "high": drop + 0.02},
            "log_loss_rise": {"value": drop / 2, "standard_error": 0.005, "low": drop / 2, "high": drop},
        }
        for name, drop, told_apart in (("step/dwell", -0.0012, None), ("hash/event", 0.125, 0.87))
    ],
}


def test_it_shows_what_the_model_looks_at_the_most_important_first():
    text = render_report(evaluation(importance=IMPORTANCE), CARD, DATA)
    page = Page(text)
    assert page.tags.count("svg") == 8
    assert {"importance-title", "importance-text"} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    flat = " ".join("".join(page.text).split())
    assert "on 1,500 of the test examples, 5 times over" in flat
    rows = re.findall(r"<tr><th scope=\"row\">(hash/event|step/dwell)</th>(.*?)</tr>", text)
    assert [name for name, _ in rows] == ["hash/event", "step/dwell"]
    assert re.findall(r">([^<>]*)</td>", rows[0][1]) == [
        "event, &lt;i&gt;",
        *("+0.1250", "0.0100", "+0.0625", "0.0050", "87 %"),
    ]
    assert "\N{MINUS SIGN}0.0012" in rows[1][1]
    assert "What does it look at?" not in "".join(Page(render_report(evaluation())).text)


def test_an_evaluation_that_is_older_than_importance_is_shown_without():
    found = evaluation()
    assert found.pop("importance") is None
    assert Page(render_report(found, CARD, DATA)).tags.count("svg") == 7


def test_it_is_one_file_without_scripts_or_outside_resources(text):
    page = Page(text)
    assert "script" not in page.tags
    assert all(link.startswith("#") for link in page.links)
    assert not re.search(r"@import|url\((?!#)|https?://(?!www\.w3\.org)", text)


def test_ids_are_unique_and_every_reference_has_its_target(text):
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    references = {link[1:] for link in page.links} | set(re.findall(r"url\(#([^)]+)\)", text))
    assert references <= set(page.ids)


def test_data_is_escaped(text):
    assert "<script>" not in text
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;" in text
    assert "clicks &lt;b&gt;" in text


def test_colours_are_the_pages_own(text):
    assert "prefers-color-scheme: dark" in text
    svgs = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert not [colour for svg in svgs for colour in re.findall(r"(?:fill|stroke): #\w+", svg)]
    used = set(re.findall(r"var\((--[\w-]+)\)", text))
    assert used <= set(re.findall(r"(--[\w-]+):", text))


def test_it_tells_figures_dates_and_counts(text):
    flat = " ".join("".join(Page(text).text).split())
    found = evaluation()
    assert f"{found['metrics']['auc']:.4f}" in flat
    assert "3,000 examples that it never saw in training, from events of 2025-05-01 00:00 UTC" in flat
    assert "1,234 visitors." in flat
    assert "98,765 events read." in flat
    assert "Rejected, since they are no events: not_json 17." in flat
    assert "It ranks as well as boosted trees" in flat
    assert "arguments.units" in flat


def test_it_is_the_same_every_time(text):
    assert render_report(evaluation(), CARD, DATA) == text


def test_it_does_without_cards_stats_baselines_calibration_and_history():
    scores = np.array([0.2, 0.8, 0.4, 0.6])
    bare = evaluate([0, 1, 0, 1], {"model": np.stack([1 - scores, scores], axis=1)})
    page = Page(render_report(bare))
    assert page.tags.count("svg") == 6
    assert "Does it work for everyone?" not in "".join(page.text)


def test_more_classes_have_their_plots_each():
    page = Page(render_report(evaluation(3)))
    assert page.tags.count("svg") == 3 * 6 + 1
    assert len(page.ids) == len(set(page.ids))
    assert "“class 2”: Whom to address" in "".join(page.text)


def test_a_worse_model_is_called_worse():
    rng = np.random.default_rng(1)
    labels = (rng.random(2000) < 0.3).astype(int)
    good = np.clip(0.3 * labels + 0.5 * rng.random(2000), 0, 1)
    poor = rng.random(2000)
    found = evaluate(labels, {name: np.stack([1 - p, p], axis=1) for name, p in (("model", poor), ("trees", good))})
    flat = "".join(Page(render_report(found)).text)
    assert "It ranks worse than boosted trees" in flat
    assert flat.index("poor") < flat.index("Side by side")
