"""Reads tables of conversions, CSV or Parquet, some rows at a time."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from features.checks import dead_letters
from features.conversions import KEYS, ROW_SCHEMA, SIMULATED, TRUTH, AdaptedConversions, ConversionsError
from features.conversions import adapt_conversions as adapt
from features.creative_spec import COUNTS

WRONG_COLUMNS = "wrong_columns"
BATCH_ROWS = 1 << 16
BLOCK_BYTES = 1 << 22

COLUMNS = (*KEYS, *COUNTS, "event", "recipient")
"""Columns that are read; others are left alone."""


def read_conversions(
    file: IO[bytes], source: str, columns: Mapping[str, str] | None = None
) -> Iterator[AdaptedConversions]:
    """Yields the rows of a table, some at a time.

    Args:
        file: a Parquet file, or CSV with a header, in UTF-8.
        source: its path, for messages.
        columns: names that differ, ours -> theirs.

    Raises:
        ConversionsError: it is neither, or a column that is needed is missing.
    """
    for name in columns or {}:
        if name not in COLUMNS:
            raise ConversionsError(f"columns of {source} name {name!r}; expected one of {', '.join(COLUMNS)}")
    start = file.read(4)
    file.seek(0)
    reader = _parquet if start == b"PAR1" else _csv
    try:
        yield from reader(file, source, columns or {})
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as e:
        if isinstance(e, OSError) and e.errno is not None:
            raise  # the disk's, not the table's
        kind = "Parquet" if start == b"PAR1" else "CSV"
        raise ConversionsError(f"{source} is a damaged {kind} table ({' '.join(str(e).split())}); make it again") from e


def simulation_of(file: IO[bytes]) -> str | None:
    """Returns how the conversions of a Parquet file say that they were simulated; None where they are not."""
    start = file.read(4)
    file.seek(0)
    if start != b"PAR1":
        return None
    with contextlib.suppress(pa.ArrowInvalid):
        told: bytes | None = (pq.read_schema(file).metadata or {}).get(SIMULATED)
        return None if told is None else told.decode(errors="replace")
    return None


def _parquet(file: IO[bytes], source: str, columns: Mapping[str, str]) -> Iterator[AdaptedConversions]:
    parquet = pq.ParquetFile(file)
    names = _names(parquet.schema_arrow.names, source, columns)
    for batch in parquet.iter_batches(BATCH_ROWS, columns=list(names.values()), use_threads=False):
        texts = [_as_text(batch.column(theirs)) for theirs in names.values()]
        yield adapt(pa.RecordBatch.from_arrays(texts, names=list(names)), source)


def _as_text(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_floating(column.type):  # a count with nulls, as pandas writes it
        column = pc.if_else(pc.is_finite(column), column, pa.scalar(None, column.type))
    return column.cast(pa.string())


def _csv(file: IO[bytes], source: str, columns: Mapping[str, str]) -> Iterator[AdaptedConversions]:
    broken: list[str] = []

    def keep(row: Any) -> str:
        broken.append(row.text)
        return "skip"

    header = file.readline()
    if not header.strip():
        raise ConversionsError(f"{source} is empty; expected a header such as product,variant,campaign,sent,opened")
    there = pa_csv.read_csv(pa.BufferReader(header.removeprefix(b"\xef\xbb\xbf"))).column_names
    names = _names(there, source, columns)
    reading = pa_csv.ReadOptions(block_size=BLOCK_BYTES, use_threads=False, column_names=there)
    kept = pa_csv.ConvertOptions(
        column_types=dict.fromkeys(names.values(), pa.string()), include_columns=list(names.values())
    )
    try:
        with pa_csv.open_csv(file, reading, pa_csv.ParseOptions(invalid_row_handler=keep), kept) as reader:
            for batch in reader:
                yield adapt(pa.RecordBatch.from_arrays(batch.columns, names=list(names)), source)
    except pa.ArrowInvalid as e:
        if str(e) != "Empty CSV file":  # a header and no rows
            raise
    if broken:
        nothing = pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in ROW_SCHEMA], schema=ROW_SCHEMA)
        yield AdaptedConversions(nothing, dead_letters([WRONG_COLUMNS] * len(broken), broken, source))


def _names(there: list[str], source: str, columns: Mapping[str, str]) -> dict[str, str]:
    """Returns ours -> theirs of the columns to read, refusing a table of neither form."""
    names = {name: columns.get(name, name) for name in COLUMNS}
    for name, theirs in names.items():
        if theirs not in there and (name in ("product", "variant") or name in columns):
            raise ConversionsError(
                f"{source} has no column {theirs!r} (it has {', '.join(there)}); map it, such as {name}=THEIRS"
            )
    found = {name: theirs for name, theirs in names.items() if theirs in there}
    if "event" not in found and "sent" not in found:
        raise ConversionsError(
            f"{source} has neither a column 'sent' with counts nor a column 'event' with one event a row "
            f"(it has {', '.join(there)}); map one of them"
        )
    return {**found, **{name: name for name in there if name.startswith(TRUTH)}}
