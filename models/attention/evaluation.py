"""Evaluation: every metric of a model and of what stands beside it, by set and by kind of content, as plain JSON."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from models.attention import metrics
from models.attention.baselines import Consistency
from models.attention.metrics import Floats, MetricsError, Values

VERSION = 1
MODEL = "model"
"""The name of the maps that are judged; all others stand beside them."""

CENTRE_PRIOR = "centre_prior"
"""The name of the maps that IG is counted from."""

PEOPLE = "people"
"""The name of the human consistency among the figures."""

METRICS = ("nss", "auc", "auc_judd", "auc_borji", "auc_shuffled", "cc", "sim", "kld", "information_gain")
HIGH_IS_GOOD = {name: name != "kld" for name in METRICS}

_DRAWS = 1000
_LEVEL = 0.95


@dataclass(frozen=True)
class Case:
    """One image to judge maps on.

    Attributes:
        image: its name.
        x: float (N,), fixations in pixels of the maps.
        y: float (N,), likewise.
        truth: the density of the fixations, (H, W).
        maps: name -> attention map (H, W); ``"model"`` is judged, ``"centre_prior"`` is what IG is counted from.
        set: the data set it comes from.
        kind: of content, "page" or "photo" say; "" where unknown.
        people: how well people predict each other here, where it was measured.
    """

    image: str
    x: npt.ArrayLike
    y: npt.ArrayLike
    truth: npt.ArrayLike
    maps: Mapping[str, npt.ArrayLike]
    set: str = ""
    kind: str = ""
    people: Consistency | None = None


@dataclass(frozen=True)
class OtherFixations:
    """The fixations of all images of a split, from which sAUC takes those of the others.

    Attributes:
        images: image -> (x, y, width, height): fixations (N,) in pixels, and the size of the image they are in.
    """

    images: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike, int, int]] = field(default_factory=dict)

    def without(self, image: str, width: int, height: int) -> tuple[Floats, Floats]:
        """Returns x and y of all images but one, scaled to ``width`` x ``height`` pixels."""
        scaled = [
            np.stack([np.asarray(x, np.float64) * (width / wide), np.asarray(y, np.float64) * (height / high)])
            for name, (x, y, wide, high) in self.images.items()
            if name != image
        ]
        found = np.concatenate(scaled, axis=1) if scaled else np.empty((2, 0))
        # Rounding may push a point on the far edge just over it.
        top = np.nextafter([[float(width)], [float(height)]], 0)
        x, y = np.minimum(found, top)
        return x, y


class _Row(NamedTuple):
    case: Case
    size: tuple[int, int]
    scores: dict[str, dict[str, float]]


def evaluate(
    cases: Iterable[Case],
    others: OtherFixations | None = None,
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """Returns all figures, ready for ``json.dumps(..., allow_nan=False)``; cases are read once, one at a time.

    Args:
        cases: the images; all must hold the same names of maps, ``"model"`` among them.
        others: for sAUC, which is left out without.
        seed: of the intervals and of AUC-Borji.

    Returns:
        ``metrics`` (the model's flat figures, for gates and the model card), ``figures`` (name -> metric -> value, low,
        high, images: the mean over images with a 95 % bootstrap interval), ``differences`` (the model minus each of the
        others, paired by image), ``groups`` (by set and by kind of content) and ``images`` (every image's own figures).

    Raises:
        MetricsError: no case, no model, names of maps that differ, or maps and fixations that cannot be measured.
    """
    rows: list[_Row] = []
    for case in cases:
        if MODEL not in case.maps:
            raise MetricsError(f"{case.image}: maps {sorted(case.maps)} lack {MODEL!r}, the one that is judged")
        if rows and rows[0].case.maps.keys() != case.maps.keys():
            raise MetricsError(
                f"{case.image}: maps {sorted(case.maps)} where {rows[0].case.image} has {sorted(rows[0].case.maps)}"
            )
        rows.append(_score(case, others, seed))
    if not rows:
        raise MetricsError("no images to evaluate; check that the split is not empty")
    rng = np.random.default_rng(seed)
    names = [*rows[0].case.maps, *([PEOPLE] if any(PEOPLE in row.scores for row in rows) else [])]
    figures = {name: dict(_means(rows, name, rng)) for name in names}
    return {
        "version": VERSION,
        "images_judged": len(rows),
        "fixations": sum(len(np.asarray(row.case.x)) for row in rows),
        "metrics": {metric: found["value"] for metric, found in figures[MODEL].items()},
        "figures": figures,
        "differences": {name: dict(_differences(rows, name, rng)) for name in names if name not in (MODEL, PEOPLE)},
        "groups": [*_groups(rows, "set", names, rng), *_groups(rows, "kind", names, rng)],
        "images": [
            {
                "image": row.case.image,
                "set": row.case.set,
                "kind": row.case.kind,
                "width": row.size[1],
                "height": row.size[0],
                "scores": row.scores,
            }
            for row in rows
        ],
    }


def score(
    attention: npt.ArrayLike,
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    truth: npt.ArrayLike,
    *,
    prior: npt.ArrayLike | None = None,
    other: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """Returns every metric of one map; IG only with a ``prior``, sAUC only with ``other`` fixations (x, y).

    For IG a map with negative values counts from its minimum.
    """
    values = metrics.check_map(attention)
    found = {
        "nss": metrics.nss(values, x, y),
        "auc": metrics.auc(values, x, y),
        "auc_judd": metrics.auc_judd(values, x, y),
        "auc_borji": metrics.auc_borji(values, x, y, seed=seed),
        "cc": metrics.cc(values, truth),
        "sim": metrics.sim(values, truth),
        "kld": metrics.kld(values, truth),
    }
    if other is not None and len(np.asarray(other[0])):
        found["auc_shuffled"] = metrics.auc_shuffled(values, x, y, *other)
    if prior is not None:
        mass = values if values.min() >= 0 else values - values.min()
        found["information_gain"] = metrics.information_gain(mass, prior, x, y)
    return found


def worst_and_best(evaluation: Mapping[str, Any], count: int, metric: str = "cc") -> tuple[list[str], list[str]]:
    """Returns the names of the ``count`` images with the worst and with the best figures of the model, each first."""
    rows = evaluation["images"]
    ordered = sorted(rows, key=lambda row: row["scores"][MODEL][metric] * (1 if HIGH_IS_GOOD[metric] else -1))
    names = [str(row["image"]) for row in ordered]
    return names[:count], names[::-1][:count]


def _score(case: Case, others: OtherFixations | None, seed: int) -> _Row:
    maps: dict[str, Values] = {name: metrics.check_map(each) for name, each in case.maps.items()}
    height, width = maps[MODEL].shape
    other = None if others is None else others.without(case.image, width, height)
    scores = {}
    for name, each in maps.items():
        try:
            prior = maps.get(CENTRE_PRIOR)
            scores[name] = score(each, case.x, case.y, case.truth, prior=prior, other=other, seed=seed)
        except MetricsError as e:
            raise MetricsError(f"{case.image}, {name}: {e}") from e
    if case.people is not None:
        scores[PEOPLE] = {"nss": case.people.nss, "auc": case.people.auc, "cc": case.people.cc}
    bare = Case(case.image, case.x, case.y, (), dict.fromkeys(maps, ()), case.set, case.kind)
    return _Row(bare, (height, width), scores)


def _column(rows: Sequence[_Row], name: str, metric: str) -> Floats:
    return np.array([row.scores[name][metric] for row in rows if metric in row.scores.get(name, {})], np.float64)


def _means(rows: Sequence[_Row], name: str, rng: np.random.Generator) -> Iterator[tuple[str, dict[str, float]]]:
    for metric in METRICS:
        values = _column(rows, name, metric)
        if len(values):
            yield metric, _interval(values, rng)


def _differences(rows: Sequence[_Row], name: str, rng: np.random.Generator) -> Iterator[tuple[str, dict[str, float]]]:
    for metric in METRICS:
        model, other = _column(rows, MODEL, metric), _column(rows, name, metric)
        if len(model) and len(model) == len(other):
            yield metric, _interval(model - other, rng)


def _groups(rows: Sequence[_Row], by: str, names: Sequence[str], rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Yields the figures of every group; none where nobody said to which the images belong."""
    parts: dict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        parts[getattr(row.case, by)].append(row)
    if set(parts) == {""}:
        return
    for value, part in sorted(parts.items()):
        figures = {name: dict(_means(part, name, rng)) for name in names}
        yield {"by": by, "group": value or "unknown", "images": len(part), "figures": figures}


def paired_interval(values: Floats, rng: np.random.Generator, level: float = _LEVEL) -> tuple[float, float, float]:
    """Returns the mean of float (N,) and the percentile interval of means of images drawn with replacement."""
    drawn = rng.integers(0, len(values), (_DRAWS, len(values)))
    low, high = np.quantile(values[drawn].mean(axis=1), ((1 - level) / 2, (1 + level) / 2)).tolist()
    return float(values.mean()), low, high


def _interval(values: Floats, rng: np.random.Generator) -> dict[str, float]:
    value, low, high = paired_interval(values, rng)
    return {"value": value, "low": low, "high": high, "images": len(values)}
