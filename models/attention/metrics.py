"""How well an attention map says where people looked: eight metrics, from their definitions.

Definitions as in Bylinskii, Judd, Oliva, Torralba and Durand, "What do different evaluation metrics tell us about
saliency models?", IEEE TPAMI 2019, section 3; where that paper leaves a choice, the one of the pysaliency package
(Kümmerer, Wallis and Bethge, "Saliency benchmarking made easy", ECCV 2018). Tied values count half everywhere.

Maps are (H, W), any real dtype, higher where more attention is expected. Fixations are ``x`` and ``y`` (N,) in pixels
of the map, the centre of the first pixel at 0.5: the pixel of a fixation is the whole part of its position.

What needs fixations: AUC, AUC-Judd, AUC-Borji, sAUC, NSS and IG. What needs the density of fixations: CC, SIM, KLD.
"""

import numpy as np
import numpy.typing as npt

from features.errors import AuguryError

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Values = npt.NDArray[np.floating]

EPSILON = 2.2204e-16
"""What keeps logarithms finite: the constant of the MIT/Tübingen saliency benchmark."""

BORJI_SPLITS = 100


class MetricsError(AuguryError, ValueError):
    """Maps or fixations that cannot be measured: not finite, of different sizes, empty, outside the map."""


def auc(attention: npt.ArrayLike, x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Returns the chance that a fixated pixel has a higher value than a pixel picked at random from the whole map.

    Ties count half; 0.5 is chance. This is the area under the ROC curve with all pixels as negatives and every value
    as a threshold: pysaliency's ``AUC(nonfixations="uniform")``, and what AUC-Borji estimates by sampling.
    """
    values = check_map(attention)
    return _auc(_at(values, x, y), values.ravel())


def auc_judd(attention: npt.ArrayLike, x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Returns AUC-Judd: negatives are the pixels nobody fixated, thresholds the values at the fixations.

    Judd, Durand and Torralba, "A benchmark of computational models of saliency to predict human fixations", MIT
    tech report 2012. Straight lines between these few thresholds give it up to 1 / (2 N) more than ``auc``: compare
    it only with itself. As ``AUC_Judd(jitter=False)`` of pysaliency: the original breaks ties with random noise.
    """
    values = check_map(attention)
    rows, columns = pixels(values, x, y)
    free = np.ones(values.shape, np.bool_)
    free[rows, columns] = False
    if not free.any():
        raise MetricsError(f"every pixel of the {_size(values)} map is fixated; AUC-Judd needs some that are not")
    positives, negatives = np.sort(values[rows, columns]), np.sort(values[free])
    thresholds = np.unique(positives)[::-1]
    hits = 1 - np.searchsorted(positives, thresholds) / len(positives)
    alarms = 1 - np.searchsorted(negatives, thresholds) / len(negatives)
    return float(np.trapezoid(np.r_[0, hits, 1], np.r_[0, alarms, 1]))


def auc_borji(
    attention: npt.ArrayLike, x: npt.ArrayLike, y: npt.ArrayLike, *, splits: int = BORJI_SPLITS, seed: int = 0
) -> float:
    """Returns AUC-Borji: as many random pixels as fixations are the negatives, averaged over ``splits`` drawings.

    Borji, Tavakoli, Sihite and Itti, "Analysis of scores, datasets, and models in visual saliency prediction", ICCV
    2013. Pixels are drawn with replacement; every value is a threshold, in place of the original's steps of 0.1.
    """
    values = check_map(attention)
    positives = _at(values, x, y)
    if splits < 1:
        raise MetricsError(f"{splits} splits; expected at least 1")
    drawn = np.random.default_rng(seed).integers(0, values.size, (splits, len(positives)))
    return float(np.mean([_auc(positives, values.ravel()[chosen]) for chosen in drawn]))


def auc_shuffled(
    attention: npt.ArrayLike, x: npt.ArrayLike, y: npt.ArrayLike, other_x: npt.ArrayLike, other_y: npt.ArrayLike
) -> float:
    """Returns sAUC: negatives are fixations of other images, so that knowing the centre bias earns nothing.

    Zhang, Tong, Marks, Shan and Cottrell, "SUN: A Bayesian framework for saliency using natural statistics", Journal
    of Vision 2008. All of ``other_x`` and ``other_y``, scaled to this map, count, repeated ones repeatedly.
    """
    values = check_map(attention)
    return _auc(_at(values, x, y), _at(values, other_x, other_y))


def nss(attention: npt.ArrayLike, x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Returns the normalised scanpath saliency: the mean at the fixations, in standard deviations above the map's mean.

    Peters, Iyer, Itti and Koch, "Components of bottom-up gaze allocation in natural images", Vision Research 2005.
    The deviation is the population's; a constant map scores 0, which is chance.
    """
    values = check_map(attention)
    found = _at(values, x, y).astype(np.float64)
    mean, deviation = _moments(values)
    return float((found.mean() - mean) / deviation) if deviation else 0.0


def cc(attention: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Returns Pearson's correlation of two maps of one size, -1 to 1; 0 where either is constant."""
    a, b = _pair(attention, truth)
    (mean_a, deviation_a), (mean_b, deviation_b) = _moments(a), _moments(b)
    if not deviation_a or not deviation_b:
        return 0.0
    together = np.mean((a.astype(np.float64) - mean_a) / deviation_a * ((b - mean_b) / deviation_b))
    return float(np.clip(together, -1, 1))


def sim(attention: npt.ArrayLike, truth: npt.ArrayLike, *, subtract_minimum: bool = True) -> float:
    """Returns the similarity of two maps as densities, the sum of the lesser values: 1 for equal maps, 0 for disjoint.

    Swain and Ballard, "Color indexing", IJCV 1991 (histogram intersection); for maps, Judd et al. 2012.
    """
    a, b = _pair(attention, truth)
    return float(np.minimum(as_density(a, subtract_minimum), as_density(b, subtract_minimum)).sum())


def kld(attention: npt.ArrayLike, truth: npt.ArrayLike, *, subtract_minimum: bool = True) -> float:
    """Returns the Kullback-Leibler divergence of the map from the true density, in nats; 0 for equal maps.

    ``sum(q ln(EPSILON + q / (p + EPSILON)))`` with the truth q and the map p as densities: Bylinskii et al., equation
    (5). Attention where the map says next to none costs most.
    """
    a, b = _pair(attention, truth)
    p, q = as_density(a, subtract_minimum), as_density(b, subtract_minimum)
    return float(np.sum(q * np.log(EPSILON + q / (p + EPSILON))))


def information_gain(attention: npt.ArrayLike, baseline: npt.ArrayLike, x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Returns IG in bits a fixation: how much likelier the map makes the fixations than ``baseline`` does.

    ``mean(log2(EPSILON + p) - log2(EPSILON + b))`` at the fixations; Kümmerer, Wallis and Bethge,
    "Information-theoretic model comparison unifies saliency metrics", PNAS 2015. Both maps are densities but for
    their sum: their minimum stays (a model that gives a pixel nothing must pay for a fixation there), and negative
    values are refused.
    """
    p, b = (as_density(each, False) for each in _pair(attention, baseline))
    return float(np.mean(np.log2(EPSILON + _at(p, x, y)) - np.log2(EPSILON + _at(b, x, y))))


def as_density(attention: npt.ArrayLike, subtract_minimum: bool) -> Floats:
    """Returns the map as float64 (H, W) with sum 1; a map without any mass becomes uniform.

    Args:
        attention: the map.
        subtract_minimum: whether the least value becomes 0 first, as the MIT benchmark does; a map that is a density
            already need not.

    Raises:
        MetricsError: negative values that stay.
    """
    values = check_map(attention).astype(np.float64)
    if subtract_minimum:
        values -= values.min()
    elif values.min() < 0:
        raise MetricsError(f"a density holds {values.min():g}; expected no negative value (take exp of a log-density)")
    total = values.sum()
    return values / total if total > 0 else np.full(values.shape, 1 / values.size)


def check_map(attention: npt.ArrayLike) -> Values:
    """Returns the map as a floating-point (H, W) array.

    Raises:
        MetricsError: not two-dimensional, empty, not numbers, or not finite.
    """
    values = np.asarray(attention)
    if values.ndim != 2 or not values.size or values.dtype.kind not in "fiub":
        raise MetricsError(f"a map of shape {values.shape} and type {values.dtype}; expected numbers, (H, W)")
    if values.dtype not in (np.float32, np.float64):
        values = values.astype(np.float64)
    if not np.isfinite(values).all():
        bad = int((~np.isfinite(values)).sum())
        raise MetricsError(f"{bad} of {values.size} values of the map are not finite; check the model's output for NaN")
    return values


def pixels(values: Values, x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Returns the row and column of every fixation.

    Raises:
        MetricsError: no fixations, as many ``x`` as ``y`` not, or some outside the map.
    """
    columns, rows = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if columns.ndim != 1 or columns.shape != rows.shape:
        raise MetricsError(f"fixations with x {columns.shape} and y {rows.shape}; expected both (N,)")
    if not len(columns):
        raise MetricsError("no fixations to measure by; leave images without any out, and count them")
    height, width = values.shape
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    if not inside.all():
        first = int((~inside).argmax())
        raise MetricsError(
            f"{(~inside).sum()} of {len(inside)} fixations lie outside the {_size(values)} map, the first at "
            f"({columns[first]:g}, {rows[first]:g}); drop and count them, or scale them to the map"
        )
    return rows.astype(np.intp), columns.astype(np.intp)


def _at(values: Values, x: npt.ArrayLike, y: npt.ArrayLike) -> Values:
    return values[pixels(values, x, y)]


def _auc(positives: Values, negatives: Values) -> float:
    """Returns the share of (positive, negative) pairs in the right order, ties counted half.

    Sorting the negatives alone is what makes a map of half a million pixels take milliseconds.
    """
    ordered = np.sort(negatives)
    below, up_to = (np.searchsorted(ordered, positives, side) for side in ("left", "right"))
    return float(np.mean(below + up_to) / 2 / len(ordered))


def _pair(attention: npt.ArrayLike, truth: npt.ArrayLike) -> tuple[Values, Values]:
    a, b = check_map(attention), check_map(truth)
    if a.shape != b.shape:
        raise MetricsError(f"maps of {_size(a)} and {_size(b)}; expected one size (resize the prediction to the image)")
    return a, b


def _moments(values: Values) -> tuple[float, float]:
    """Returns mean and population standard deviation; the latter is exactly 0 for a constant map."""
    if values.min() == values.max():
        return float(values.flat[0]), 0.0
    return float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))


def _size(values: Values) -> str:
    return f"{values.shape[1]} x {values.shape[0]}"
