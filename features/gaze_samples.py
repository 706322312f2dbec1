"""Fixations from the raw samples of an eye tracker, by dispersion."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Fixations:
    """N fixations of one trace, in the order of time.

    Attributes:
        x: float64 (N,), median of the samples, pixels.
        y: float64 (N,).
        start_ms: float64 (N,), since the first sample.
        duration_ms: float64 (N,).
    """

    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    start_ms: npt.NDArray[np.float64]
    duration_ms: npt.NDArray[np.float64]


def fixations_of_samples(
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    rate_hz: float,
    *,
    most_px: float = 35.0,
    least_ms: float = 100.0,
) -> Fixations:
    """Returns the fixations among evenly spaced samples, after I-DT.

    Salvucci & Goldberg 2000, "Identifying fixations and saccades in eye-tracking protocols", ETRA, section 3.2.1: a
    window of ``least_ms`` whose dispersion, (max x - min x) + (max y - min y), is at most ``most_px`` is a fixation,
    and grows while that holds; a window that is none moves on by one sample. A sample below 0 or not finite (a blink,
    as trackers write it) ends a fixation and belongs to none.

    Args:
        x: float64 (S,), pixels.
        y: float64 (S,).
        rate_hz: samples a second.
        most_px: most dispersion; one degree at MIT1003's viewing distance.
        least_ms: shortest fixation.
    """
    each_ms = 1000.0 / rate_hz
    least = max(1, int(np.ceil(least_ms / each_ms)))
    lost = ~(np.isfinite(x) & np.isfinite(y)) | (x < 0) | (y < 0)
    found: list[tuple[float, float, float, float]] = []
    start = 0
    while start + least <= len(x):
        stop = start + least
        gap = np.flatnonzero(lost[start:stop])
        if len(gap):
            start += int(gap[-1]) + 1
            continue
        left, right, top, bottom = x[start:stop].min(), x[start:stop].max(), y[start:stop].min(), y[start:stop].max()
        if right - left + bottom - top > most_px:
            start += 1
            continue
        while stop < len(x) and not lost[stop]:
            left, right = min(left, x[stop]), max(right, x[stop])
            top, bottom = min(top, y[stop]), max(bottom, y[stop])
            if right - left + bottom - top > most_px:
                break
            stop += 1
        middle = float(np.median(x[start:stop])), float(np.median(y[start:stop]))
        found.append((*middle, start * each_ms, (stop - start) * each_ms))
        start = stop
    return Fixations(*np.array(found, np.float64).reshape(-1, 4).T)
