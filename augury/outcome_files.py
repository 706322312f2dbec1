"""What stands beside joined outcomes: the figures and the report, and what a version's own evaluation said."""

import contextlib
from collections.abc import Mapping
from typing import Any

import orjson

from features.errors import AuguryError
from features.storage import atomic_write
from models.behavior.outcomes.judging import Reference
from models.behavior.outcomes.report import render_outcomes
from models.registry import Registry

FAMILY = "behavior"
FIGURES, REPORT = "outcomes.json", "report.html"


def write_report(folder: str, judged: Mapping[str, Any]) -> None:
    """Writes ``outcomes.json`` and ``report.html``, each whole.

    Raises:
        StorageError: they cannot be written.
    """
    text = orjson.dumps(judged, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    base = folder.rstrip("/")
    atomic_write(f"{base}/{REPORT}", render_outcomes(judged))
    atomic_write(f"{base}/{FIGURES}", text)


def references_of(registry: str, card: Mapping[str, Any]) -> dict[str, Reference]:
    """Returns what the evaluation of each judged version says; versions that are gone or have none are left out."""
    found: dict[str, Reference] = {}
    opened = Registry(registry)
    for version in card["versions"]:
        with contextlib.suppress(AuguryError, OSError, KeyError, ValueError, TypeError, IndexError):
            manifest = opened.manifest(FAMILY, str(card["model"]), version)
            evaluation = orjson.loads(opened.read_file(manifest, "evaluation.json"))
            edges: list[float] = []
            if evaluation["classes"] == 2:
                edges = [float(edge) for edge in evaluation["views"][0]["segment_edges"]]
            auc = float(evaluation["metrics"]["auc"])
            found[version] = Reference(tuple(edges), int(evaluation["examples"]), auc)
    return found
