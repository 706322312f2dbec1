"""Points to attention maps: Gaussian densities, ready-made masks, and how the methods of one image are merged."""

import math
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from features.attention_spec import MAP_LEVELS, METHODS
from features.gaze import GazeError

TRUNCATE = 4.0
"""The Gaussian is cut at so many sigmas, where 6e-5 of its mass is left."""

_PNG = (cv2.IMWRITE_PNG_COMPRESSION, 3, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY)
"""Searching for repetitions in a smooth 16-bit picture takes two thirds of the time and finds none."""

Map = npt.NDArray[np.float32]


def sigma_of_degrees(degrees: float, pixels_per_degree: float) -> float:
    """Returns a sigma in pixels from one in degrees of visual angle.

    One degree is about the width of the fovea, and the usual sigma: Le Meur & Baccino 2013, "Methods for comparing
    scanpaths and saliency maps", Behavior Research Methods 45.

    Raises:
        GazeError: either is not a positive number.
    """
    for name, value in (("sigma_degrees", degrees), ("pixels_per_degree", pixels_per_degree)):
        if not (math.isfinite(value) and value > 0):
            raise GazeError(f"{name} is {value}; expected a positive number")
    return degrees * pixels_per_degree


def density(
    points: npt.NDArray[np.floating], weights: npt.NDArray[np.floating] | None, height: int, width: int, sigma_px: float
) -> Map:
    """Returns the density of points: a Gaussian on each, those parts outside the image cut off, sum 1.

    Args:
        points: float (N, 2) of x and y in pixels, N at least 1, all inside the image; a point counts for the centre of
            its pixel.
        weights: float (N,), none negative, some positive; None for equal ones.
        height: of the image, pixels.
        width: of the image, pixels.
        sigma_px: standard deviation, pixels.

    Returns:
        float32 (height, width), sum 1.

    Raises:
        GazeError: no point, no weight, or a point outside.
    """
    points = np.asarray(points)
    if not len(points):
        raise GazeError("no points to make a density of; expected at least one inside the image")
    columns, rows = np.floor(points).astype(np.int64).T
    if columns.min() < 0 or rows.min() < 0 or columns.max() >= width or rows.max() >= height:
        raise GazeError(f"points outside an image of {width} x {height}; leave them out with check_points first")
    counts = np.bincount(rows * width + columns, weights, minlength=height * width)
    hits = counts.reshape(height, width).astype(np.float32)
    size = 2 * int(TRUNCATE * sigma_px + 0.5) + 1
    blurred = cv2.GaussianBlur(hits, (size, size), sigma_px, sigmaY=sigma_px, borderType=cv2.BORDER_CONSTANT)
    return normalised(blurred)


def normalised(values: npt.NDArray[Any]) -> Map:
    """Returns a map divided by its sum, float32 (H, W).

    Raises:
        GazeError: it is negative somewhere, not finite, or zero everywhere.
    """
    total = float(values.sum(dtype=np.float64))
    if not math.isfinite(total) or total <= 0 or float(values.min()) < 0:
        raise GazeError(
            f"a map has sum {total:g} and least value {values.min():g}; expected none negative, some positive"
        )
    return (values / np.float64(total)).astype(np.float32)


def merge_maps(maps: Mapping[str, Map], weights: Mapping[str, float]) -> Map:
    """Returns one map of the maps of several methods: their mean, weighted.

    Each method's map has sum 1 before it is weighted, so that a method counts by its weight and not by how many samples
    it took. With one method the weight makes no difference.

    Args:
        maps: method -> float32 (H, W), sum 1.
        weights: method -> weight.

    Returns:
        float32 (H, W), sum 1.

    Raises:
        GazeError: no map, or a method without a weight.
    """
    missing = [method for method in maps if method not in weights]
    if missing or not maps:
        raise GazeError(f"no weight for {', '.join(missing)}; add it to merge" if maps else "no map to merge")
    if len(maps) == 1:
        return next(iter(maps.values()))
    total = sum(np.float32(weights[method]) * values for method, values in maps.items())
    return normalised(np.asarray(total))


def merged_method(methods: Mapping[str, object]) -> str:
    """Returns the methods of a merged map as one text: "eye", "eye+clicks", ..., in the order of ``METHODS``."""
    return "+".join(method for method in METHODS if method in methods)


def encode_map(values: Map) -> tuple[bytes, float]:
    """Returns a map (H, W) as a 16-bit PNG of value / greatest value * 65535, and that greatest value."""
    most = float(values.max())
    levels = np.rint(values * np.float32(MAP_LEVELS / most)).clip(0, MAP_LEVELS).astype(np.uint16)
    done, encoded = cv2.imencode(".png", levels, _PNG)
    if not done:
        raise GazeError(f"a map of shape {values.shape} cannot be written as PNG; expected two dimensions")
    return encoded.tobytes(), most


def decode_map(data: bytes, most: float) -> Map:
    """Returns the map (H, W) that ``encode_map`` wrote, float32, each value off by at most ``most`` / 131070."""
    levels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if levels is None or levels.dtype != np.uint16 or levels.ndim != 2:
        raise GazeError("a stored map is not a 16-bit grey PNG; write the examples again")
    return np.asarray(levels.astype(np.float32) * np.float32(most / MAP_LEVELS))
