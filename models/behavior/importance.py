"""Permutation importance: how much worse the predictions are when a group of features says nothing any more.

Breiman, "Random forests", Machine Learning 2001, section 10, for any model as by Fisher, Rudin and Dominici, "All
models are wrong, but many are useful", JMLR 2019: each example is given the group's values of another one drawn at
random, so that they keep their distribution and lose what they had to do with the label. Only the model that was
trained is looked at: what a group that is left out of training would cost is another question, and of two groups that
say the same neither is missed.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy import stats

from features.ragged import Ints, offsets_of, take_lists
from models.behavior import metrics
from models.behavior.feature_groups import FeatureGroup
from models.behavior.layout import Layout, Packed
from models.behavior.metrics import Floats

REPEATS = 5
_LEVEL = 0.95

Predict = Callable[[Packed], npt.NDArray[np.floating]]
"""Instances (N) to calibrated probabilities, (N, C)."""


def permutation_importance(
    packed: Packed,
    labels: npt.NDArray[np.int64],
    visitors: pa.Array,
    groups: Sequence[FeatureGroup],
    layout: Layout,
    predict: Predict,
    *,
    repeats: int = REPEATS,
    seed: int = 0,
    progress: Callable[[int, int, str], None] = lambda *_: None,
) -> dict[str, Any]:
    """Returns what permuting each group costs on some examples, ready for ``json.dumps``.

    The errors are those of the examples drawn and of the permutations together, clustered by visitor: influence values
    of the AUC (DeLong et al. 1988) and losses, their differences averaged over the repeats for every example and added
    up for every visitor.

    Args:
        packed: N instances of the test split.
        labels: int64 (N,).
        visitors: strings (N,), whose examples they are.
        groups: what to permute.
        layout: of the columns of ``packed``.
        predict: the model.
        repeats: permutations of each group.
        seed: of the permutations, which are the same for every group.
        progress: told how many groups are done, of how many, and the next.

    Returns:
        ``examples``, ``visitors``, ``repeats``, ``seed``, ``auc`` and ``log_loss`` (before), and ``groups``: for each
        of them its name, features and ``told_apart``, with ``auc_drop`` and ``log_loss_rise``, each with ``value``,
        ``standard_error``, ``low`` and ``high`` (95 %).

    Raises:
        MetricsError: the examples are of one class.
    """
    clusters = visitors.dictionary_encode().indices.to_numpy()
    random = np.random.default_rng([seed, len(packed)])
    orders = [random.permutation(len(packed)) for _ in range(repeats)]
    auc, influence, losses = _scores(labels, predict(packed))
    rows = []
    for done, group in enumerate(groups):
        progress(done, len(groups), group.name)
        parts = [permuted(packed, layout, group, order) for order in orders]
        found = np.split(predict(Packed.concatenate(parts)), repeats)
        scores = [_scores(labels, each) for each in found]
        drop = influence - np.mean([each for _, each, _ in scores], axis=0)
        rise = np.mean([each for _, _, each in scores], axis=0) - losses
        rows.append(
            {
                "name": group.name,
                "features": list(group.features),
                "told_apart": group.told_apart,
                "auc_drop": _estimate(auc - float(np.mean([each for each, _, _ in scores])), drop, clusters),
                "log_loss_rise": _estimate(float(rise.mean()), (rise - rise.mean()) / len(rise), clusters),
            }
        )
    progress(len(groups), len(groups), "")
    return {
        "examples": len(packed),
        "visitors": int(clusters.max()) + 1,
        "repeats": repeats,
        "seed": seed,
        "auc": auc,
        "log_loss": float(losses.mean()),
        "groups": rows,
    }


def choose(labels: npt.NDArray[np.int64], most: int, seed: int) -> Ints:
    """Returns the rows of at most about ``most`` examples, ascending: of each class the same share, rounded up."""
    random = np.random.default_rng([seed, len(labels)])
    share = min(1.0, most / len(labels))
    chosen = [
        random.choice(rows := np.flatnonzero(labels == label), int(np.ceil(share * len(rows))), replace=False)
        for label in np.unique(labels)
    ]
    return np.sort(np.concatenate(chosen))


def permuted(packed: Packed, layout: Layout, group: FeatureGroup, order: Ints) -> Packed:
    """Returns the instances with a group's values of others: instance i gets those of ``order[i]``.

    Steps are matched from the last one backwards, and one with fewer steps is gone through again. Lengths stay.

    Args:
        packed: N instances.
        layout: of its columns.
        group: what to replace.
        order: int64 (N,).
    """
    source = _sources(packed, order)
    hash_lengths, hash_values = packed.hash_lengths, packed.hash_values
    if group.buckets.any():
        hash_lengths, hash_values = _exchange_bits(packed, group.buckets, source)
    steps = _exchange(packed.steps, _places(layout.steps, group.steps), source)
    categories = _exchange(packed.categories, _places(layout.categories, group.metadata), order)
    numbers = _exchange(packed.numbers, _places(layout.numbers, group.metadata), order)
    return Packed(packed.lengths, hash_lengths, hash_values, steps, categories, numbers)


def _sources(packed: Packed, order: Ints) -> Ints:
    """Returns int64 (S,): the step whose values each step gets."""
    ends, lengths = packed.step_offsets[1:], packed.lengths.astype(np.int64)
    instance = np.repeat(np.arange(len(packed)), lengths)
    before_end = ends[instance] - 1 - np.arange(len(instance))
    source: Ints = ends[order][instance] - 1 - before_end % lengths[order][instance]
    return source


def _exchange_bits(
    packed: Packed, buckets: npt.NDArray[np.bool_], source: Ints
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Returns lengths and values of the bits: of each step those outside the group, and its source's in the group."""
    total = len(packed.hash_lengths)
    owner = np.repeat(np.arange(total), packed.hash_lengths)
    inside = buckets[packed.hash_values]
    offsets = offsets_of(np.bincount(owner[inside], minlength=total))
    given, lengths = take_lists(packed.hash_values[inside].astype(np.int64), offsets, source)
    owners = np.concatenate([owner[~inside], np.repeat(np.arange(total), lengths)])
    values = np.concatenate([packed.hash_values[~inside], given])
    order = np.lexsort((values, owners))
    return np.bincount(owners, minlength=total).astype(np.int32), values[order].astype(np.int32)


def _exchange(columns: npt.NDArray[Any], places: list[int], source: Ints) -> npt.NDArray[Any]:
    if not places:
        return columns
    made = columns.copy()
    made[:, places] = columns[source][:, places]
    return made


def _places(columns: Mapping[str, int] | Sequence[str], names: Sequence[str]) -> list[int]:
    return [place for place, name in enumerate(columns) if name in names]


def _scores(labels: npt.NDArray[np.int64], probabilities: npt.ArrayLike) -> tuple[float, Floats, Floats]:
    """Returns the AUC, what every example contributes to its error (N,), and every example's log loss (N,)."""
    y, p = metrics.check_predictions(labels, probabilities)
    auc, influence = metrics.auc_influence(y, p)
    return auc, influence, -np.log(np.maximum(p[np.arange(len(y)), y], np.finfo(np.float64).tiny))


def _estimate(value: float, influence: Floats, clusters: npt.NDArray[np.int32]) -> dict[str, float]:
    """Returns a value with its error: influences (N,) are added up by visitor, and their squares are the variance."""
    error = float(np.sqrt(np.sum(np.bincount(clusters, influence) ** 2)))
    half = float(stats.norm.ppf((1 + _LEVEL) / 2)) * error
    return {"value": value, "standard_error": error, "low": value - half, "high": value + half}
