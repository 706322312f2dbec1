"""Gaze: where people looked, as points in one Arrow schema, and the checks that every point passes.

A point is in pixels of the image as it is shown (EXIF rotation applied): x to the right, y down, pixel i covering
[i, i + 1), so that an image of width W holds 0 <= x < W.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

import mmh3
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.checks import no_dead_letters
from features.errors import AuguryError

GAZE_SCHEMA = pa.schema(
    [
        pa.field("set", pa.string(), nullable=False),
        pa.field("image", pa.string(), nullable=False),
        pa.field("method", pa.string(), nullable=False),
        pa.field("subject", pa.int64(), nullable=False),
        pa.field("order", pa.int32(), nullable=False),
        pa.field("x", pa.float32(), nullable=False),
        pa.field("y", pa.float32(), nullable=False),
        pa.field("duration_ms", pa.float32()),
        pa.field("time_ms", pa.float64()),
    ]
)
"""One point of one person on one image. ``method`` is one of ``attention_spec.METHODS`` other than "mask", which has
maps instead of points; ``order`` counts up along a person's trace; durations and times are null where unknown."""

POINT_METHODS = ("eye", "mouse_samples", "clicks")
"""The methods that give points."""

NO_IMAGE_NAME = "no_image_name"
BAD_NUMBER = "bad_number"
WRONG_COLUMNS = "wrong_columns"
UNKNOWN_IMAGE = "unknown_image"
EMPTY_MASK = "empty_mask"
OTHER_SHAPE = "mask_of_another_shape"

OUTSIDE = "outside_image"
TOO_LONG = "trace_too_long"
NOT_READ = "of_unreadable_image"
FORCED_FIRST = "forced_first_fixation"


class GazeError(AuguryError, ValueError):
    """Gaze data that cannot be read, or a demand on it that cannot be met."""


@dataclass(frozen=True)
class AdaptedGaze:
    """What an adapter made of some rows: every row is in exactly one of the two.

    Attributes:
        points: in ``GAZE_SCHEMA``.
        rejected: in ``features.events.DEAD_LETTER_SCHEMA``.
    """

    points: pa.RecordBatch
    rejected: pa.RecordBatch = field(default_factory=no_dead_letters)


def gaze_batch(
    set_name: str,
    method: str,
    images: pa.Array,
    subjects: pa.Array,
    orders: npt.ArrayLike,
    xs: npt.ArrayLike,
    ys: npt.ArrayLike,
    durations_ms: pa.Array | None = None,
    times_ms: pa.Array | None = None,
) -> pa.RecordBatch:
    """Returns N points in ``GAZE_SCHEMA``; the arguments are its columns, the first two the same for all."""
    count = len(images)
    given = [
        pa.repeat(pa.scalar(set_name), count),
        images,
        pa.repeat(pa.scalar(method), count),
        subjects,
        np.asarray(orders, np.int32),
        np.asarray(xs, np.float32),
        np.asarray(ys, np.float32),
        pa.nulls(count) if durations_ms is None else durations_ms,
        pa.nulls(count) if times_ms is None else times_ms,
    ]
    columns = [
        pa.array(column, field.type) if isinstance(column, np.ndarray) else column.cast(field.type)
        for column, field in zip(given, GAZE_SCHEMA, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=GAZE_SCHEMA)


def no_points() -> pa.RecordBatch:
    """Returns no rows in ``GAZE_SCHEMA``."""
    return pa.RecordBatch.from_arrays([pa.nulls(0, f.type) for f in GAZE_SCHEMA], schema=GAZE_SCHEMA)


def subject_number(name: str) -> int:
    """Returns the number of a person: the integer that the name is, else its unsigned 32-bit murmur3."""
    text = name.strip()
    try:
        number = int(text)
    except ValueError:
        return int(mmh3.hash(text, signed=False))
    return number if -(2**63) <= number < 2**63 else int(mmh3.hash(text, signed=False))


def subject_numbers(names: pa.Array) -> pa.Array:
    """Returns ``subject_number`` of each of N names as int64, computed once a distinct name; null counts as 0."""
    coded = names.dictionary_encode()
    numbers = pa.array([subject_number(name) for name in coded.dictionary.to_pylist()], pa.int64())
    return numbers.take(coded.indices).fill_null(0)


@dataclass(frozen=True)
class Points:
    """N points of one method on one image, sorted by subject and order.

    Attributes:
        subject: int64 (N,).
        order: int32 (N,).
        x: float32 (N,), pixels.
        y: float32 (N,), pixels.
        time_ms: float64 (N,), NaN where unknown.
    """

    subject: npt.NDArray[np.int64]
    order: npt.NDArray[np.int32]
    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.float32]
    time_ms: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.x)

    @classmethod
    def in_order(
        cls,
        subject: npt.NDArray[np.int64],
        order: npt.NDArray[np.int32],
        x: npt.NDArray[np.float32],
        y: npt.NDArray[np.float32],
        time_ms: npt.NDArray[np.float64],
    ) -> "Points":
        """Returns the points in the order of subject, order, and what else they hold, however they came."""
        return cls(subject, order, x, y, time_ms).take(np.lexsort((y, x, time_ms, order, subject)))

    @classmethod
    def of(cls, table: pa.Table | pa.RecordBatch) -> "Points":
        """Returns the points of rows in ``GAZE_SCHEMA``, whatever their image and method."""
        subject, order, x, y, time_ms = (
            np.asarray(table.column(name)) for name in ("subject", "order", "x", "y", "time_ms")
        )
        return cls.in_order(subject, order, x, y, time_ms.astype(np.float64))

    @classmethod
    def none(cls) -> "Points":
        """Returns no points."""
        return cls(
            np.zeros(0, np.int64),
            np.zeros(0, np.int32),
            np.zeros(0, np.float32),
            np.zeros(0, np.float32),
            np.zeros(0, np.float64),
        )

    def take(self, rows: npt.NDArray[np.integer] | npt.NDArray[np.bool_]) -> "Points":
        """Returns the points of these row numbers, or where a mask (N,) holds."""
        return Points(self.subject[rows], self.order[rows], self.x[rows], self.y[rows], self.time_ms[rows])

    def traces(self) -> Iterable[slice]:
        """Returns the rows of each subject, one slice a subject."""
        starts = np.flatnonzero(np.diff(self.subject, prepend=self.subject[:1] - 1)).tolist()
        return [slice(a, b) for a, b in pairwise([*starts, len(self)])]


def check_points(points: Points, height: int, width: int, *, drop_first: bool = False) -> tuple[Points, dict[str, int]]:
    """Returns the points inside an image, and how many were left out for which reason.

    Args:
        points: of one image and one method.
        height: of the image, pixels.
        width: of the image, pixels.
        drop_first: leave out each person's forced first fixation (a cross that they had to look at): the points whose
            order is the lowest of any person on this image. Whoever's first fixation was not recorded loses none.
    """
    counts = {}
    if drop_first and len(points):
        first = points.order == points.order.min()
        counts[FORCED_FIRST] = int(first.sum())
        points = points.take(~first)
    inside = (points.x >= 0) & (points.x < width) & (points.y >= 0) & (points.y < height)  # NaN is outside
    counts[OUTSIDE] = len(points) - int(inside.sum())
    return points.take(inside), {reason: n for reason, n in counts.items() if n}
