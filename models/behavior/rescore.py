"""``python -m models.behavior.rescore``: a champion's figures on the test examples of a candidate."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from scipy import stats

from features.splits import SPLITS
from features.storage import StorageError
from models.behavior import metrics
from models.behavior.evaluation import MODEL, cut_stat
from models.behavior.silence import native_silence
from models.rescored import Change, Rescored, RescoreError, SliceChange, rescore_command

Floats = npt.NDArray[np.float64]

PREDICTIONS = "predictions.parquet"
_LEVEL = 0.95
_FEWEST = 20
"""Positives and negatives that a slice needs for its AUC to say anything."""


def compare(
    labels: npt.NDArray[np.int64],
    champion: npt.ArrayLike,
    candidate: npt.ArrayLike,
    by: Mapping[str, npt.NDArray[np.floating]],
) -> Rescored:
    """Compares the probabilities (N, C) that two models gave to the same N examples.

    The AUC's interval is DeLong's for paired curves, that of the log loss is normal, of the differences per example.

    Args:
        labels: int64 (N,).
        champion: float (N, C).
        candidate: float (N, C).
        by: stat -> float (N,), to cut in slices.

    Raises:
        MetricsError: predictions that cannot be measured.
    """
    y, theirs = metrics.check_predictions(labels, champion, "the champion's predictions")
    _, ours = metrics.check_predictions(labels, candidate, "the candidate's predictions")
    z = float(stats.norm.ppf((1 + _LEVEL) / 2))
    rows = np.arange(len(y))
    gap = np.log(np.maximum(theirs[rows, y], 1e-15)) - np.log(np.maximum(ours[rows, y], 1e-15))
    half = z * float(gap.std(ddof=1)) / np.sqrt(len(gap))
    found = {
        "auc": metrics.auc_with_interval(y, theirs).value,
        "log_loss": metrics.log_loss(y, theirs),
        "brier": metrics.brier(y, theirs),
        "ece": metrics.ece(y, theirs),
        "ece_equal_mass": metrics.ece(y, theirs, equal_mass=True),
    }
    changes = {
        "auc": Change(*metrics.auc_difference(y, ours, theirs)),
        "log_loss": Change(float(gap.mean()), float(gap.mean()) - half, float(gap.mean()) + half),
    }
    return Rescored(found, changes, tuple(_slices(y, theirs, ours, by)))


def _slices(
    y: npt.NDArray[np.int64], theirs: Floats, ours: Floats, by: Mapping[str, npt.NDArray[np.floating]]
) -> Iterator[SliceChange]:
    parts = [
        (f"{stat} {name}", rows)
        for stat, values in by.items()
        for name, rows in cut_stat(np.asarray(values, np.float64))
        if np.bincount(y[rows], minlength=theirs.shape[1]).min() >= _FEWEST
    ]
    level = 1 - (1 - _LEVEL) / max(len(parts), 1)
    for name, rows in parts:
        before, after = (metrics.auc_with_interval(y[rows], p[rows]).value for p in (theirs, ours))
        change = metrics.auc_difference(y[rows], ours[rows], theirs[rows], level)
        yield SliceChange(name, int(rows.sum()), before, after, Change(*change))


def rescore(champion: Path, candidate: Path, examples: str) -> Rescored:
    """Asks a champion about the test examples of a candidate and compares the two.

    Args:
        champion: folder of its version.
        candidate: folder of its version; what it predicted is in it.
        examples: the candidate's, coded by the champion's feature spec: of the same events, generator and window.

    Raises:
        RescoreError: the examples are not those that the candidate was judged on.
        DatasetError, PredictorError, MetricsError, StorageError: one line each.
    """
    from models.behavior.dataset import ExamplesFolder
    from models.behavior.layout import Layout, pack
    from models.behavior.predictor import Predictor

    told = _predictions(candidate)
    folder = ExamplesFolder.open(examples)
    predictor = Predictor.load(champion, folder.spec)
    layout = Layout.of(folder.spec)
    wanted = told.column("example_id").combine_chunks()
    labels = told.column("label").to_numpy()
    theirs = np.empty((len(wanted), predictor.classes), np.float32)
    by: dict[str, npt.NDArray[np.float32]] = {}
    missing = np.ones(len(wanted), np.bool_)
    for split in reversed(SPLITS):  # of another spec, an example may be in another split; as a rule all are in test
        if not missing.any():
            break
        part = folder.read(split)
        places = pc.index_in(wanted, part.example_id)
        here = places.is_valid().to_numpy(zero_copy_only=False) & missing
        rows = places.fill_null(0).to_numpy().astype(np.int64)[here]
        if (part.labels[rows] != labels[here]).any():
            raise RescoreError(
                f"{examples} has other labels than {candidate} was judged on; make the examples of the same events "
                "with the same generator"
            )
        theirs[here] = predictor.predict_packed(pack(part.coded, layout).take(rows))
        for name, values in part.stats.items():
            by.setdefault(name, np.full(len(wanted), np.nan, np.float32))[here] = values[rows]
        missing &= ~here
    if missing.any():
        raise RescoreError(
            f"{examples} lacks {int(missing.sum())} of the {len(wanted)} examples that {candidate} was judged on, the "
            f"first {wanted[int(missing.argmax())]}; make the examples of the same events, generator and window"
        )
    return compare(labels, theirs, _probabilities(told, predictor.classes), by)


def _predictions(candidate: Path) -> pa.Table:
    path = candidate / PREDICTIONS
    try:
        return pq.read_table(path)
    except FileNotFoundError as e:
        raise StorageError(f"{path} is missing, which training writes; train again") from e
    except (OSError, pa.ArrowInvalid) as e:
        raise RescoreError(f"{path} cannot be read ({' '.join(str(e).split())[:200]}); train again") from e


def _probabilities(told: pa.Table, classes: int) -> Floats:
    try:
        if classes == 2:
            positive = told.column(MODEL).to_numpy().astype(np.float64)
            return np.stack([1 - positive, positive], axis=1)
        return np.stack([told.column(f"{MODEL}_{label}").to_numpy() for label in range(classes)], axis=1)
    except KeyError as e:
        raise RescoreError(
            f"the candidate's {PREDICTIONS} is not about {classes} classes, as the champion is ({e}); the two answer "
            "different questions: publish one of them under another name"
        ) from e


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    return rescore_command("python -m models.behavior.rescore", _quietly, argv)


def _quietly(*given: Any) -> Rescored:
    with native_silence():
        import tensorflow as tf

        tf.config.list_logical_devices()
    return rescore(*given)


if __name__ == "__main__":
    sys.exit(main())
