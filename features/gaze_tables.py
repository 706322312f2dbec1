"""Gaze from CSV tables: eye fixations, samples of a cursor that uncovers a blurred image, BubbleView clicks.

One row a point: ``image,x,y`` and, where there are, ``subject,order,duration_ms,time_ms``; other names are mapped.
"""

from collections.abc import Iterator, Mapping
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from features.checks import dead_letters, no_dead_letters
from features.gaze import (
    BAD_NUMBER,
    NO_IMAGE_NAME,
    POINT_METHODS,
    WRONG_COLUMNS,
    AdaptedGaze,
    GazeError,
    gaze_batch,
    no_points,
    subject_numbers,
)

REQUIRED = ("image", "x", "y")
OPTIONAL = ("subject", "order", "duration_ms", "time_ms")
COLUMNS = (*REQUIRED, *OPTIONAL)
"""The columns of a table of points, by the names they have here."""

BLOCK_BYTES = 16 << 20
"""About how much of a file is worked on at once."""

_ALSO = {"duration_ms": "duration"}
_MOST_BY_CHANCE = 20
"""More points than these do not all lie in the first pixel of their images."""

_NUMBER = r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$"


def read_points(
    file: IO[bytes],
    source: str,
    *,
    set_name: str,
    method: str,
    columns: Mapping[str, str] | None = None,
    one_based: bool = False,
    sample_ms: float | None = None,
) -> Iterator[AdaptedGaze]:
    """Yields the points of a CSV file, block by block.

    Args:
        file: the bytes of the table, uncompressed, with a header.
        source: its path, for messages and dead letters.
        set_name: the set that the points belong to.
        method: one of ``POINT_METHODS``.
        columns: of ``COLUMNS``, those that the file names otherwise: ours -> theirs.
        one_based: the file counts pixels from 1, as MATLAB does; 1 is then taken off.
        sample_ms: milliseconds between two samples of a trace, where the file has no ``time_ms``: the time is then the
            order times this.

    Raises:
        GazeError: a column is missing, the file is no CSV, or its points are shares of the image's size and not pixels.
    """
    if method not in POINT_METHODS:
        raise GazeError(f"method {method!r} of {source} is unknown; expected one of {', '.join(POINT_METHODS)}")
    for name in columns or {}:
        if name not in COLUMNS:
            raise GazeError(f"columns of {source} map {name!r}; expected one of {', '.join(COLUMNS)}")
    broken: list[str] = []

    def keep(row: Any) -> str:
        broken.append(row.text)
        return "skip"

    parsing = pa_csv.ParseOptions(invalid_row_handler=keep)
    try:
        there, names = _names(file, source, columns or {})
        reading = pa_csv.ReadOptions(block_size=BLOCK_BYTES, use_threads=False, column_names=there)
        kept = pa_csv.ConvertOptions(
            column_types=dict.fromkeys(names.values(), pa.string()), include_columns=list(names.values())
        )
        rows, points, within = 0, 0, True
        with pa_csv.open_csv(file, reading, parsing, kept) as reader:
            for batch in reader:
                table = batch.rename_columns(list(names))
                adapted = _adapt(table, rows, source, set_name, method, one_based, sample_ms)
                rows, points = rows + table.num_rows, points + adapted.points.num_rows
                within = within and _in_first_pixel(adapted.points)
                yield adapted
    except pa.ArrowInvalid as e:
        if str(e) == "Empty CSV file":  # a header and no rows: nothing was recorded
            return
        raise GazeError(f"{source} is no CSV table ({' '.join(str(e).split())}); expected a header and rows") from e
    if within and points > _MOST_BY_CHANCE:
        raise GazeError(
            f"{source}: all {points} points have x and y from 0 to 1, so they seem to be shares of the image's width "
            "and height; expected pixels: multiply them"
        )
    if broken:
        yield AdaptedGaze(no_points(), dead_letters([WRONG_COLUMNS] * len(broken), broken, source))


