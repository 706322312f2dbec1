"""Matrix scaling: a last linear layer on the logits that makes predicted probabilities come true.

Guo et al., "On calibration of modern neural networks", ICML 2017, section 4.2: probabilities are
softmax(W z + b) of the logits z, with W (C, C) and b (C,) fitted to the log loss of held-out examples. Here W is held
to the identity by an L2 penalty, b starts where the mean prediction equals the rate of every class (which alone undoes
class weights), and the result is used only if examples that the fit never saw say that it helps.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from features.errors import AuguryError
from models.behavior.metrics import ece

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


class CalibrationError(AuguryError, ValueError):
    """Options, logits or a stored calibrator that cannot be used."""


@dataclass(frozen=True)
class ScalingOptions:
    """How to fit matrix scaling.

    Attributes:
        iterations: most steps of gradient descent; it stops earlier where nothing moves any more.
        learning_rate: of the first step, in (0, 2); 1 is the largest that cannot overshoot.
        decay: the learning rate of step t is ``learning_rate / (1 + decay * t)``.
        l2: strength of the pull of W towards the identity, as the number of examples that would weigh as much.
        fit_share: share of the examples to fit on; the others judge.
        standard_errors: by how many standard errors the log loss must fall on the judging examples.
        seed: of the split into fitting and judging examples.
    """

    iterations: int = 1000
    learning_rate: float = 1.5
    decay: float = 0.01
    l2: float = 10.0
    fit_share: float = 0.5
    standard_errors: float = 1.5
    seed: int = 0

    def __post_init__(self) -> None:
        allowed = {
            "iterations": (self.iterations >= 1, "at least 1"),
            "learning_rate": (0 < self.learning_rate < 2, "above 0 and below 2"),
            "decay": (self.decay >= 0, "0 or more"),
            "l2": (self.l2 > 0, "above 0"),
            "fit_share": (0 < self.fit_share < 1, "above 0 and below 1"),
            "standard_errors": (self.standard_errors >= 0, "0 or more"),
        }
        for name, (good, expected) in allowed.items():
            if not good:
                raise CalibrationError(f"calibration option {name} is {getattr(self, name)}; expected {expected}")


@dataclass(frozen=True, eq=False)
class MatrixScaling:
    """A calibrator, and what the judging examples said about it.

    Attributes:
        weight: float32 (C, C); the identity where the fit was not kept.
        bias: float32 (C,); zero where the fit was not kept.
        kept: whether the fit is used.
        reason: why it is used or not, in one sentence.
        ece_before, log_loss_before: of the bare softmax, on the judging examples (NaN: there were none to judge).
        ece_after, log_loss_after: of the calibrator as it stands, so equal to ``before`` where the fit was not kept.
        ece_fitted, log_loss_fitted: of the fit, kept or not.
        history: one row per recorded step: step, learning_rate, fit_log_loss, judge_log_loss.
    """

    weight: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]
    kept: bool
    reason: str
    ece_before: float
    ece_after: float
    ece_fitted: float
    log_loss_before: float
    log_loss_after: float
    log_loss_fitted: float
    history: tuple[Mapping[str, float], ...] = ()

    def apply(self, logits: npt.ArrayLike) -> Floats:
        """Returns softmax(logits @ weight.T + bias), float64 (N, C), for logits (N, C)."""
        return _softmax(np.asarray(logits, np.float64) @ self.weight.T.astype(np.float64) + self.bias)

    def to_json(self) -> str:
        """Returns canonical JSON; float32 values survive the round trip exactly, NaN is null."""
        found = asdict(self) | {"weight": self.weight.tolist(), "bias": self.bias.tolist(), "history": self.history}
        clean = {key: None if value != value else value for key, value in found.items()}
        return json.dumps(clean, sort_keys=True, indent=1, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "MatrixScaling":
        """Reads what ``to_json`` wrote.

        Raises:
            CalibrationError: not JSON, other keys, or shapes that do not fit.
        """
        try:
            found: dict[str, Any] = json.loads(text)
        except ValueError as error:
            raise CalibrationError(
                f"calibration is not JSON ({error}); take the artifact's calibration.json"
            ) from error
        names = {field.name for field in fields(cls)}
        if not isinstance(found, dict) or found.keys() != names:
            raise CalibrationError(f"calibration has keys {sorted(found)}; expected {sorted(names)}")
        weight, bias = np.array(found["weight"], np.float32), np.array(found["bias"], np.float32)
        if weight.shape != (len(bias), len(bias)):
            raise CalibrationError(
                f"calibration has weight {weight.shape} and bias {bias.shape}; expected (C, C), (C,)"
            )
        found = {key: float("nan") if value is None else value for key, value in found.items()}
        return cls(**found | {"weight": weight, "bias": bias, "history": tuple(found["history"])})


def fit_matrix_scaling(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    options: ScalingOptions | None = None,
    groups: npt.ArrayLike | None = None,
) -> MatrixScaling:
    """Fits matrix scaling on one part of the examples and keeps it if the other part says that it helps.

    The parts are drawn at random within every class. The fit is kept where, on the judging part, (1) the log loss is
    lower by at least ``standard_errors`` standard errors of the paired difference per example, and (2) the ECE is
    not higher. Log loss leads because the binned ECE of a few hundred examples is mostly noise, and because
    without a margin chance alone would swap a calibrated model for a slightly worse one half of the time. Where a class
    has fewer than two examples, nothing is fitted.

    Args:
        logits: float (N, C), C >= 2, before the softmax.
        labels: int (N,), 0 to C - 1.
        options: how to fit.
        groups: int (N,) whose examples they are. The parts then share nobody, and the standard error is that of sums
            over groups (cluster-robust), since the examples of one visitor say much the same; by default all are apart.

    Raises:
        CalibrationError: shapes that do not fit, no examples, labels out of range, logits that are not finite.
    """
    options = options or ScalingOptions()
    z, y = _checked(logits, labels)
    classes = z.shape[1]
    g = np.arange(len(y)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    fit, judge = _split(y, options, classes) if groups is None else _split_groups(y, g, options, classes)
    if not len(fit):
        return _identity(z, y, "not kept: every class needs at least two validation examples")
    weight, bias, history = _descend(z[fit], y[fit], z[judge], y[judge], options)
    bare, fitted = _softmax(z[judge]), _softmax(z[judge] @ weight.T.astype(np.float64) + bias)
    loss_before, loss_fitted = _losses(bare, y[judge]), _losses(fitted, y[judge])
    fall = loss_before - loss_fitted
    error = np.sqrt((np.bincount(g[judge], fall - fall.mean()) ** 2).sum()) / len(fall)
    margin = options.standard_errors * float(error)
    ece_before, ece_fitted = ece(y[judge], bare), ece(y[judge], fitted)
    kept = bool(fall.mean() > margin and ece_fitted <= ece_before)
    reason = (
        f"{'kept' if kept else 'not kept'}: on {len(judge):,} examples that the fit did not see, log loss went from "
        f"{loss_before.mean():.5f} to {loss_fitted.mean():.5f} (a fall above {margin:.5f} was needed) and ECE from "
        f"{ece_before:.4f} to {ece_fitted:.4f} (no rise was allowed)"
    )
    before, after = float(loss_before.mean()), float(loss_fitted.mean())
    return MatrixScaling(
        weight=weight if kept else np.eye(classes, dtype=np.float32),
        bias=bias if kept else np.zeros(classes, np.float32),
        kept=kept,
        reason=reason,
        ece_before=ece_before,
        ece_after=ece_fitted if kept else ece_before,
        ece_fitted=ece_fitted,
        log_loss_before=before,
        log_loss_after=after if kept else before,
        log_loss_fitted=after,
        history=history,
    )


def _checked(logits: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[Floats, Labels]:
    z, y = np.asarray(logits, np.float64), np.asarray(labels)
    if z.ndim != 2 or y.ndim != 1 or len(z) != len(y) or z.shape[1] < 2:
        raise CalibrationError(f"logits {z.shape} and labels {y.shape}; expected (N, C) and (N,), C >= 2")
    if not len(z):
        raise CalibrationError("no examples to calibrate on; check that the validation split is not empty")
    if not np.isfinite(z).all():
        raise CalibrationError(
            f"{(~np.isfinite(z)).any(axis=1).sum()} of {len(z)} logits are not finite; check training"
        )
    if y.dtype.kind not in "iub" or y.min() < 0 or y.max() >= z.shape[1]:
        raise CalibrationError(f"labels from {y.min()} to {y.max()} ({y.dtype}); expected 0 to {z.shape[1] - 1}")
    return z, y.astype(np.int64)


def _split(y: Labels, options: ScalingOptions, classes: int) -> tuple[Labels, Labels]:
    """Returns the rows to fit and to judge on, each in order and with every class; both empty where that cannot be."""
    rng = np.random.default_rng(options.seed)
    fit, judge = [], []
    for k in range(classes):
        rows = rng.permutation(np.flatnonzero(y == k))
        if len(rows) < 2:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        cut = min(max(round(len(rows) * options.fit_share), 1), len(rows) - 1)
        fit.append(rows[:cut])
        judge.append(rows[cut:])
    return np.sort(np.concatenate(fit)), np.sort(np.concatenate(judge))


def _split_groups(y: Labels, g: Labels, options: ScalingOptions, classes: int) -> tuple[Labels, Labels]:
    """Returns the rows to fit and to judge on, no group in both; both empty where a part would lack a class."""
    order = np.random.default_rng(options.seed).permutation(g.max() + 1)
    fitted = np.zeros(len(order), np.bool_)
    fitted[order[: round(len(order) * options.fit_share)]] = True
    fit, judge = np.flatnonzero(fitted[g]), np.flatnonzero(~fitted[g])
    if any(len(np.unique(y[part])) < classes for part in (fit, judge)):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    return fit, judge


def _descend(
    z: Floats, y: Labels, judge_z: Floats, judge_y: Labels, options: ScalingOptions
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], tuple[Mapping[str, float], ...]]:
    """Minimises mean log loss + l2 / (2 N) * |W - I|^2 by gradient descent with a decaying learning rate.

    Steps are measured in the metric of the bound that half the second moments of (z, 1) put on the curvature of softmax
    regression (Boehning, "Multinomial logistic regression algorithm", 1992): a learning rate of at most 1 never
    overshoots, whatever the scale of the logits, so nothing is left to tune.
    """
    n, classes = z.shape
    # Softmax ignores what is common to a row. Without it W has no free direction, and is the same for any offset.
    centring = np.eye(classes) - 1 / classes
    x = np.c_[z @ centring, np.ones(n)]  # (N, C + 1)
    truth = np.eye(classes)[y]
    pull = options.l2 / n * np.r_[np.ones(classes), 0.0]  # none on the bias
    metric = np.linalg.inv(x.T @ x / (2 * n) + np.diag(pull))
    start = np.c_[np.eye(classes), _rate_matching_bias(z, truth.mean(axis=0))]
    theta, history = start.copy(), []

    def finish() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        weight = np.eye(classes) + (theta[:, :-1] - np.eye(classes)) @ centring
        return weight.astype(np.float32), (theta[:, -1] - theta[:, -1].mean()).astype(np.float32)

    for step in range(options.iterations):
        rate = options.learning_rate / (1 + options.decay * step)
        p = _softmax(x @ theta.T)
        move = ((p - truth).T @ x / n + (theta - start) * pull) @ metric
        still = float(np.abs(move).max()) < 1e-7
        if step % 10 == 0 or still or step == options.iterations - 1:
            weight, bias = finish()
            judged = _softmax(judge_z @ weight.T.astype(np.float64) + bias)
            row = {"step": step, "learning_rate": rate, "fit_log_loss": float(_losses(p, y).mean())}
            history.append(row | {"judge_log_loss": float(_losses(judged, judge_y).mean())})
        if still:
            break
        theta = theta - rate * move
    return *finish(), tuple(history)


def _rate_matching_bias(z: Floats, rates: Floats) -> Floats:
    """Returns the bias with which the mean prediction comes to ``rates`` (a few rounds of the usual fixed point)."""
    bias = np.zeros(z.shape[1])
    for _ in range(20):
        bias += np.log(rates) - np.log(np.maximum(_softmax(z + bias).mean(axis=0), 1e-12))
    return bias


def _identity(z: Floats, y: Labels, reason: str) -> MatrixScaling:
    loss, nan = float(_losses(_softmax(z), y).mean()), float("nan")
    eye, zero = np.eye(z.shape[1], dtype=np.float32), np.zeros(z.shape[1], np.float32)
    return MatrixScaling(eye, zero, False, reason, nan, nan, nan, loss, loss, nan)


def _softmax(z: Floats) -> Floats:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def _losses(p: Floats, y: Labels) -> Floats:
    return np.asarray(-np.log(np.maximum(p[np.arange(len(y)), y], np.finfo(np.float64).tiny)))
