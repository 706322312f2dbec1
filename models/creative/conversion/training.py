"""From examples, embeddings and a recogniser to a creative artifact: search, grow, calibrate, evaluate, golden set."""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import xgboost as xgb

from features.creative_spec import SPEC, Target
from features.fingerprinted import DATASET_CARD
from features.splits import SPLITS
from features.storage import StoragePath, write_folder_atomic
from models.artifact import DESCRIPTION_FILE, write_json, write_text
from models.checkpoint import check_new, identity_of
from models.creative.catalogue import write_catalogue
from models.creative.conversion import golden
from models.creative.conversion.calibration import choose_calibration
from models.creative.conversion.data import Split, TrainingData, read_data
from models.creative.conversion.ensemble import Ensemble
from models.creative.conversion.evaluation import evaluate, importance, overall
from models.creative.conversion.options import ConversionOptions
from models.creative.conversion.report import render_report
from models.creative.conversion.sameness import write_sameness
from models.creative.conversion.search import Found, SearchLimits, search
from models.creative.conversion.shelf import copy_recognizer, shelve
from models.creative.conversion.trees import Grower, Stopping, tree_options
from models.creative.predictor import CALIBRATION_FILE, FORMAT, TREES_FOLDER, CreativeModel
from models.progress import Progress

_NOT_SEARCHED = frozenset(
    {"targets", "trials", "search_seconds", "members", "confidence", "min_products", "work_dir", "resume"}
)


def train(options: ConversionOptions, progress: Progress = lambda *_: None) -> StoragePath:
    """Trains the trees of every target and writes the artifact, which appears as ``options.output``, whole or not.

    The searches lie in ``options.work_folder``; with ``options.resume`` a training that was killed goes on with them
    and ends with the same result, unless their time was over.

    Returns:
        The artifact's folder.

    Raises:
        TrainingError, OptionError, DatasetError, PredictorError, RecordError, StorageError: one line each; nothing is
            left behind but the work folder.
    """
    check_new(options.output)
    started = time.monotonic()
    data = read_data(options, progress)
    spec = data.folder.spec
    found: dict[str, Found] = {}
    ensembles: dict[str, Ensemble] = {}
    evaluations: dict[str, Any] = {}
    for target in data.targets:
        found[target.name], ensembles[target.name], evaluations[target.name] = _fit(options, data, target, progress)
    evaluation = {
        "metrics": overall(evaluations),
        "targets": evaluations,
        "recognizer": data.recognizer_evaluation,
        "simulated": data.simulated,
    }

    with write_folder_atomic(options.output) as staged:
        write_text(staged / SPEC, spec.to_json())
        write_json(staged / DATASET_CARD, data.folder.card)
        copy_recognizer(options.recognizer, staged)
        data.inputs.save(staged)
        for name, ensemble in ensembles.items():
            ensemble.trees.save(staged / TREES_FOLDER / name)
        write_json(staged / CALIBRATION_FILE, {name: e.calibration.to_dict() for name, e in ensembles.items()})
        write_json(staged / DESCRIPTION_FILE, _description(options, data, ensembles))
        write_json(staged / "evaluation.json", evaluation)
        model = CreativeModel.load(staged, spec)
        shelf = shelve(options, data, model, progress)
        write_catalogue(staged, shelf.catalogue)
        golden.write(staged, shelf.golden, model)
        write_sameness(staged, data, spec)
        card = _model_card(options, data, found, ensembles, evaluation, time.monotonic() - started)
        card["catalogue"] = {"products": len(shelf.catalogue), "left_out": shelf.left_out}
        write_json(staged / "model_card.json", card)
        write_text(staged / "report.html", render_report(evaluation, card, data.folder.card))
    for name in found:
        _study(options, name).unlink(missing_ok=True)
    return options.artifact


