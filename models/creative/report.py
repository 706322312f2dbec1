"""The recogniser's report: an evaluation as one self-contained HTML page, with the photos that it took for another."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from models.plots import learning
from models.report import card_rows, open_page, percent

_HIDDEN = frozenset({"history", "metrics_by_kind"})


@dataclass(frozen=True, eq=False)
class Mistake:
    """An image taken for another variant: ``image`` uint8 (H, W, 3) RGB."""

    product: str
    variant: str
    taken_for: str
    image: npt.NDArray[np.uint8]


def render_report(
    evaluation: Mapping[str, Any],
    model_card: Mapping[str, Any] | None = None,
    dataset_card: Mapping[str, Any] | None = None,
    mistakes: Sequence[Mistake] = (),
    history: Sequence[Mapping[str, float]] = (),
) -> str:
    """Returns one HTML file: no script, no external resource, light and dark, all data escaped.

    Args:
        evaluation: what ``models.creative.evaluation.evaluate`` returned (or its JSON, read back).
        model_card: shown as it is, in a table.
        dataset_card: likewise.
        mistakes: to show.
        history: one row an epoch, with any numbers whose names end in ``loss``.
    """
    return open_page(__package__).render(
        e=evaluation,
        confusion=list(_confusion_rows(evaluation)),
        verdicts=list(_verdicts(evaluation)),
        mistakes=[(mistake, _data_uri(mistake.image)) for mistake in mistakes],
        learning=Markup(learning(history, "learning")) if history else None,
        cards=[
            (title, list(card_rows({key: value for key, value in (card or {}).items() if key not in _HIDDEN})))
            for title, card in (("The model card", model_card), ("The data set card", dataset_card))
            if card
        ],
    )


def _confusion_rows(evaluation: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields a row a variant: its name, (count, share of the row, whether it is right) a column, its figures."""
    for number, (counts, figures) in enumerate(zip(evaluation["confusion"], evaluation["by_variant"], strict=True)):
        total = max(1, sum(counts))
        cells = [(count, count / total, column == number) for column, count in enumerate(counts)]
        yield {"variant": evaluation["variants"][number], "cells": cells, "figures": figures}


def _verdicts(evaluation: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    whole = evaluation["overall"]
    level = "good" if whole["accuracy"] >= 0.99 else "fair" if whole["accuracy"] >= 0.95 else "poor"
    yield level, f"It names the variant of {whole['right']:,} of {whole['images']:,} images."
    wrong = [
        (count, evaluation["variants"][row], evaluation["variants"][column])
        for row, counts in enumerate(evaluation["confusion"])
        for column, count in enumerate(counts)
        if row != column and count
    ]
    if wrong:
        count, which, other = max(wrong, key=lambda found: found[0])
        often = f"{count:,} time{'s' if count > 1 else ''}"
        yield "good" if level == "good" else "fair", f"What it mixes up most: {which} taken for {other}, {often}."
    kinds = [row for row in evaluation["by_kind"] if row["images"] >= 100]
    if len(kinds) > 1:
        worst = min(kinds, key=lambda row: row["accuracy"])
        level = "good" if worst["accuracy"] >= 0.98 else "fair" if worst["accuracy"] >= 0.9 else "poor"
        said = percent(worst["accuracy"])
        yield (
            level,
            f"The kind of product it does least well on is {worst['kind']}: {said} of {worst['images']:,} images.",
        )


def _data_uri(image: npt.NDArray[np.uint8]) -> str:
    _, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return "data:image/png;base64," + base64.b64encode(data.tobytes()).decode()
