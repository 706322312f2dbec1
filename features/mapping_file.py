"""Mapping files: TOML that says how the columns of some table or JSON are events; docs/events.md is their manual."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from features.checks import DEFAULT_NAMES, EVENT_TYPES
from features.errors import AuguryError
from features.events import EVENT_SCHEMA
from features.storage import StorageError, read_text
from features.templates import Template, TemplateError
from features.times import UNITS

TIME_FIELDS = ("timestamp_us", "received_at_us")
JSON_FIELDS = ("properties", "context")
TEXT_FIELDS = tuple(name for name in EVENT_SCHEMA.names if name not in TIME_FIELDS + JSON_FIELDS)
TIME_UNITS = ("iso", *UNITS)

OTHERWISE = "*"
"""The key of a value map for every value that has no key of its own."""


class MappingError(AuguryError, ValueError):
    """A mapping file that is missing or has a mistake."""


@dataclass(frozen=True)
class TimeColumn:
    """Where a time is: ``column``, counted in ``unit`` (one of ``TIME_UNITS``) since 1970, or ISO 8601."""

    column: str
    unit: str


@dataclass(frozen=True)
class NumberColumn:
    """A property whose value is the number in ``column``."""

    column: str


@dataclass(frozen=True)
class EventMapping:
    """A mapping file, checked.

    Attributes:
        name: the file's name without ``.toml``.
        texts: (field of ``TEXT_FIELDS``, template).
        times: (field of ``TIME_FIELDS``, where it is).
        objects: (field of ``JSON_FIELDS``, ((key, template or number), ...)).
        values: (field of ``TEXT_FIELDS``, ((value, what it becomes), ...)).
    """

    name: str
    texts: tuple[tuple[str, Template], ...]
    times: tuple[tuple[str, TimeColumn], ...]
    objects: tuple[tuple[str, tuple[tuple[str, Template | NumberColumn], ...]], ...]
    values: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


def load_mapping(path: str) -> EventMapping:
    """Reads and checks a mapping file.

    Raises:
        MappingError: it is missing or unreadable, no TOML, or says something that is not understood; the message names
            the file, the key and what is expected.
    """
    try:
        given = tomllib.loads(read_text(path))
    except StorageError as e:
        raise MappingError(f"{path}: no mapping file can be read there ({e})") from e
    except tomllib.TOMLDecodeError as e:
        raise MappingError(f"{path}: not valid TOML: {e}") from e
    return parse_mapping(given, path)


def parse_mapping(given: Mapping[str, Any], path: str) -> EventMapping:
    """Checks a mapping that was read from ``path``.

    Raises:
        MappingError: as for ``load_mapping``.
    """
    _known(given, ("columns", "properties", "context", "values"), "table", path)
    columns = _table(given, "columns", path)
    _known(columns, (*TEXT_FIELDS, *TIME_FIELDS), "key of [columns]", path)
    if "timestamp_us" not in columns:
        raise MappingError(
            f'{path}: [columns] lacks timestamp_us; add timestamp_us = {{ column = "...", unit = "s" }} '
            f"(units: {', '.join(TIME_UNITS)})"
        )
    if "anonymous_id" not in columns and "user_id" not in columns:
        raise MappingError(f'{path}: [columns] lacks anonymous_id; add anonymous_id = "{{...}}", or user_id')
    texts = {field: _template(columns[field], f"columns.{field}", path) for field in TEXT_FIELDS if field in columns}
    if "event" not in texts and (texts["type"].constant if "type" in texts else None) not in DEFAULT_NAMES:
        raise MappingError(
            f'{path}: [columns] lacks event; add event = "{{...}}", or a type that names itself, such as type = "page"'
        )
    times = {field: _time(columns[field], f"columns.{field}", path) for field in TIME_FIELDS if field in columns}
    objects = {
        field: {key: _value(value, f"{field}.{key}", path) for key, value in _table(given, field, path).items()}
        for field in JSON_FIELDS
    }
    values = _table(given, "values", path)
    _known(values, tuple(texts), "key of [values]", path)
    maps = {field: _value_map(values, field, path) for field in values}
    _check_types(texts.get("type"), maps.get("type", {}), path)
    return EventMapping(
        PurePosixPath(path).name.removesuffix(".toml"),
        tuple(texts.items()),
        tuple(times.items()),
        tuple((field, tuple(keys.items())) for field, keys in objects.items() if keys),
        tuple((field, tuple(pairs.items())) for field, pairs in maps.items()),
    )


def _known(given: Mapping[str, Any], expected: tuple[str, ...], what: str, path: str) -> None:
    for key in given:
        if key not in expected:
            raise MappingError(f"{path}: unknown {what} {key!r}; expected one of {', '.join(expected)}")


def _table(given: Mapping[str, Any], key: str, path: str) -> Mapping[str, Any]:
    table = given.get(key, {})
    if not isinstance(table, dict):
        raise MappingError(f"{path}: {key} is {table!r}; expected a table [{key}]")
    return table


def _template(value: Any, key: str, path: str) -> Template:
    if not isinstance(value, str):
        raise MappingError(f'{path}: {key} is {value!r}; expected a string such as "{{column}}" or a constant')
    try:
        return Template.parse(value)
    except TemplateError as e:
        raise MappingError(f"{path}: {key} = {e}") from e


def _time(value: Any, key: str, path: str) -> TimeColumn:
    expected = f'expected {{ column = "...", unit = "..." }} with a unit of {", ".join(TIME_UNITS)}'
    if not isinstance(value, dict) or set(value) != {"column", "unit"} or not isinstance(value["column"], str):
        raise MappingError(f"{path}: {key} is {value!r}; {expected}")
    if value["unit"] not in TIME_UNITS:
        raise MappingError(f"{path}: {key} has unit {value['unit']!r}; {expected}")
    return TimeColumn(value["column"], value["unit"])


def _value(value: Any, key: str, path: str) -> Template | NumberColumn:
    if isinstance(value, dict):
        if set(value) != {"number"} or not isinstance(value["number"], str):
            raise MappingError(f'{path}: {key} is {value!r}; expected a template or {{ number = "column" }}')
        return NumberColumn(value["number"])
    return _template(value, key, path)


def _value_map(values: Mapping[str, Any], field: str, path: str) -> dict[str, str]:
    pairs = _table(values, field, path)
    for value, becomes in pairs.items():
        if not isinstance(becomes, str):
            raise MappingError(f"{path}: values.{field}.{value} is {becomes!r}; expected a string")
    return dict(pairs)


def _check_types(template: Template | None, pairs: Mapping[str, str], path: str) -> None:
    constant = template.constant if template else None
    for kind in [*pairs.values(), *([constant] if constant is not None and not pairs else [])]:
        if kind not in EVENT_TYPES:
            raise MappingError(f"{path}: type {kind!r} is unknown; expected one of {', '.join(EVENT_TYPES)}")
