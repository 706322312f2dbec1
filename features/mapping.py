"""Events from any table or JSON lines, as a mapping file says."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from features.checks import BAD_TIME, NO_TIME, TOO_LARGE, WRONG_COLUMNS, WRONG_TYPE, Verdicts, settle
from features.columns import ColumnsError, as_text, find_column, one_chunk, text_column
from features.events import MAX_EVENT_BYTES, Adapted
from features.json_text import json_numbers, json_objects, json_strings
from features.jsonrows import read_lines
from features.mapping_file import OTHERWISE, EventMapping, NumberColumn, TimeColumn
from features.rows import MALFORMED, Rows, TableRows, is_text
from features.templates import Template
from features.times import parse_numbers, parse_text

_NUMBER = r"^\s*-?\d+(\.\d+)?([eE][+-]?\d{1,2})?\s*$"
_Get = Callable[[str, str], pa.Array]
"""Gives the column of a name or path; the second argument says what it is used for."""


@dataclass(frozen=True)
class MappingAdapter:
    """Reads tables and JSON lines by a mapping.

    Attributes:
        mapping: from ``load_mapping``.
        now_us: when the data is read, to refuse times from the future; None relies on ``received_at_us``.
    """

    mapping: EventMapping
    now_us: int | None = None

    @property
    def name(self) -> str:
        """The mapping file's name."""
        return self.mapping.name

    def columns(self, wanted: tuple[str, ...]) -> tuple[str, ...] | None:
        """Returns None, for all, unless message ids are mapped: otherwise they are made of all that a row says."""
        if "message_id" not in dict(self.mapping.texts):
            return None
        paths = self._paths()
        return tuple(dict.fromkeys([*paths, *(path.split(".")[0] for path in paths)]))

    def adapt(self, rows: pa.Array | pa.Table, source: str) -> Adapted:
        """Adapts lines or a table (N rows); see ``features.adapters.Adapter``.

        Raises:
            ColumnsError: the table lacks a column that the mapping names, or has it in a type that cannot be read.
        """
        if isinstance(rows, pa.Table):
            raw = {name: one_chunk(rows, name) for name in rows.column_names}
            verdicts = Verdicts(rows.num_rows)
            _reject_malformed(raw.get(MALFORMED), verdicts)
            return self._map(lambda path, use: find_column(raw, path, use, source), verdicts,
                             TableRows(raw, rows.num_rows), source)  # fmt: skip
        columns, lines, verdicts = read_lines(rows, partial(_draw, self._paths()))
        return self._map(lambda path, _: columns[path], verdicts, lines, source)

    def _paths(self) -> tuple[str, ...]:
        """Returns the columns and fields that the mapping names."""
        used = [column for _, template in self.mapping.texts for column in template.columns]
        used += [place.column for _, place in self.mapping.times]
        for _, keys in self.mapping.objects:
            for _, value in keys:
                used += [value.column] if isinstance(value, NumberColumn) else value.columns
        return tuple(dict.fromkeys(used))

    def _map(self, get: _Get, verdicts: Verdicts, rows: Rows, source: str) -> Adapted:
        count = len(verdicts.codes)
        values = dict(self.mapping.values)
        columns: dict[str, pa.Array] = {"type": pa.repeat(pa.scalar("track", pa.string()), count)}

        def text(field: str) -> Callable[[str], pa.Array]:
            use = f"mapping {self.name!r} uses for {field}"
            return lambda path: as_text(get(path, use), verdicts, path, source)

        for field, template in self.mapping.texts:
            columns[field] = _replace(template.render(text(field), count), values.get(field, ()))
        for field, place in self.mapping.times:
            given = get(place.column, f"mapping {self.name!r} uses for {field}")
            columns[field] = _time_column(given, place, verdicts, source)
            if field == "timestamp_us":
                absent = _is_absent(given)
                verdicts.reject(absent, NO_TIME)
                verdicts.reject(columns[field].is_null().to_numpy(False), BAD_TIME)
        for field, keys in self.mapping.objects:
            columns[field] = json_objects(
                {key: self._json(value, f"{field}.{key}", get, text, count) for key, value in keys}
            )
        return settle(columns, verdicts, rows, source, self.now_us)

    def _json(
        self,
        value: Template | NumberColumn,
        key: str,
        get: _Get,
        text: Callable[[str], Callable[[str], pa.Array]],
        count: int,
    ) -> pa.Array:
        if isinstance(value, Template):
            return json_strings(value.render(text(key), count))
        given = get(value.column, f"mapping {self.name!r} uses for {key}")
        if pa.types.is_integer(given.type) or pa.types.is_floating(given.type):
            return json_numbers(given)
        texts = text(key)(value.column)
        numeric = pc.if_else(pc.match_substring_regex(texts, _NUMBER), texts, pa.scalar(None, pa.string()))
        return json_numbers(pc.cast(pc.utf8_trim_whitespace(numeric), pa.float64()))


