"""The report: an evaluation of attention maps as one self-contained HTML page, with the best and the worst images."""

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from features.heatmaps import HeatmapStyle, check_image, draw_heatmap
from models.attention.evaluation import CENTRE_PRIOR, HIGH_IS_GOOD, METRICS, MODEL, PEOPLE
from models.plots import learning
from models.report import card_rows, number, open_page, signed

_NAMES = {
    MODEL: "The model",
    CENTRE_PRIOR: "Centre prior",
    "spectral_residual": "Spectral residual",
    PEOPLE: "People",
}
_LABELS = {
    "nss": ("NSS", "How far above the map's mean the fixated places are, in standard deviations: 0 is chance."),
    "auc": ("AUC", "How often a fixated pixel is ranked above any pixel: 0.5 is chance, 1 is perfect."),
    "auc_judd": ("AUC-Judd", "The same, against pixels that nobody fixated, with few thresholds."),
    "auc_borji": ("AUC-Borji", "The same, against random pixels, sampled again and again."),
    "auc_shuffled": ("sAUC", "The same, against fixations of other images: knowing the centre earns nothing."),
    "cc": ("CC", "The correlation with the density of fixations: 1 is equal, 0 unrelated."),
    "sim": ("SIM", "How much of both densities overlaps: 1 is equal, 0 disjoint."),
    "kld": ("KLD", "What the map misses of the density, in nats: 0 is equal; misses cost more than false alarms."),
    "information_gain": ("IG", "Bits a fixation by which the map explains more than the centre prior."),
}
_THUMBNAIL_PX = 360


@dataclass(frozen=True)
class Picture:
    """An image to show: ``image`` uint8 (H, W, 3) RGB, ``truth`` and ``predicted`` maps (h, w)."""

    name: str
    image: npt.NDArray[np.uint8]
    truth: npt.ArrayLike
    predicted: npt.ArrayLike


def render_report(
    evaluation: Mapping[str, Any],
    model_card: Mapping[str, Any] | None = None,
    dataset_card: Mapping[str, Any] | None = None,
    *,
    worst: Iterable[Picture] = (),
    best: Iterable[Picture] = (),
    ablation: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Returns one HTML file: no script, no external resource, light and dark, all data escaped.

    Args:
        evaluation: what ``models.attention.evaluation.evaluate`` returned (or its JSON, read back).
        model_card: shown as it is, in a table, but for ``history`` (one row an epoch, with any numbers whose names end
            in ``loss``), which is drawn, and ``regions`` (``models.attention.region_error.effective_fixations``), which
            is put in words.
        dataset_card: shown as it is.
        worst: images with the worst figures, the worst first; ``evaluation.worst_and_best`` names them.
        best: images with the best figures.
        ablation: what ``models.attention.ablation.ablation_rows`` returned.
    """
    about = dict(model_card or {})
    history, regions = about.pop("history", ()), about.pop("regions", None)
    scores = {row["image"]: row["scores"][MODEL] for row in evaluation["images"]}
    shown = [metric for metric in METRICS if metric in evaluation["figures"][MODEL]]
    return open_page(__package__).render(
        e=evaluation,
        model=MODEL,
        names={name: _NAMES.get(name, name) for name in evaluation["figures"]},
        labels=_LABELS,
        shown=shown,
        figures=list(_figure_rows(evaluation, shown)),
        verdicts=list(_verdicts(evaluation)),
        ablation=ablation,
        galleries=[
            (title, [_drawn(picture, scores.get(picture.name, {})) for picture in pictures])
            for title, pictures in (("Where it is worst", list(worst)), ("Where it is best", list(best)))
            if pictures
        ],
        learning=Markup(learning(history, "learning")) if history else None,
        regions=regions,
        cards=[
            (title, list(card_rows(card)))
            for title, card in (("The model card", about), ("The data set card", dataset_card))
            if card
        ],
    )


def _figure_rows(evaluation: Mapping[str, Any], shown: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yields a row a metric; the best among the maps is marked, people, who are the bound, are not."""
    for metric in shown:
        values = {name: found.get(metric) for name, found in evaluation["figures"].items()}
        rivals = {name: found["value"] for name, found in values.items() if found and name != PEOPLE}
        best = (max if HIGH_IS_GOOD[metric] else min)(rivals.values())
        yield {
            "label": _LABELS[metric][0],
            "meaning": _LABELS[metric][1],
            "values": values,
            "best": [name for name, value in rivals.items() if value == best and len(rivals) > 1],
        }


def _verdicts(evaluation: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields (good, fair or poor; sentence) against each baseline, and on the way from the centre prior to people."""
    for name, gaps in evaluation["differences"].items():
        gap, which = gaps["cc"], _NAMES.get(name, name).lower()
        if gap["low"] > 0:
            level, text = "good", f"It is closer to where people looked than the {which}"
        elif gap["high"] < 0:
            level, text = "poor", f"It is further from where people looked than the {which}"
        else:
            level, text = "fair", f"It does as well as the {which}, as far as these images can tell"
        yield level, f"{text}: CC {signed(gap['value'], 3)} ({signed(gap['low'], 3)} to {signed(gap['high'], 3)})."
    figures = evaluation["figures"]
    if PEOPLE in figures and CENTRE_PRIOR in figures:
        floor, reached, top = (figures[name]["nss"]["value"] for name in (CENTRE_PRIOR, MODEL, PEOPLE))
        if top > floor:
            way = (reached - floor) / (top - floor)
            level = "good" if way > 0.75 else "fair" if way > 0.4 else "poor"
            yield level, f"In NSS it goes {way:.0%} of the way from the centre prior to what people say of each other."


def _drawn(picture: Picture, scores: Mapping[str, float]) -> dict[str, Any]:
    check_image(picture.image)
    height, width = picture.image.shape[:2]
    scale = min(1.0, _THUMBNAIL_PX / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.asarray(cv2.resize(picture.image, size, interpolation=cv2.INTER_AREA), np.uint8)
    style = HeatmapStyle(legend=False)
    parts = {
        "the image": small,
        "where people looked": draw_heatmap(small, picture.truth, style),
        "the model": draw_heatmap(small, picture.predicted, style),
    }
    said = ", ".join(
        f"{_LABELS[metric][0]} {number(scores[metric], 2)}" for metric in ("nss", "cc") if metric in scores
    )
    return {
        "name": picture.name,
        "said": said,
        "width": size[0],
        "height": size[1],
        "parts": {what: _data_uri(part) for what, part in parts.items()},
    }


def _data_uri(image: npt.NDArray[np.uint8]) -> str:
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 82])
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()
