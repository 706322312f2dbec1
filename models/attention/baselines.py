"""What a model must beat, and what it cannot hope to: the centre prior, a classic saliency map, and other people."""

from collections.abc import Iterable
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from features.gaze_density import density
from models.attention import metrics
from models.attention.metrics import Floats, MetricsError, Values

RESIDUAL_SIZE = 64
"""The image's width and height, in pixels, when the spectral residual is taken: the scale of the paper."""

Pixels = npt.NDArray[np.uint8]


class Consistency(NamedTuple):
    """How well people predict one another on one image: the ceiling for a model of everybody.

    ``nss`` and ``auc`` are means over people of the density of all others at this person's fixations; ``cc`` compares
    the density of one half of the people with that of the other half.
    """

    nss: float
    auc: float
    cc: float
    people: int


def centre_prior(maps: Iterable[npt.ArrayLike]) -> Floats:
    """Returns the mean of the maps as a density, float64 (H, W): where people look, whatever the image.

    Args:
        maps: densities (H, W) of one size, of images other than those to be judged.

    Raises:
        MetricsError: no maps, or maps of different sizes.
    """
    total: Floats | None = None
    for each in maps:
        one = metrics.as_density(each, False)
        if total is None:
            total = one
        elif total.shape != one.shape:
            raise MetricsError(f"maps of shapes {total.shape} and {one.shape}; expected one size, so resize them first")
        else:
            total += one
    if total is None:
        raise MetricsError("no maps to make a centre prior of; give those of the train split")
    return np.asarray(total / total.sum())


def spectral_residual(image: Pixels) -> npt.NDArray[np.float32]:
    """Returns what is unusual in the image's spectrum, float32 (H, W), 0 to 1.

    Hou and Zhang, "Saliency detection: a spectral residual approach", CVPR 2007: at 64 x 64 grey pixels, the log
    amplitude less its mean over 3 x 3 frequencies, back with the old phase, smoothed and squared. Kernel (5 x 5, sigma
    8), order and linear scaling are those of OpenCV's ``StaticSaliencySpectralResidual``, which is not in its main
    package.

    Args:
        image: uint8 (H, W, 3) RGB.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise MetricsError(f"an image of shape {image.shape} and type {image.dtype}; expected uint8 (H, W, 3) RGB")
    height, width = image.shape[:2]
    grey = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (RESIDUAL_SIZE, RESIDUAL_SIZE)).astype(np.float64)
    spectrum = np.fft.fft2(grey)
    amplitude = np.log(np.abs(spectrum) + 1e-12)
    residual = np.exp(amplitude - cv2.blur(amplitude, (3, 3)))
    back = np.abs(np.fft.ifft2(residual * np.exp(1j * np.angle(spectrum))))
    smooth = cv2.GaussianBlur(back, (5, 5), 8) ** 2
    most = smooth.max()
    found = (smooth / most if most > 0 else smooth).astype(np.float32)
    return np.asarray(cv2.resize(found, (width, height)))


def residual_with_prior(image: Pixels, prior: npt.ArrayLike, sigma_px: float) -> Floats:
    """Returns the spectral residual, blurred by ``sigma_px`` pixels, times the centre prior, as a density (H, W).

    Raises:
        MetricsError: the prior is not of the image's size.
    """
    centre = metrics.as_density(prior, False)
    if centre.shape != image.shape[:2]:
        raise MetricsError(f"a prior of shape {centre.shape} for an image of {image.shape[:2]}; resize it first")
    return metrics.as_density(cv2.GaussianBlur(spectral_residual(image), (0, 0), sigma_px) * centre, False)


def human_consistency(
    x: npt.ArrayLike, y: npt.ArrayLike, subject: npt.ArrayLike, height: int, width: int, sigma_px: float
) -> Consistency:
    """Returns how well the people who looked at one image predict each other.

    Wilming, Betz, Kietzmann and König, "Measures and limits of models of fixation selection", PLoS ONE 2011: what other
    people's fixations say of one person's is the bound for any model that does not know the person. The halves
    take people in turn, in the order of their numbers.

    Args:
        x: float (N,), pixels.
        y: float (N,), pixels.
        subject: int (N,), who it was.
        height: of the image, pixels.
        width: of the image, pixels.
        sigma_px: of the densities, pixels.

    Raises:
        MetricsError: fewer than two people.
    """
    points = np.stack([np.asarray(x, np.float64), np.asarray(y, np.float64)], axis=1)
    people, who = np.unique(np.asarray(subject), return_inverse=True)
    if len(people) < 2:
        raise MetricsError(f"fixations of {len(people)} people; consistency needs at least two")
    scores = []
    for index in range(len(people)):
        own = who == index
        others: Values = density(points[~own], None, height, width, sigma_px)
        seen = points[own].T
        scores.append((metrics.nss(others, *seen), metrics.auc(others, *seen)))
    halves = [density(points[who % 2 == half], None, height, width, sigma_px) for half in (0, 1)]
    nss, auc = np.mean(scores, axis=0).tolist()
    return Consistency(nss, auc, metrics.cc(*halves), len(people))
