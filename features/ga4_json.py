"""JSON lines of a GA4 export as the Arrow columns that Parquet has; BigQuery writes int64 as strings in JSON."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa

from features.checks import BAD_TIME, WRONG_TYPE, Verdicts
from features.jsonrows import objects, string_column

_NUMBERS = {"int_value": pa.int64(), "float_value": pa.float64(), "double_value": pa.float64()}
_VALUE = pa.struct([("string_value", pa.string()), *_NUMBERS.items()])
_PARAMS = pa.list_(pa.struct([("key", pa.string()), ("value", _VALUE)]))
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


def read_json_rows(parsed: list[dict[str, Any]], verdicts: Verdicts) -> dict[str, pa.Array]:
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
    columns["event_params"] = pa.array(_each(parsed, "event_params", _params, verdicts, WRONG_TYPE), _PARAMS)
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


def _params(given: Any) -> list[dict[str, Any]]:
    if given.__class__ is not list:
        raise _Wrong
    params = []
    for param in given:
        if param.__class__ is not dict or param.get("key").__class__ is not str:
            raise _Wrong
        value = param.get("value") or {}
        if value.__class__ is not dict:
            raise _Wrong
        text, whole = value.get("string_value"), value.get("int_value")
        if text is not None and text.__class__ is not str:
            raise _Wrong
        params.append(
            {
                "key": param["key"],
                "value": {
                    "string_value": text,
                    "int_value": None if whole is None else _integer(whole),
                    "float_value": _float(value.get("float_value")),
                    "double_value": _float(value.get("double_value")),
                },
            }
        )
    return params


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
