"""The report of an artifact made again, from what training measured or measured anew; with ONNX Runtime, no torch."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.errors import AuguryError
from features.fingerprinted import DATASET_CARD
from features.storage import StorageError, read_bytes
from models.attention.ablation import ablation_rows, check_same_images
from models.attention.dataset import ExamplesFolder
from models.attention.evaluation import VERSION
from models.attention.measuring import measurable, measure, measure_regions, report
from models.attention.predictor import Predictor
from models.attention.report import render_report
from models.examples_folder import DatasetError
from models.progress import Progress

_THIS = "the artifact"


class ReportError(AuguryError, ValueError):
    """An artifact without what a report is made of."""


@dataclass(frozen=True)
class Made:
    """A report: its HTML, and why it shows no pictures, where it shows none."""

    html: str
    without_pictures: str | None = None


def make_report(
    folder: str | Path,
    *,
    examples: str | None = None,
    measure_again: bool = False,
    ablation: Sequence[tuple[str, str]] = (),
    progress: Progress = lambda *_: None,
) -> Made:
    """Returns the report of an artifact.

    Args:
        folder: of the artifact.
        examples: the folder of examples whose test images are shown; None: the one that the model card names, which may
            be gone: then there are no pictures.
        measure_again: measure on those images, instead of taking what training has measured.
        ablation: (name, folder of an artifact) of the rows of the ablation table, in their order.
        progress: told of the images measured.

    Raises:
        ReportError: the artifact lacks a card or an evaluation.
        AblationError: an artifact was evaluated on other test images.
        DatasetError: the examples given, or needed, are not there, of another spec, or not those it was evaluated on.
        PredictorError, FeatureSpecError, StorageError: a file is none or missing.
    """
    card, data = (_read(folder, name) for name in ("model_card.json", DATASET_CARD))
    predictor = Predictor.load(folder)
    named = examples or str(card.get("examples", ""))
    if measure_again:
        opened = _open(named, predictor)
        split = measurable(opened.read("test"))
        evaluation = measure(predictor, split, opened.read("train").mean_map(), progress)
        card |= {"metrics": evaluation["metrics"], "regions": measure_regions(predictor, opened.read("validation"))}
        return Made(report(predictor, split, evaluation, card, opened.card, _rows(evaluation, ablation)))
    evaluation = _evaluation(folder)
    rows = _rows(evaluation, ablation)
    try:
        split = _open(named, predictor).read("test")
        return Made(report(predictor, split, evaluation, card, data, rows))
    except (DatasetError, StorageError) as e:
        if examples is not None:
            raise
        return Made(render_report(evaluation, card, data, ablation=rows), str(e))


def _open(path: str, predictor: Predictor) -> ExamplesFolder:
    opened = ExamplesFolder.open(path)
    if opened.spec.fingerprint != predictor.spec.fingerprint:
        raise DatasetError(
            f"{path} has spec {opened.spec.fingerprint[:12]}, the model was trained with "
            f"{predictor.spec.fingerprint[:12]}; name examples of the model's own spec"
        )
    return opened


def _rows(evaluation: Mapping[str, Any], ablation: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    found = [(name, _evaluation(folder)) for name, folder in ablation]
    for name, other in found:
        check_same_images(_THIS, evaluation, name, other)
    return ablation_rows(found)


def _evaluation(folder: str | Path) -> dict[str, Any]:
    found = _read(folder, "evaluation.json")
    if found.get("version") != VERSION:
        raise ReportError(
            f"{folder}/evaluation.json has version {found.get('version')!r}, this code reads {VERSION}; evaluate again"
        )
    return found


def _read(folder: str | Path, name: str) -> dict[str, Any]:
    path = f"{folder}/{name}"
    try:
        found = json.loads(read_bytes(path))
    except StorageError as e:
        raise ReportError(f"{e}; name the folder of a trained model") from e
    except ValueError as e:
        raise ReportError(f"{path} is not JSON ({e}); open the version again, or train again") from e
    if not isinstance(found, dict):
        raise ReportError(f"{path} holds no JSON object; open the version again, or train again")
    return found
