"""JSON lines of a GA4 export as the Arrow columns that Parquet has; BigQuery writes int64 as strings in JSON."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa

from features.checks import BAD_TIME, WRONG_TYPE, Verdicts
from features.jsonrows import objects, string_column

_NUMBERS = {"int_value": pa.int64(), "float_value": pa.float64(), "double_value": pa.float64()}
_VALUE = pa.struct([("string_value", pa.string()), *_NUMBERS.items()])
_NO_NUMBERS = [None] * len(_NUMBERS)
_ITEM = {
    "item_id": pa.string(),
    "item_name": pa.string(),
    "item_category": pa.string(),
    "item_brand": pa.string(),
    "item_variant": pa.string(),
    "price": pa.float64(),
    "quantity": pa.int64(),
}
_ITEMS = pa.list_(pa.struct(list(_ITEM.items())))
_TEXTS = ("event_name", "user_pseudo_id", "user_id")
_SCALARS = (
    "stream_id",
    "event_bundle_sequence_id",
    "batch_event_index",
    "batch_page_id",
    "batch_ordering_id",
)
_NESTED_TEXTS = (
    "device.category",
    "device.operating_system",
    "device.operating_system_version",
    "device.language",
    "device.web_info.browser",
    "device.web_info.browser_version",
    "geo.country",
    "traffic_source.source",
    "traffic_source.medium",
    "traffic_source.name",
    "collected_traffic_source.manual_source",
    "collected_traffic_source.manual_medium",
    "collected_traffic_source.manual_campaign_name",
    "ecommerce.transaction_id",
)
_INT64 = 2**63


class _Wrong(Exception):
    """A value of another type than the export has."""


def draw_columns(parsed: list[dict[str, Any]], verdicts: Verdicts) -> dict[str, pa.Array]:
    """Returns the used columns of N parsed rows, nested fields under their path (``device.category``).

    A row with a value of another type than the export has is refused, and its value null.
    """
    columns = {name: string_column([row.get(name) for row in parsed], verdicts) for name in _TEXTS}
    for name in _SCALARS:
        columns[name] = pa.array(_each(parsed, name, _text, verdicts, WRONG_TYPE), pa.string())
    inner: dict[str, list[Any]] = {}
    for path in _NESTED_TEXTS:
        columns[path] = string_column(_field(parsed, path, inner, verdicts), verdicts)
    revenue = _field(parsed, "ecommerce.purchase_revenue", inner, verdicts)
    rows = [{"value": value} for value in revenue]
    columns["ecommerce.purchase_revenue"] = pa.array(_each(rows, "value", _float, verdicts, WRONG_TYPE), pa.float64())
    columns["event_timestamp"] = pa.array(_each(parsed, "event_timestamp", _integer, verdicts, BAD_TIME), pa.int64())
    offsets = _each(parsed, "event_server_timestamp_offset", _integer, verdicts, WRONG_TYPE)
    columns["event_server_timestamp_offset"] = pa.array(offsets, pa.int64())
    columns["event_params"] = _params(parsed, verdicts)
    columns["items"] = pa.array(_each(parsed, "items", _items, verdicts, WRONG_TYPE), _ITEMS)
    return columns


def _each(
    rows: list[dict[str, Any]], key: str, convert: Callable[[Any], Any], verdicts: Verdicts, reason: str
) -> list[Any]:
    values = []
    for index, row in enumerate(rows):
        value = row.get(key)
        if value is not None:
            try:
                value = convert(value)
            except _Wrong:
                verdicts.reject_row(index, reason)
                value = None
        values.append(value)
    return values


def _field(parsed: list[dict[str, Any]], path: str, inner: dict[str, list[Any]], verdicts: Verdicts) -> list[Any]:
    """Returns what is under a path in each row; ``inner`` keeps the objects on the way for other paths."""
    above, _, key = path.rpartition(".")
    if above not in inner:
        found = _field(parsed, above, inner, verdicts) if "." in above else [row.get(above) for row in parsed]
        inner[above] = list(objects(found, verdicts))
    return [value.get(key) if value else None for value in inner[above]]


def _params(parsed: list[dict[str, Any]], verdicts: Verdicts) -> pa.Array:
    """Returns ``event_params`` as a list of structs (N,); flat lists in between, as there are many params."""
    offsets = [0]
    keys: list[str] = []
    texts: list[str | None] = []
    numbers: dict[str, list[Any]] = {name: [] for name in _NUMBERS}
    for index, row in enumerate(parsed):
        begun = len(keys)
        try:
            for param in row.get("event_params") or ():
                key, value = param["key"], param.get("value") or {}
                text = value.get("string_value")
                if key.__class__ is not str or text.__class__ not in (str, type(None)):
                    raise _Wrong
                given = [value.get(name) for name in _NUMBERS]
                if given != _NO_NUMBERS:
                    given = [None if given[0] is None else _integer(given[0]), _float(given[1]), _float(given[2])]
                keys.append(key)
                texts.append(text)
                for column, number in zip(numbers.values(), given, strict=True):
                    column.append(number)
        except (_Wrong, TypeError, KeyError, AttributeError):  # the latter three: no list, no key, no object
            verdicts.reject_row(index, WRONG_TYPE)
            flat: tuple[list[Any], ...] = (keys, texts, *numbers.values())
            for given in flat:
                del given[begun:]
        offsets.append(len(keys))
    parts = [pa.array(numbers[name], kind) for name, kind in _NUMBERS.items()]
    value = pa.StructArray.from_arrays([pa.array(texts, pa.string()), *parts], fields=list(_VALUE))
    params = pa.StructArray.from_arrays([pa.array(keys, pa.string()), value], names=["key", "value"])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), params)


def _items(given: Any) -> list[dict[str, Any]]:
    if given.__class__ is not list or any(item.__class__ is not dict for item in given):
        raise _Wrong
    kinds = {pa.string(): _text, pa.float64(): _float, pa.int64(): _integer}
    return [
        {name: None if item.get(name) is None else kinds[kind](item[name]) for name, kind in _ITEM.items()}
        for item in given
    ]


def _text(value: Any) -> str:
    if value.__class__ is str:
        return str(value)
    return str(_integer(value))


def _integer(value: Any) -> int:
    if value.__class__ is str and len(value) <= 20:
        try:
            value = int(value)
        except ValueError as e:
            raise _Wrong from e
    if value.__class__ is float and value.is_integer():
        value = int(value)
    if value.__class__ is not int or not -_INT64 <= value < _INT64:
        raise _Wrong
    return int(value)


def _float(value: Any) -> float | None:
    if value is None:
        return None
    if value.__class__ is str and len(value) <= 40:  # BigQuery writes NaN and infinities as strings
        try:
            value = float(value)
        except ValueError as e:
            raise _Wrong from e
    if value.__class__ not in (int, float):
        raise _Wrong
    return float(value)
