"""The report of a creative model: an evaluation as one self-contained HTML page that a marketer can read."""

from collections.abc import Iterator, Mapping
from typing import Any

from markupsafe import Markup

from models.creative.conversion import plots
from models.report import card_rows, open_page, percent

_HIDDEN = frozenset({"search", "metrics"})


def render_report(
    evaluation: Mapping[str, Any],
    model_card: Mapping[str, Any] | None = None,
    dataset_card: Mapping[str, Any] | None = None,
) -> str:
    """Returns one HTML file: no script, no external resource, light and dark, all data escaped.

    Args:
        evaluation: the artifact's ``evaluation.json``.
        model_card: shown as it is, in a table.
        dataset_card: likewise.
    """
    return open_page(__package__).render(
        e=evaluation,
        recognizer=_recognizer(evaluation.get("recognizer")),
        verdicts=list(_verdicts(evaluation)),
        targets=[
            {
                "name": name,
                "found": part,
                "reliability": Markup(plots.reliability(part["reliability"], f"reliability-{index}")),
                "importance": Markup(plots.importance(part["importance"], f"importance-{index}")),
                "calibration": (model_card or {}).get("calibration", {}).get(name, {}).get("reason", ""),
                "index": index,
            }
            for index, (name, part) in enumerate(evaluation["targets"].items())
        ],
        simulated=list(card_rows(evaluation["simulated"])) if evaluation["simulated"] else None,
        cards=[
            (title, list(card_rows({key: value for key, value in (card or {}).items() if key not in _HIDDEN})))
            for title, card in (("The model card", model_card), ("The data set card", dataset_card))
            if card
        ],
    )


def _recognizer(evaluation: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Returns what the report shows of a recogniser's own evaluation; None where it has none of that form."""
    try:
        if evaluation is None:
            return None
        names, confusion = list(evaluation["variants"]), evaluation["confusion"]
        rows = [
            (
                name,
                [(count, column == place) for column, count in enumerate(counts)],
                counts[place] / max(1, sum(counts)),
            )
            for place, (name, counts) in enumerate(zip(names, confusion, strict=True))
        ]
        return {"accuracy": float(evaluation["metrics"]["accuracy"]), "names": names, "rows": rows}
    except (KeyError, TypeError, ValueError, IndexError):
        return None


def _verdicts(evaluation: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, part in evaluation["targets"].items():
        metrics, truth = part["metrics"], part.get("truth")
        if truth is not None:
            short = truth["ceiling_accuracy"] - metrics["accuracy"]
            level = "good" if short <= 0.01 else "fair" if short <= 0.03 else "poor"
            yield (
                level,
                f"{name}: right about {percent(metrics['accuracy'])} of messages, where knowing the true probabilities "
                f"would be right about {percent(truth['ceiling_accuracy'])}: nobody can do better.",
            )
            level = "good" if truth["coverage"] >= 0.9 else "fair" if truth["coverage"] >= 0.8 else "poor"
            yield level, f"{name}: {percent(truth['coverage'])} of the intervals hold the true probability."
        else:
            skill = 1 - metrics["log_loss"] / part["base"]["log_loss"]
            level = "good" if skill > 0.02 else "fair" if skill > 0 else "poor"
            yield (
                level,
                f"{name}: it knows {percent(skill)} more of what happens than the mean rate does, and ranks a yes "
                f"above a no in {percent(metrics['auc'])} of cases.",
            )
        level = "good" if metrics["ece"] <= 0.02 else "fair" if metrics["ece"] <= 0.05 else "poor"
        yield level, f"{name}: its probabilities are off by {metrics['ece'] * 100:.1f} percentage points on average."
