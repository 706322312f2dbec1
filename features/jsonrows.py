"""Lines of JSON to Python rows and columns, keeping what is wrong with each."""

from collections.abc import Callable, Sequence
from typing import Any

import orjson
import pyarrow as pa

from features.checks import NOT_JSON, NOT_UTF8, TOO_DEEP, TOO_LARGE, WRONG_TYPE, Verdicts
from features.errors import AuguryError
from features.events import MAX_EVENT_BYTES
from features.rows import LineRows

Draw = Callable[[list[dict[str, Any]], Verdicts], dict[str, pa.Array]]
"""Makes columns of JSON objects, and refuses those that it cannot."""

_BLOCK_ROWS = 512


class RowsError(AuguryError, TypeError):
    """Rows of a kind that an adapter cannot read, e.g. a table where lines are expected."""


def read_lines(lines: pa.Array, draw: Draw) -> tuple[dict[str, pa.Array], LineRows, Verdicts]:
    """Parses lines of JSON and draws columns out of them.

    A block of rows is turned into columns and forgotten before the next is parsed: keeping the objects of a whole chunk
    costs more in garbage collection and cache misses than parsing them.

    Args:
        lines: binary or string (N,), one JSON value each.
        draw: makes columns of a block of objects, one value an object; a line that is no object, or over
            ``MAX_EVENT_BYTES``, is an empty one.

    Returns:
        The columns (N,), the lines themselves, and what was wrong with them.
    """
    texts: list[bytes] = [line or b"" for line in lines.cast(pa.binary()).to_pylist()]
    verdicts = Verdicts(len(texts))
    blocks = []
    for start in range(0, max(len(texts), 1), _BLOCK_ROWS):
        block = Verdicts(len(texts[start : start + _BLOCK_ROWS]))
        blocks.append(draw(_parse(texts[start : start + _BLOCK_ROWS], block), block))
        verdicts.codes[start : start + _BLOCK_ROWS] = block.codes
    columns = {name: pa.concat_arrays([block[name] for block in blocks]) for name in blocks[0]}
    return columns, LineRows(texts), verdicts


def _parse(texts: list[bytes], verdicts: Verdicts) -> list[dict[str, Any]]:
    parsed: list[dict[str, Any]] = []
    loads, append = orjson.loads, parsed.append
    for index, text in enumerate(texts):
        row = None
        if len(text) > MAX_EVENT_BYTES:
            verdicts.reject_row(index, TOO_LARGE)
        else:
            try:
                row = loads(text)
            except orjson.JSONDecodeError as e:
                verdicts.reject_row(index, _why(text, e))
            else:
                if row.__class__ is not dict:
                    verdicts.reject_row(index, WRONG_TYPE)
                    row = None
        append(row or {})
    return parsed


def string_column(values: Sequence[Any], verdicts: Verdicts) -> pa.Array:
    """Returns JSON values (N,) as strings, null for null; a row with a value of another type is refused."""
    try:
        return pa.array(values, pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array(_refuse_others(values, str, verdicts), pa.string())


def object_column(values: Sequence[Any], verdicts: Verdicts) -> pa.Array:
    """Returns JSON objects (N,) as compact JSON text, null for an empty one; a row with another value is refused."""
    dumps = orjson.dumps
    try:
        return pa.array([dumps(value) if value else None for value in objects(values, verdicts)], pa.string())
    except TypeError:  # deeper than orjson writes: find the row
        return pa.array([_dump(value, i, verdicts) for i, value in enumerate(objects(values, verdicts))], pa.string())


def objects(values: Sequence[Any], verdicts: Verdicts) -> Sequence[dict[str, Any] | None]:
    """Returns JSON values (N,) that are objects or None; a row with another value is refused and gets None."""
    if {value.__class__ for value in values} <= {dict, type(None)}:
        return values
    return _refuse_others(values, dict, verdicts)


def _refuse_others(values: Sequence[Any], kind: type, verdicts: Verdicts) -> list[Any]:
    kept = []
    for index, value in enumerate(values):
        if value is not None and value.__class__ is not kind:
            verdicts.reject_row(index, WRONG_TYPE)
            value = None
        kept.append(value)
    return kept


def _dump(value: dict[str, Any] | None, row: int, verdicts: Verdicts) -> bytes | None:
    try:
        return orjson.dumps(value) if value else None
    except TypeError:
        verdicts.reject_row(row, TOO_DEEP)
        return None


def _why(text: bytes, error: orjson.JSONDecodeError) -> str:
    try:
        text.decode()
    except UnicodeDecodeError:
        return NOT_UTF8
    return TOO_DEEP if "depth" in error.msg else NOT_JSON
