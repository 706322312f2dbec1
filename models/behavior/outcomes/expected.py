"""What calibrated probabilities alone say of how good they are, before any answer is in.

If predictions are calibrated, example i is positive with probability p_i, so that the expectation of every figure can
be computed from the scores. This is the idea of confidence-based performance estimation (CBPE), as NannyML's
documentation describes it under "How it works / Performance estimation" (https://nannyml.readthedocs.io); the formulas
here are derived anew, with the spread that chance gives the figure besides:

- A figure that is a mean over examples (rate, log loss, Brier score, rate of the top tenth) is linear in the labels
  y, ``F = sum_i (a_i + g_i y_i)``: its expectation puts p for y.
- AUC is a ratio, ``A = sum_ij y_i (1 - y_j) c_ij / (sum_i y_i * sum_j (1 - y_j))`` with ``c_ij`` 1 where i scores
  above j and a half where they tie. Its expectation is taken as the ratio of expectations over pairs of different
  examples, which is off by the order of one over the number of examples. Around it A is nearly linear in y, with
  ``g_i = (F0_i - A) / P - (1 - F1_i - A) / N``: P and N are the expected positives and negatives, F0_i and F1_i the
  share of them that score below i.

The variance of ``sum g_i y_i`` takes examples of different visitors to be independent, and those of one visitor to
depend on one another as strongly as their probabilities allow (comonotone: y_i = 1 where one uniform number of the
visitor is below p_i), since a visitor's predictions are often about one and the same outcome. The interval is normal.

None of it notices that the probabilities are wrong: that is what the answers are for, and what the alarm compares.
"""

import numpy as np
import numpy.typing as npt
from scipy import stats

from models.behavior.metrics import Bools, Floats, Interval, MetricsError, roc_auc_influence

Ints = npt.NDArray[np.int64]

TOP = 0.1
_SMALLEST = 1e-7  # float32 probabilities may be 0 or 1, whose logarithm is not finite


def expected_figures(scores: Floats, visitors: Ints, level: float) -> dict[str, Interval]:
    """Returns auc, positive_rate, log_loss, brier and top_10_rate as calibrated scores promise them.

    Args:
        scores: float64 (N,), 0 to 1.
        visitors: int64 (N,) number of each example's visitor.
        level: share of the cases in which the figure is to lie in its interval, if the scores are calibrated.

    Raises:
        MetricsError: no scores.
    """
    if not len(scores):
        raise MetricsError("no predictions to expect anything of; check that the week is not empty")
    n = len(scores)
    safe = np.clip(scores, _SMALLEST, 1 - _SMALLEST)
    weight = top_weights(scores, TOP)
    found = {
        "positive_rate": (float(scores.mean()), np.full(n, 1 / n)),
        "log_loss": (
            float(-np.mean(scores * np.log(safe) + (1 - scores) * np.log(1 - safe))),
            (np.log(1 - safe) - np.log(safe)) / n,
        ),
        "brier": (float(np.mean(scores * (1 - scores))), (1 - 2 * scores) / n),
        "top_10_rate": (float(weight @ scores), weight),
    }
    auc = expected_auc(scores)
    if auc is not None:
        found["auc"] = (auc, _auc_gradient(scores, auc))
    promised = {name: _interval(value, spread(scores, g, visitors), level) for name, (value, g) in found.items()}
    most = {name: np.inf if name == "log_loss" else 1.0 for name in promised}
    return {name: Interval(p.value, max(p.low, 0.0), min(p.high, most[name])) for name, p in promised.items()}


def expected_auc(scores: Floats) -> float | None:
    """Returns the AUC that calibrated scores (N,) promise; None where no positive or no negative is expected."""
    positives, negatives = float(scores.sum()), float((1 - scores).sum())
    same = float(np.sum(scores * (1 - scores)))  # an example is no pair with itself
    pairs = positives * negatives - same
    if min(positives, negatives) <= 0 or pairs <= 0:
        return None
    below = _below(scores, 1 - scores)
    return float((scores @ below - same / 2) / pairs)


def clustered_auc(positive: Bools, scores: Floats, visitors: Ints, level: float = 0.95) -> Interval:
    """Returns the AUC with DeLong's interval, in which a visitor's examples count as one opinion.

    Obuchowski, "Nonparametric analysis of clustered ROC curve data", Biometrics 1997: what the examples of a visitor
    contribute to the error is added up before it is squared.

    Raises:
        MetricsError: only positives, or only negatives.
    """
    value, influence = roc_auc_influence(positive, scores)
    each = np.bincount(np.unique(visitors, return_inverse=True)[1], influence)
    found = _interval(value, float(np.sqrt(np.sum(each**2))), level)
    return Interval(found.value, max(found.low, 0.0), min(found.high, 1.0))


def spread(scores: Floats, gradient: Floats, visitors: Ints) -> float:
    """Returns the standard deviation of ``sum_i gradient_i y_i``, as the module says.

    For one visitor with p_1 >= p_2 >= ..., ``sum_m G_m^2 (p_m - p_{m+1}) - (sum_i g_i p_i)^2`` with G_m the sum of the
    first m gradients and nothing after the last.
    """
    order = np.lexsort((-scores, visitors))
    p, g, who = scores[order], gradient[order], visitors[order]
    first = np.diff(who, prepend=who[0] - 1) != 0
    group = np.cumsum(first) - 1
    running = np.cumsum(g)
    before = (running - g)[first][group]
    after = np.where(np.append(first[1:], True), 0.0, np.append(p[1:], 0.0))
    squares = np.bincount(group, (running - before) ** 2 * (p - after))
    means = np.bincount(group, g * p)
    return float(np.sqrt(max(np.sum(squares - means**2), 0.0)))


def top_weights(scores: Floats, top: float) -> Floats:
    """Returns how much each example counts in the mean over the ``top`` share by score, float64 (N,), sum 1.

    Examples tied across the border share what is left of it evenly.
    """
    size = top * len(scores)
    _, group, counts = np.unique(-scores, return_inverse=True, return_counts=True)
    before = np.cumsum(counts) - counts
    share = np.clip((size - before) / counts, 0, 1)
    return np.asarray(share[group] / size)


def _auc_gradient(scores: Floats, auc: float) -> Floats:
    positives, negatives = float(scores.sum()), float((1 - scores).sum())
    beats = _below(scores, 1 - scores) / negatives
    loses = _below(scores, scores) / positives
    return np.asarray((beats - auc) / positives - (1 - loses - auc) / negatives)


def _below(scores: Floats, weights: Floats) -> Floats:
    """Returns the weight of the examples that score below each, and half of that of those that tie with it."""
    _, group = np.unique(scores, return_inverse=True)
    held = np.bincount(group, weights)
    return np.asarray((np.cumsum(held) - held / 2)[group])


def _interval(value: float, deviation: float, level: float) -> Interval:
    half = float(stats.norm.ppf((1 + level) / 2)) * deviation
    return Interval(value, value - half, value + half)
