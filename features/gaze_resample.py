"""Cursor traces at an even pace: how often a device sampled must not decide how much a place counts."""

import numpy as np
import numpy.typing as npt

from features.gaze import TOO_LONG, GazeError, Points

MOST_POINTS = 100_000
"""A trace that would become more points than this is left out: a clock or a coordinate in it is wrong."""


def resample(points: Points, by: str, step: float) -> tuple[Points, dict[str, int]]:
    """Returns each person's trace as points at an even pace, and how many samples were left out for which reason.

    By time, a place counts by how long the cursor was there; by distance, a place counts by how much of the path leads
    through it, and a cursor that rests counts once. Between two samples the way is straight. A trace keeps its first
    sample; ``order`` counts anew from 0.

    Args:
        points: of one image, sorted as ``Points`` are, all finite.
        by: "time" (needs ``time_ms``), "distance", or "none" for the samples as they are.
        step: milliseconds or pixels from one point to the next, positive.

    Raises:
        GazeError: by time where a sample has none.
    """
    if by == "none" or not len(points):
        return points, {}
    if by == "time" and np.isnan(points.time_ms).any():
        raise GazeError(
            "cursor samples have no time_ms to resample by; say their sample_ms, or resample by distance or not at all"
        )
    pieces, left_out = [Points.none()], 0
    for rows in points.traces():
        trace = points.take(np.arange(rows.start, rows.stop))
        along = _along(trace, by)
        if along[-1] / step >= MOST_POINTS:
            left_out += len(trace)
        else:
            pieces.append(_spread(trace, along, step))
    joined = (np.concatenate(columns) for columns in zip(*map(_columns, pieces), strict=True))
    return Points(*joined), {TOO_LONG: left_out} if left_out else {}


def _along(trace: Points, by: str) -> npt.NDArray[np.float64]:
    """Returns how far along the trace each sample is, in ms or pixels."""
    if by == "time":
        # samples are in the order of the trace; a clock that steps back must not make the pace negative
        from_first: npt.NDArray[np.float64] = np.maximum.accumulate(trace.time_ms) - trace.time_ms[0]
        return from_first
    steps = np.hypot(np.diff(trace.x.astype(np.float64)), np.diff(trace.y.astype(np.float64)))
    return np.concatenate([[0.0], steps.cumsum()])


def _spread(trace: Points, along: npt.NDArray[np.float64], step: float) -> Points:
    """Returns points at every ``step`` along a trace."""
    # half a billionth of a step is rounding: a trace of exactly k steps has its last point
    count = int(along[-1] / step + 5e-10) + 1
    at = np.minimum(np.arange(count) * step, along[-1])
    return Points(
        np.repeat(trace.subject[:1], count),
        np.arange(count, dtype=np.int32),
        _between(at, along, trace.x.astype(np.float64)).astype(np.float32),
        _between(at, along, trace.y.astype(np.float64)).astype(np.float32),
        _between(at, along, trace.time_ms),
    )


def _between(
    at: npt.NDArray[np.float64], along: npt.NDArray[np.float64], values: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = np.interp(at, along, values)
    return found


def _columns(points: Points) -> tuple[npt.NDArray[np.generic], ...]:
    return points.subject, points.order, points.x, points.y, points.time_ms
