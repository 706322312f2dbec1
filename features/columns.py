"""Columns of tables from outside, in whatever Arrow type they come."""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from features.checks import NOT_UTF8, Verdicts, plain
from features.errors import AuguryError
from features.rows import MALFORMED, is_text


class ColumnsError(AuguryError, ValueError):
    """A file lacks a column, or has it in a type that cannot be read."""


def one_chunk(table: pa.Table, name: str, decode: bool = True) -> pa.Array:
    """Returns a column of a table as one array, dictionaries decoded unless told otherwise."""
    column = table.column(name)
    array = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    return plain(array) if decode else array


def text_column(column: pa.Array, verdicts: Verdicts) -> pa.Array:
    """Returns strings (N,) of a column of text or bytes, null for null; a row that is not UTF-8 is refused.

    Parquet files are read without a look at their text, so a broken one would only fail later, in somebody's hands.
    """
    try:
        if pa.types.is_string(column.type):
            column.validate(full=True)
            return column
        return column.cast(pa.string())
    except pa.ArrowInvalid:
        values = column.cast(pa.large_binary()).to_pylist()
    texts: list[str | None] = []
    for row, value in enumerate(values):
        try:
            texts.append(None if value is None else value.decode())
        except UnicodeDecodeError:
            verdicts.reject_row(row, NOT_UTF8)
            texts.append(None)
    return pa.array(texts, pa.string())


def as_text(column: pa.Array, verdicts: Verdicts, name: str, source: str) -> pa.Array:
    """Returns strings (N,) of a column of any flat type: numbers are written out, an integer without a point.

    Raises:
        ColumnsError: the column is nested.
    """
    if is_text(column.type):
        return text_column(column, verdicts)
    try:
        return column.cast(pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as e:
        raise ColumnsError(
            f"{source} has column {name!r} as {column.type}, which is no text; name one of its fields, such as "
            f"{name + '.field'!r}, or convert it"
        ) from e


def find_column(columns: Mapping[str, pa.Array], path: str, used_for: str, source: str) -> pa.Array:
    """Returns the column of that name, or the field that a path such as ``device.category`` leads to.

    Raises:
        ColumnsError: there is none; the message says what it is ``used_for``.
    """
    found = find_optional(columns, path)
    if found is None:
        names = [name for name in columns if name != MALFORMED]
        raise ColumnsError(
            f"{source} lacks column {path!r}, which {used_for}; it has {', '.join(names[:20])}"
            f"{', ...' if len(names) > 20 else ''}"
        )
    return found


def find_optional(columns: Mapping[str, pa.Array], path: str) -> pa.Array | None:
    """Returns the column of that name, or the field that a path leads to; None if there is none."""
    if path in columns:
        return columns[path]
    name, *fields = path.split(".")
    column = columns.get(name)
    for field in fields:
        if column is None or not pa.types.is_struct(column.type) or column.type.get_field_index(field) < 0:
            return None
        column = pc.struct_field(column, field)
    if column is not None and pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column
