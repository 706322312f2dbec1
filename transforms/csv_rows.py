"""CSV with a header line, as tables of bytes; a line that does not fit the header is kept, not dropped.

Quotes follow RFC 4180; a value may hold line feeds. The separator is read off the header.
"""

import csv
from collections.abc import Iterable, Iterator

import pyarrow as pa
from pyarrow import csv as arrow_csv

from features.errors import AuguryError
from features.events import MAX_EVENT_BYTES
from features.rows import MALFORMED

_SEPARATORS = (",", "\t", ";", "|")
_BOM = b"\xef\xbb\xbf"


class HeaderError(AuguryError, ValueError):
    """The first line of a CSV file does not name its columns."""


def csv_tables(chunks: Iterable[list[bytes]], path: str) -> Iterator[pa.Table]:
    """Yields a table for each chunk of lines.

    Args:
        chunks: lines without their ends; the very first is the header.
        path: the file, for errors.

    Yields:
        One binary column for each column of the header, null where a value is empty, then ``MALFORMED``: the bytes of
        a row that has another number of fields or a quote that never ends (its other columns are null), else null.

    Raises:
        HeaderError: the header has an empty or repeated name, or is no text.
    """
    names: list[str] = []
    separator = ","
    waiting: list[bytes] = []
    for chunk in chunks:
        lines = [*waiting, *chunk]
        if not names:
            names, separator = _header(lines.pop(0), path)
        records, waiting, broken = _records(lines)
        if records or broken:
            yield _table(records, broken, names, separator)
    if waiting:  # the file ends within quotes: the first line is at fault, what follows may be sound
        records, broken = [], []
        while waiting:
            broken.append(waiting.pop(0))
            more, waiting, worse = _records(waiting)
            records, broken = records + more, broken + worse
        yield _table(records, broken, names, separator)


def _header(line: bytes, path: str) -> tuple[list[str], str]:
    if len(line) > MAX_EVENT_BYTES:
        raise HeaderError(f"{path} begins with a line of more than 32 KB; expected a header that names its columns")
    try:
        text = line.removeprefix(_BOM).decode()
    except UnicodeDecodeError as e:
        raise HeaderError(f"{path} begins with a line that is not UTF-8; save it as UTF-8 CSV with a header") from e
    separator = max(_SEPARATORS, key=text.count)
    names = [name.strip() for name in next(csv.reader([text], delimiter=separator))]
    for name in names:
        if not name or names.count(name) > 1 or name == MALFORMED:
            raise HeaderError(
                f"{path} has column name {name!r} empty or twice in its first line; expected a header that names every "
                "column once"
            )
    return names, separator


def _records(lines: list[bytes]) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """Returns whole records, the lines of one that has not ended yet, and lines that can be no record.

    A record with an odd number of quotes goes on in the next line, up to the size of an event.
    """
    records: list[bytes] = []
    broken: list[bytes] = []
    index = 0
    while index < len(lines):
        end, size, quotes = index + 1, len(lines[index]), lines[index].count(b'"')
        while quotes % 2 and size <= MAX_EVENT_BYTES:
            if end == len(lines):
                return records, lines[index:], broken
            size += 1 + len(lines[end])
            quotes += lines[end].count(b'"')
            end += 1
        if size > MAX_EVENT_BYTES:
            broken.append(lines[index])
            index += 1
        else:
            records.append(lines[index] if end == index + 1 else b"\n".join(lines[index:end]))
            index = end
    return records, [], broken


def _table(records: list[bytes], broken: list[bytes], names: list[str], separator: str) -> pa.Table:
    columns = _parse_fast(records, names, separator)
    if columns is None:
        columns, worse = _parse_each(records, names, separator)
        broken = broken + worse
    sound = len(columns[0])
    filled = [pa.concat_arrays([column, pa.nulls(len(broken), pa.binary())]) for column in columns]
    flags = pa.array([None] * sound + broken, pa.binary())
    return pa.table([*filled, flags], names=[*names, MALFORMED])


def _parse_fast(records: list[bytes], names: list[str], separator: str) -> list[pa.Array] | None:
    """Returns the columns of records that are all sound, or None."""
    data = b"\n".join(records)
    if b"\r" in data:  # a line end to the parser, but not here
        return None
    try:
        table = arrow_csv.read_csv(
            pa.py_buffer(data),
            arrow_csv.ReadOptions(column_names=names, block_size=len(data) + 1, use_threads=False),
            arrow_csv.ParseOptions(delimiter=separator, newlines_in_values=True),
            arrow_csv.ConvertOptions(
                column_types={name: pa.binary() for name in names}, strings_can_be_null=True, null_values=[""]
            ),
        ).combine_chunks()
    except pa.ArrowInvalid:
        return None
    if table.num_rows != len(records):  # a record swallowed another
        return None
    return [column.chunk(0) if column.num_chunks else pa.nulls(0, pa.binary()) for column in table.columns]


def _parse_each(records: list[bytes], names: list[str], separator: str) -> tuple[list[pa.Array], list[bytes]]:
    """Returns the columns of the sound records, and the others."""
    sound: list[list[str]] = []
    broken: list[bytes] = []
    for record in records:
        try:
            lines = record.decode("latin-1").split("\n")
            fields = list(csv.reader([f"{line}\n" for line in lines], delimiter=separator, strict=True))
        except csv.Error:
            fields = []
        if len(fields) == 1 and len(fields[0]) == len(names):
            sound.append(fields[0])
        else:
            broken.append(record)
    columns = [pa.array([row[i].encode("latin-1") or None for row in sound], pa.binary()) for i in range(len(names))]
    return columns, broken
