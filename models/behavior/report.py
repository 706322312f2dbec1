"""The report: an evaluation as one self-contained HTML page that a marketer can read."""

from collections.abc import Iterator, Mapping
from typing import Any

from markupsafe import Markup

from models.behavior import plots
from models.behavior.evaluation import MODEL
from models.plots import learning
from models.report import card_rows, open_page, percent, signed

_NAMES = {MODEL: "The model", "trees": "Boosted trees", "base_rate": "Base rate"}
_FIGURES = (
    ("auc", "AUC", True, "How often a random positive is ranked above a random negative: 0.5 is chance, 1 is perfect."),
    (
        "pr_auc",
        "PR-AUC",
        True,
        "How pure the picks stay while more and more positives are found; chance is the base rate.",
    ),
    ("log_loss", "Log loss", False, "How surprised the predictions were by what happened; a sure mistake costs most."),
    ("brier", "Brier score", False, "The mean squared distance between prediction and outcome."),
    ("ece", "ECE", False, "By how much predictions and outcomes differ on average, in 15 equally wide groups."),
    (
        "ece_equal_mass",
        "ECE, equal groups",
        False,
        "The same in 15 groups of equally many examples: sharper for rare outcomes.",
    ),
    (
        "top_20_share",
        "Held by the top 20 %",
        True,
        "Which share of all positives the 20 % with the highest predictions hold.",
    ),
    ("top_10_rate", "Rate in the top 10 %", True, "How many of the 10 % with the highest predictions are positive."),
)
_SHARES = frozenset({"top_20_share", "top_10_rate"})


def render_report(
    evaluation: Mapping[str, Any],
    model_card: Mapping[str, Any] | None = None,
    dataset_card: Mapping[str, Any] | None = None,
) -> str:
    """Returns one HTML file: no script, no external resource, light and dark, all data escaped.

    Args:
        evaluation: what ``models.behavior.evaluation.evaluate`` returned (or its JSON, read back).
        model_card: shown as it is, in a table; ``generator`` names what is predicted.
        dataset_card: of the examples; its counts and its window are shown.
    """
    card, data = dict(model_card or {}), dict(dataset_card or {})
    names = {name: _NAMES.get(name, name) for name in evaluation["figures"]}
    return open_page(__package__).render(
        e=evaluation,
        model=MODEL,
        names=names,
        figures=list(_figure_rows(evaluation)),
        shares=_SHARES,
        verdicts=list(_verdicts(evaluation)),
        views=[_view(view, names, index) for index, view in enumerate(evaluation["views"])],
        importance=_importance(evaluation.get("importance")),
        learning=Markup(learning(evaluation["history"], "learning")) if evaluation["history"] else None,
        subject=str(card.get("generator") or data.get("generator") or "behaviour"),
        card=list(card_rows({key: value for key, value in card.items() if key not in ("history", "metrics")})),
        data=data,
    )


def _view(view: Mapping[str, Any], names: Mapping[str, str], index: int) -> dict[str, Any]:
    """Returns a view with its plots; the base rate is left out where it would only draw a flat line twice."""
    curves = view["curves"]
    ranked = {name: curves[name] for name in sorted(curves, key=lambda name: name != MODEL)}
    compared = {name: found for name, found in ranked.items() if name != "base_rate"}
    model = ranked[MODEL]
    drawn = {
        "gain": plots.gain(ranked, names, f"gain-{index}"),
        "segments": plots.segments(compared, names, f"segments-{index}"),
        "calibration": plots.calibration(model["calibration"], view["calibration_before"], f"calibration-{index}"),
        "distribution": plots.distribution(model, ("negatives", "positives"), f"distribution-{index}"),
        "roc": plots.roc(ranked, names, f"roc-{index}"),
        "pr": plots.precision_recall(ranked, names, f"pr-{index}"),
    }
    stats: dict[str, list[Mapping[str, Any]]] = {}
    for row in view["slices"]:
        stats.setdefault(row["stat"], []).append(row)
    return {
        "index": index,
        "view": view,
        "model": model,
        "compared": list(compared),
        "plots": {name: Markup(svg) for name, svg in drawn.items()},
        "stats": stats,
    }


def _importance(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Returns what permuting the features cost, the most important group first, with its plot."""
    if not found:
        return None
    groups = sorted(found["groups"], key=lambda group: -group["auc_drop"]["value"])
    return {**found, "groups": groups, "plot": Markup(plots.importance(groups, "importance"))}


def _figure_rows(evaluation: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    figures = evaluation["figures"]
    for key, name, high_is_good, meaning in _FIGURES:
        values = {which: found[key] for which, found in figures.items()}
        # The base rate is calibrated because it says the same of everyone: no praise for that.
        rivals = {which: value for which, value in values.items() if which != "base_rate"}
        best = (max if high_is_good else min)(rivals.values())
        yield {
            "key": key,
            "name": name,
            "meaning": meaning,
            "values": values,
            "best": [which for which, value in rivals.items() if value == best and len(rivals) > 1],
        }


def _verdicts(evaluation: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields (good, fair or poor; sentence) on ranking, the baseline, and calibration."""
    found = evaluation["metrics"]
    level = "good" if found["auc_low"] > 0.7 else "fair" if found["auc_low"] > 0.55 else "poor"
    yield (
        level,
        f"Of one positive and one negative example, the model ranks the positive one higher in "
        f"{percent(found['auc'])} of cases "
        f"(95 % sure: {percent(found['auc_low'])} to {percent(found['auc_high'])}; guessing gets 50 %).",
    )
    for name, gap in evaluation["differences"].items():
        if name == "base_rate":
            continue
        which = _NAMES.get(name, name)
        if gap["low"] > 0:
            level, text = "good", f"It ranks better than {which.lower()}"
        elif gap["high"] < 0:
            level, text = "poor", f"It ranks worse than {which.lower()}"
        else:
            level, text = "fair", f"It ranks as well as {which.lower()}, as far as these examples can tell"
        yield level, f"{text}: AUC {signed(gap['value'])} ({signed(gap['low'])} to {signed(gap['high'])})."
    level = "good" if found["ece"] <= 0.02 else "fair" if found["ece"] <= 0.05 else "poor"
    yield level, f"Its probabilities are off by {found['ece'] * 100:.1f} percentage points on average."
    yield (
        "good" if found["top_20_share"] > 0.4 else "fair" if found["top_20_share"] > 0.25 else "poor",
        f"The fifth of examples that it ranks highest holds {percent(found['top_20_share'])} of all positives.",
    )
