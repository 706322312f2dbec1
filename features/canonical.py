"""Rows that are canonical events already, from Parquet: checked a column at a time and passed on without a copy."""

from dataclasses import dataclass

import pyarrow as pa

from features.checks import Verdicts, plain, settle
from features.columns import ColumnsError, one_chunk, text_column
from features.events import EVENT_SCHEMA, Adapted
from features.jsonrows import RowsError
from features.rows import TableRows

_REQUIRED = ("message_id", "anonymous_id", "type", "event", "timestamp_us")


@dataclass(frozen=True)
class CanonicalAdapter:
    """Reads tables in ``EVENT_SCHEMA``; columns that are not there are null, but for those an event cannot be without.

    Attributes:
        now_us: when the data is read, to refuse times from the future; None relies on ``received_at_us``.
    """

    now_us: int | None = None
    name: str = "canonical"

    def columns(self, wanted: tuple[str, ...]) -> tuple[str, ...] | None:
        """Returns the columns to read so that the events have the ``wanted`` ones: these and the required ones."""
        chosen = {*_REQUIRED, "user_id", *wanted}
        return tuple(name for name in EVENT_SCHEMA.names if name in chosen)

    def adapt(self, rows: pa.Array | pa.Table, source: str) -> Adapted:
        """Adapts a table (N rows); see ``features.adapters.Adapter``.

        Raises:
            RowsError: the rows are lines.
            ColumnsError: a required column is missing, or a column has a type that cannot be read.
        """
        if not isinstance(rows, pa.Table):
            raise RowsError(
                f"{source} holds lines, but adapter 'canonical' reads Parquet; use 'segment', 'ga4' or a mapping"
            )
        missing = [name for name in _REQUIRED if name not in rows.column_names]
        if missing:
            raise ColumnsError(
                f"{source} lacks column {missing[0]!r}; canonical events need {', '.join(_REQUIRED)}; "
                "give a mapping file for other tables"
            )
        verdicts = Verdicts(rows.num_rows)
        raw = {name: one_chunk(rows, name, decode=False) for name in EVENT_SCHEMA.names if name in rows.column_names}
        columns = {name: _typed(name, column, verdicts, source) for name, column in raw.items()}
        return settle(columns, verdicts, TableRows(raw, rows.num_rows), source, self.now_us)


def _valid(distinct: pa.Array) -> bool:
    """Says whether the values of a dictionary are UTF-8, and none of them null."""
    try:
        distinct.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return not distinct.null_count


def _typed(name: str, column: pa.Array, verdicts: Verdicts, source: str) -> pa.Array:
    kind = EVENT_SCHEMA.field(name).type
    try:
        if pa.types.is_null(column.type):
            return pa.nulls(len(column), kind)
        if pa.types.is_dictionary(column.type):
            if pa.types.is_string(kind) and pa.types.is_string(column.type.value_type) and _valid(column.dictionary):
                return column  # every distinct text is looked at once
            column = plain(column)
        if pa.types.is_string(kind):
            if pa.types.is_integer(column.type) or pa.types.is_nested(column.type):
                raise pa.ArrowTypeError(str(column.type))
            return text_column(column, verdicts)
        if pa.types.is_timestamp(column.type):
            return column.cast(pa.timestamp("us", column.type.tz), safe=False).cast(pa.int64())
        if not pa.types.is_integer(column.type):
            raise pa.ArrowTypeError(str(column.type))
        return column.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as e:
        raise ColumnsError(
            f"{source} has column {name!r} as {column.type}; canonical events have it as {kind}; "
            "convert it, or give a mapping file"
        ) from e