def _reject_malformed(texts: pa.Array | None, verdicts: Verdicts) -> None:
    if texts is None or texts.null_count == len(texts):
        return
    lengths = pc.fill_null(pc.binary_length(texts), 0).to_numpy(False)
    verdicts.reject(lengths > MAX_EVENT_BYTES, TOO_LARGE)
    verdicts.reject(texts.is_valid().to_numpy(False), WRONG_COLUMNS)


def _replace(texts: pa.Array, pairs: tuple[tuple[str, str], ...]) -> pa.Array:
    """Returns the texts with those that have a pair replaced; ``OTHERWISE`` stands for all others but null."""
    if not pairs:
        return texts
    known = {value: becomes for value, becomes in pairs if value != OTHERWISE}
    found = pc.index_in(texts, pa.array(list(known), pa.string()), skip_nulls=True)
    replaced = pa.array(list(known.values()), pa.string()).take(found)
    other = dict(pairs).get(OTHERWISE)
    rest = texts if other is None else pc.if_else(texts.is_valid(), other, pa.scalar(None, pa.string()))
    return pc.coalesce(replaced, rest)


def _time_column(given: pa.Array, place: TimeColumn, verdicts: Verdicts, source: str) -> pa.Array:
    kind = given.type
    try:
        if pa.types.is_null(kind):
            return pa.nulls(len(given), pa.int64())
        if is_text(kind):
            return parse_text(text_column(given, verdicts), place.unit)
        if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
            return given.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
        if pa.types.is_decimal(kind):
            given = given.cast(pa.float64())
        if (pa.types.is_integer(given.type) or pa.types.is_floating(given.type)) and place.unit != "iso":
            return parse_numbers(given, place.unit)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        pass
    raise ColumnsError(
        f"{source} has column {place.column!r} as {kind}, which is no time in unit {place.unit!r}; "
        "correct the unit in the mapping file, or convert the column"
    )


def _is_absent(given: pa.Array) -> Any:
    absent = given.is_null()
    if is_text(given.type):
        absent = pc.or_kleene(absent, pc.equal(pc.binary_length(given), 0))
    return np.asarray(pc.fill_null(absent, True).to_numpy(False), np.bool_)


def _draw(paths: tuple[str, ...], parsed: list[dict[str, Any]], verdicts: Verdicts) -> dict[str, pa.Array]:
    return {path: _json_column(parsed, path, verdicts) for path in paths}


def _json_column(parsed: list[dict[str, Any]], path: str, verdicts: Verdicts) -> pa.Array:
    """Returns strings (N,) under a path in JSON rows, numbers and booleans written out; others refuse their row."""
    values: list[Any] = [row.get(path) for row in parsed]
    if "." in path:
        keys = path.split(".")
        values = [_descend(row, keys) if value is None else value for row, value in zip(parsed, values, strict=True)]
    try:
        return pa.array(values, pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        pass
    texts: list[bytes | str | None] = []
    for row, value in enumerate(values):
        if isinstance(value, (dict, list)):
            verdicts.reject_row(row, WRONG_TYPE)
            value = None
        texts.append(orjson.dumps(value) if isinstance(value, (int, float)) else value)
    return pa.array(texts, pa.string())


def _descend(value: Any, keys: list[str]) -> Any:
    for key in keys:
        value = value.get(key) if value.__class__ is dict else None
    return value