def _names(file: IO[bytes], source: str, columns: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Reads the header; returns the columns there, and ours -> theirs of those to read."""
    header = file.readline()
    if not header.strip():
        raise GazeError(f"{source} is empty; expected a header such as image,subject,order,x,y")
    there = pa_csv.read_csv(pa.BufferReader(header.removeprefix(b"\xef\xbb\xbf"))).column_names
    names = {}
    for name in COLUMNS:
        theirs = columns.get(name, name)
        if theirs not in there and name not in columns:
            theirs = _ALSO.get(name, theirs)
        if theirs in there:
            names[name] = theirs
        elif name in REQUIRED or name in columns:
            raise GazeError(
                f"{source} has no column {theirs!r} (it has {', '.join(there)}); map it in `columns` of the set"
            )
    return there, dict(sorted(names.items(), key=lambda item: there.index(item[1])))  # as the rows have them


def _adapt(
    table: pa.RecordBatch,
    before: int,
    source: str,
    set_name: str,
    method: str,
    one_based: bool,
    sample_ms: float | None,
) -> AdaptedGaze:
    """Parts the rows of one block into points and dead letters."""
    count = table.num_rows
    given = {name: table.column(name) for name in table.schema.names}
    numbers = {name: _numbers(given[name]) for name in given if name not in ("image", "subject")}
    reasons = np.full(count, "", object)
    for name, values in numbers.items():
        bad = values.is_null().to_numpy(False)
        if name not in REQUIRED:  # an empty optional cell says that it is unknown
            bad &= ~_blank(given[name])
        reasons[bad] = BAD_NUMBER
    if "order" in numbers:
        whole = pc.equal(numbers["order"], pc.round(numbers["order"]))
        small = pc.less(pc.abs(numbers["order"]), 2.0**31)
        good = pc.fill_null(pc.and_(whole, small), True)
        reasons[~good.to_numpy(False)] = BAD_NUMBER
    reasons[_blank(given["image"])] = NO_IMAGE_NAME
    bad = reasons != ""
    rejected = no_dead_letters()
    if bad.any():
        rows = np.flatnonzero(bad)
        texts = [",".join(str(value) for value in row.values()) for row in table.take(pa.array(rows)).to_pylist()]
        rejected = dead_letters(reasons[rows].tolist(), texts, source)
    keep = pa.array(~bad)
    given = {name: column.filter(keep) for name, column in given.items()}
    numbers = {name: column.filter(keep) for name, column in numbers.items()}
    running = pa.array(np.arange(before, before + count), pa.float64()).filter(keep)
    order = pc.coalesce(numbers["order"], running) if "order" in numbers else running
    times = numbers.get("time_ms")
    if times is None and sample_ms is not None:
        times = pc.multiply(order, sample_ms)
    x, y = numbers["x"].to_numpy(False), numbers["y"].to_numpy(False)
    points = gaze_batch(
        set_name,
        method,
        given["image"],
        subject_numbers(given["subject"]) if "subject" in given else pa.repeat(pa.scalar(0), len(x)),
        order.to_numpy(False),
        x - one_based,
        y - one_based,
        numbers.get("duration_ms"),
        times,
    )
    return AdaptedGaze(points, rejected)


def _numbers(column: pa.Array) -> pa.Array:
    """Returns texts as finite float64, null where they are none."""
    try:
        values = column.cast(pa.float64())
    except pa.ArrowInvalid:
        good = pc.match_substring_regex(column, _NUMBER)
        cut = pc.utf8_trim_whitespace(column)
        values = pc.if_else(good, cut, pa.scalar(None, pa.string())).cast(pa.float64())
    return pc.if_else(pc.is_finite(values), values, pa.scalar(None, pa.float64()))


def _in_first_pixel(points: pa.RecordBatch) -> bool:
    return all(bool(((each >= 0) & (each <= 1)).all()) for each in (points.column(n).to_numpy() for n in ("x", "y")))


def _blank(column: pa.Array) -> Any:
    empty = pc.equal(pc.binary_length(pc.utf8_trim_whitespace(column)), 0)
    return pc.fill_null(empty, True).to_numpy(False)