def _fit(
    options: ConversionOptions, data: TrainingData, target: Target, progress: Progress
) -> tuple[Found, Ensemble, dict[str, Any]]:
    """Returns the best options of a target, its model, and how good that is."""
    parts = {split: data.splits[split].of(target) for split in SPLITS}
    counts = {split: _counts(part, target, data) for split, part in parts.items()}
    train, validation, test = (counts[split] for split in SPLITS)
    seed = options.seed + 1000 * [one.name for one in data.folder.spec.targets].index(target.name)
    grower = Grower(train, validation, Stopping(options.rounds, options.patience), seed, options.threads)
    best = _search(options, data, target, grower, seed, progress)
    progress(f"grow {target.name}", 0, 1, f"{best.rounds} trees")
    trees = grower.members(best.options, best.rounds, options.members)
    progress(f"grow {target.name}", 1, 1, f"{best.rounds} trees")
    calibration = choose_calibration(
        trees.answer(validation.matrix), validation.count, validation.among, validation.product, seed
    )
    ensemble = Ensemble(trees, calibration, options.confidence)
    rows = parts["test"].rows
    evaluation = evaluate(
        test, ensemble.estimate(test.matrix), rows, rows.truth(target), train.rate, data.folder.spec.variant_names
    )
    evaluation["importance"] = importance(ensemble, test, data.inputs.columns, seed)
    evaluation["less_is_better"] = target.less_is_better
    return best, ensemble, evaluation


def _counts(part: Split, target: Target, data: TrainingData) -> Any:
    return part.rows.counts(target, part.matrix, data.inputs.kinds)


def _search(
    options: ConversionOptions, data: TrainingData, target: Target, grower: Grower, seed: int, progress: Progress
) -> Found:
    start = tree_options(options.to_dict())
    if not options.trials:
        loss, rounds = grower.judge(start)
        return Found(start, rounds, loss, loss, 0, True)
    kept = {name: value for name, value in identity_of(options, data.folder.card).items() if name not in _NOT_SEARCHED}
    digest = hashlib.sha256()
    for part in (grower.train, grower.validation):
        digest.update(part.matrix.tobytes() + part.count.tobytes() + part.among.tobytes())
    path = _study(options, target.name)
    if not options.resume:
        path.unlink(missing_ok=True)
    limits = SearchLimits(options.trials, options.search_seconds)
    identity = {**kept, "seed": str(seed), "rows": digest.hexdigest()[:16]}
    return search(grower, start, limits, path, identity, progress)


def _study(options: ConversionOptions, target: str) -> Path:
    return Path(options.work_folder) / f"{target}.db"


def _description(options: ConversionOptions, data: TrainingData, ensembles: Mapping[str, Ensemble]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "xgboost": version("xgboost-cpu"),
        "fingerprint": data.folder.spec.fingerprint,
        "recognizer": data.recognizer_digest,
        "confidence": options.confidence,
        "targets": {
            name: {
                "members": len(one.trees),
                "rounds": one.trees.rounds,
                "less_is_better": data.folder.spec.target(name).less_is_better,
            }
            for name, one in ensembles.items()
        },
    }


def _model_card(
    options: ConversionOptions,
    data: TrainingData,
    found: Mapping[str, Found],
    ensembles: Mapping[str, Ensemble],
    evaluation: Mapping[str, Any],
    seconds: float,
) -> dict[str, Any]:
    """Returns what the model is, where it comes from and how good it is."""
    ceilings = {
        name: part["truth"]["ceiling_accuracy"] for name, part in evaluation["targets"].items() if "truth" in part
    }
    return {
        "family": "creative",
        "part": "conversion",
        "code_version": version("augury"),
        "fingerprint": data.folder.spec.fingerprint,
        "simulated": data.simulated,
        "noise_ceiling": {f"{name}.accuracy": value for name, value in ceilings.items()} if data.simulated else None,
        "examples": options.examples,
        "recognizer": {"digest": data.recognizer_digest, **(data.recognizer_evaluation or {}).get("metrics", {})},
        "arguments": options.to_dict(),
        "vector": {"name": data.inputs.vector, "numbers": data.inputs.width, "seen": data.inputs.seen},
        "categories": {name: len(values) for name, values in data.inputs.categories.items()},
        "rare_categories_left_out": data.rare,
        "not_recorded": data.not_recorded,
        "unseen_in_test": data.splits["test"].unseen,
        "search": {name: asdict(one) for name, one in found.items()},
        "calibration": {
            name: {"kind": one.calibration.kind, "reason": one.calibration.reason} for name, one in ensembles.items()
        },
        "metrics": evaluation["metrics"],
        "xgboost": xgb.__version__,
        "numpy": np.__version__,
        "seconds": round(seconds, 1),
    }
