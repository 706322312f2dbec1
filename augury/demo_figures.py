"""What the demo says of a model: its figures beside the baselines', and beside the truth where that is known."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from augury.commands import screen
from features.errors import AuguryError
from models.behavior import metrics

Floats = npt.NDArray[np.float64]

TRUTH = "truth"
NAMES = {TRUTH: "truth", "model": "model", "trees": "boosted trees", "base_rate": "base rate"}


class TruthError(AuguryError, ValueError):
    """Predictions whose truth is not in the simulation."""


def measure(artifact: Path, truth: pa.Table | None) -> dict[str, dict[str, float]]:
    """Returns name -> figures of the predictions on the test split: auc, auc_low, auc_high, log_loss, ece, distance.

    Args:
        artifact: what training wrote; its ``predictions.parquet`` is read.
        truth: anonymous_id, time_us, probability of every instance; None where nobody knows.

    Raises:
        TruthError: a prediction is about an instance that the truth does not have.
    """
    table = pq.read_table(artifact / "predictions.parquet")
    labels = table.column("label").to_numpy()
    found: dict[str, Floats] = {} if truth is None else {TRUTH: true_probabilities(table, truth)}
    found |= {name: np.asarray(table.column(name), np.float64) for name in NAMES if name in table.column_names}
    return {name: _figures(labels, p, found.get(TRUTH)) for name, p in found.items()}


def true_probabilities(predictions: pa.Table, truth: pa.Table) -> Floats:
    """Returns float64 (N,): the true probability of the instance of each row of ``predictions``.

    Raises:
        TruthError: an instance is not in the truth.
    """
    asked = predictions.select(["visitor", "time_us"]).append_column("row", pa.array(np.arange(predictions.num_rows)))
    known = pa.table(
        {
            "visitor": truth.column("anonymous_id").cast(asked.schema.field("visitor").type),
            "time_us": truth.column("time_us"),
            "probability": truth.column("probability"),
        }
    )
    joined = asked.join(known, ["visitor", "time_us"], join_type="inner").sort_by("row")
    if joined.num_rows != predictions.num_rows:
        raise TruthError(
            f"{predictions.num_rows - joined.num_rows} of {predictions.num_rows} test instances are not in the truth; "
            "were the examples made of this simulation?"
        )
    return np.asarray(joined.column("probability"), np.float64)


def show_figures(figures: Mapping[str, Mapping[str, float]]) -> None:
    """Prints the figures of all predictions, one a row."""
    known = TRUTH in figures
    columns = ["predictions", "AUC", "95 % interval", "log loss", "ECE", *(["distance"] if known else [])]
    rows = [
        (
            NAMES[name],
            own["auc"],
            f"{own['auc_low']:.3f} to {own['auc_high']:.3f}",
            own["log_loss"],
            own["ece"],
            *([own["distance"]] if known else []),
        )
        for name, own in figures.items()
    ]
    screen.table("On the test split", columns, rows, right=range(1, len(columns)))
    if known:
        screen.line("distance: mean distance to the true probability")


def calibration_of(artifact: Path) -> dict[str, Any]:
    """Returns what ``calibration.json`` says of the calibrator: whether it was kept, ECE before and after."""
    found: dict[str, Any] = json.loads((artifact / "calibration.json").read_text(encoding="utf-8"))
    return found


def _figures(labels: npt.NDArray[np.int64], probability: Floats, truth: Floats | None) -> dict[str, float]:
    both = np.stack([1 - probability, probability], axis=1)
    auc = metrics.auc_with_interval(labels, both)
    figures = {
        "auc": auc.value,
        "auc_low": auc.low,
        "auc_high": auc.high,
        "log_loss": metrics.log_loss(labels, both),
        "ece": metrics.ece(labels, both),
    }
    return figures if truth is None else figures | {"distance": float(np.abs(probability - truth).mean())}
