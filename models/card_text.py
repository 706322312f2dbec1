"""Cards for people: what a version's JSON cards know under the headings of model cards and datasheets, and what not.

``python -m models.card_text model > MODEL_CARD.md`` writes both cards of an artifact as Markdown. What was measured or
recorded is filled in; what only people know stays a question, so that nobody takes silence for an answer.

The headings are those of model cards (Mitchell et al. 2019, section 4) and datasheets for datasets (Gebru et al. 2021,
section 3).
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from features.errors import AuguryError
from features.fingerprinted import DATASET_CARD
from models.cards import read_json

Card = Mapping[str, Any]
Section = tuple[str, Callable[[Card, Card], Iterator[str]], tuple[str, ...]]
"""Heading, what the cards say under it (of the model's and the data's), and what is left to people."""

_MOST_ROWS = 40


def _details(model: Card, data: Card) -> Iterator[str]:
    yield from _rows(model, "family", "part", "code_version", "fingerprint", "seconds", "best_epoch")
    yield from _table("Arguments", model.get("arguments"))


def _training_data(model: Card, data: Card) -> Iterator[str]:
    yield from _rows(model, "examples", "noise_ceiling", "simulated")
    yield from _table("Examples by split", _examples(data))
    yield "The data have a card of their own; see below."


def _metrics(model: Card, data: Card) -> Iterator[str]:
    yield from _table("Measured on the test split", model.get("metrics"))
    yield from _table("By kind", model.get("metrics_by_kind"))


def _composition(model: Card, data: Card) -> Iterator[str]:
    yield from _rows(data, "fingerprint", "generator", "window", "window_us", "variants", "simulated")
    yield from _table("Splits", data.get("splits"))


def _collection(model: Card, data: Card) -> Iterator[str]:
    yield from _rows(data, "sources", "sets", "adapter", "created_by")


def _processing(model: Card, data: Card) -> Iterator[str]:
    for name in ("events", "images", "photos", "gaze", "conversions", "near_duplicates", "golden"):
        yield from _table(f"What became of the {name.replace('_', ' ')}", data.get(name))


def _nothing(model: Card, data: Card) -> Iterator[str]:
    yield from ()


MODEL_SECTIONS: tuple[Section, ...] = (
    ("Model details", _details, ("Who is responsible for it, and how are they reached?",)),
    (
        "Intended use",
        _nothing,
        (
            "What decision is made with its answers, and by whom?",
            "Who are the people it is about? Do they know?",
            "What must it not be used for?",
        ),
    ),
    (
        "Factors",
        _nothing,
        (
            "Between which groups (devices, countries, kinds of content, new and returning) may it differ?",
            "Which of them does the report slice by, and which could not be looked at, and why?",
        ),
    ),
    (
        "Metrics",
        _metrics,
        ("Which of these figures matter for the decision, and which value would be too bad to go on?",),
    ),
    (
        "Evaluation data",
        _nothing,
        ("Are the people of the test split those it will be asked about? How do they differ?",),
    ),
    ("Training data", _training_data, ()),
    ("Quantitative analyses", _nothing, ("What do the slices in report.html show, alone and together?",)),
    (
        "Ethical considerations",
        _nothing,
        (
            "What happens to somebody about whom it is wrong, each way?",
            "Is anything sensitive (health, belief, origin) in what it sees, or told by it?",
        ),
    ),
    (
        "Caveats and recommendations",
        _nothing,
        ("What was not tried? When is it to be trained again, and who looks at its outcomes?",),
    ),
)

DATA_SECTIONS: tuple[Section, ...] = (
    ("Motivation", _nothing, ("What was it made for, by whom, and who paid?",)),
    ("Composition", _composition, ("Who or what is in it, and who is not? Could somebody be identified?",)),
    (
        "Collection",
        _collection,
        ("How, when and where was it collected? Did those concerned agree, and how do they take that back?",),
    ),
    ("Cleaning and labelling", _processing, ("Are the raw data kept, where, and for how long?",)),
    ("Uses", _nothing, ("What else was it used for? What should it not be used for?",)),
    ("Distribution", _nothing, ("Who may have it, under which terms?",)),
    (
        "Maintenance",
        _nothing,
        ("Who looks after it? How do requests to be forgotten reach it and what was made of it?",),
    ),
)


def model_card_text(model: Card, data: Card) -> str:
    """Returns the model card as Markdown.

    Args:
        model: what ``model_card.json`` holds; empty for a form to fill in.
        data: what ``dataset_card.json`` holds.
    """
    return _text("Model card", MODEL_SECTIONS, model, data)


def data_card_text(data: Card) -> str:
    """Returns the card of a data set as Markdown; ``data`` is what ``dataset_card.json`` holds, or empty."""
    return _text("Data card", DATA_SECTIONS, {}, data)


def main() -> None:
    """Prints both cards of the artifact or the examples that the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m models.card_text", description="Print the cards of a model or data set."
    )
    parser.add_argument("folder", type=Path, help="an artifact, or a folder of examples")
    folder = parser.parse_args().folder
    try:
        path = folder / "model_card.json"
        data = read_json(folder / DATASET_CARD)
        print(*([model_card_text(read_json(path), data)] if path.exists() else []), data_card_text(data), sep="\n")
    except AuguryError as e:
        sys.exit(f"error: {e}")


def _text(title: str, sections: tuple[Section, ...], model: Card, data: Card) -> str:
    lines = [f"# {title}", ""]
    for heading, known, questions in sections:
        lines += [f"## {heading}", "", *known(model, data), *(f"- [ ] {question}" for question in questions), ""]
    return "\n".join(_single_blanks(lines))


def _rows(card: Card, *names: str) -> Iterator[str]:
    found = [(name, _shown(name, card[name])) for name in names if card.get(name) not in (None, "", [], {})]
    if found:
        yield from ("| | |", "|---|---|", *(f"| {name.removesuffix('_us')} | {value} |" for name, value in found), "")


def _table(title: str, values: Any) -> Iterator[str]:
    rows = list(_flat(values)) if isinstance(values, Mapping) else []
    if rows:
        yield from (f"{title}:", "", "| | |", "|---|---|")
        yield from (f"| {name} | {_shown(name, value)} |" for name, value in rows[:_MOST_ROWS])
        if len(rows) > _MOST_ROWS:
            yield f"| and {len(rows) - _MOST_ROWS} more | in the JSON card |"
        yield ""


def _flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}, ")
        elif value not in (None, "", []):
            yield f"{before}{name}", value


def _examples(data: Card) -> dict[str, Any]:
    return {split: about.get("examples") for split, about in data.get("splits", {}).items()}


def _shown(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{inner} {_shown(inner, each)}" for inner, each in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_shown(name, each) for each in value)
    if isinstance(value, int) and not isinstance(value, bool) and name.endswith("_us"):
        return datetime.fromtimestamp(value / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return " ".join(str(value).split()).replace("|", "\\|").replace("<", "&lt;")


def _single_blanks(lines: list[str]) -> Iterator[str]:
    for before, line in zip(["", *lines], lines, strict=False):
        if line or before:
            yield line


if __name__ == "__main__":
    main()
