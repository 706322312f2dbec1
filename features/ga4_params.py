"""The nested lists of a GA4 export, ``event_params`` and ``items``, as flat columns."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.checks import REASONS, Verdicts
from features.columns import ColumnsError, as_text, find_optional
from features.json_text import json_lists, json_numbers, json_objects, json_strings

_PRODUCT_TEXTS = {
    "product_id": "item_id",
    "name": "item_name",
    "category": "item_category",
    "brand": "item_brand",
    "variant": "item_variant",
}
_PRODUCT_NUMBERS = {"price": "price", "quantity": "quantity"}
_UNSET = "(not set)"


@dataclass(frozen=True)
class Params:
    """The K params of N events.

    Attributes:
        offsets: int64 (N + 1,); event i has params ``offsets[i]`` to ``offsets[i + 1] - 1``.
        keys: strings (K,).
        texts: strings (K,); a number is written out.
        numbers: float64 (K,), null for text.
        json: JSON text (K,), null where a param has no value.
    """

    offsets: npt.NDArray[np.int64]
    keys: pa.Array
    texts: pa.Array
    numbers: pa.Array
    json: pa.Array

    def text(self, key: str) -> pa.Array:
        """Returns strings (N,): each event's first param of that key, null for none."""
        return self.texts.take(self._first(key))

    def number(self, key: str) -> pa.Array:
        """Returns float64 (N,): each event's first param of that key, null for none or text."""
        return self.numbers.take(self._first(key))

    def has(self, key: str) -> pa.Array:
        """Returns bool (N,): whether the event has a param of that key."""
        return self._first(key).is_valid()

    def _first(self, key: str) -> pa.Array:
        places = np.flatnonzero(pc.fill_null(pc.equal(self.keys, key), False).to_numpy(False))
        events = np.searchsorted(self.offsets, places, side="right") - 1
        found = np.full(len(self.offsets) - 1, -1, np.int64)
        found[events[::-1]] = places[::-1]  # the first of several is written last
        return pa.array(found, mask=found < 0)


def read_params(column: pa.Array, verdicts: Verdicts, source: str) -> Params:
    """Reads ``event_params``: a list of {key, value: {string_value, int_value, float_value, double_value}} (N,).

    Raises:
        ColumnsError: the column is not of that type.
    """
    offsets, params = flatten_list(column, "event_params", source)
    inner = Verdicts(len(params))

    def field(path: str) -> pa.Array | None:
        return find_optional({"param": params}, f"param.{path}")

    def text(path: str) -> pa.Array:
        found = field(path)
        return pa.nulls(len(params), pa.string()) if found is None else as_text(found, inner, path, source)

    if field("key") is None or field("value") is None:
        raise ColumnsError(
            f"{source} has column 'event_params' as {column.type}; a GA4 export has a list of key and value; "
            "export the table again without flattening it"
        )
    strings = text("value.string_value")
    numbers = [field(f"value.{kind}_value") for kind in ("int", "double", "float")]
    given = [number for number in numbers if number is not None]
    floats = [number.cast(pa.float64()) for number in given] or [pa.nulls(len(params), pa.float64())]
    written = [json_numbers(number) for number in given]
    keys = text("key")
    pass_on(inner, offsets, verdicts)
    return Params(
        offsets,
        keys,
        pc.coalesce(strings, *written),
        pc.coalesce(*floats),
        pc.coalesce(json_strings(strings), *written),
    )


def products(column: pa.Array, verdicts: Verdicts, source: str) -> tuple[pa.Array, pa.Array]:
    """Returns Segment's ``product_id``, of the first item, and ``products``, all of them: JSON text (N,) or null."""
    offsets, items = flatten_list(column, "items", source)
    inner = Verdicts(len(items))
    fields: dict[str, pa.Array] = {}
    for name, path in _PRODUCT_TEXTS.items():
        found = find_optional({"item": items}, f"item.{path}")
        if found is not None:
            texts = as_text(found, inner, path, source)
            unset = pc.fill_null(pc.equal(texts, _UNSET), False)
            fields[name] = json_strings(pc.if_else(unset, pa.scalar(None, pa.string()), texts))
    for name, path in _PRODUCT_NUMBERS.items():
        found = find_optional({"item": items}, f"item.{path}")
        if found is not None:
            fields[name] = json_numbers(found)
    pass_on(inner, offsets, verdicts)
    ids = fields.get("product_id", pa.nulls(len(items), pa.string()))
    first = pa.array(offsets[:-1], mask=offsets[:-1] == offsets[1:])
    written = json_objects(fields) if fields else pa.nulls(len(items), pa.string())
    return ids.take(first), json_lists(offsets, written)


def flatten_list(column: pa.Array, name: str, source: str) -> tuple[npt.NDArray[np.int64], pa.Array]:
    """Returns the offsets, int64 (N + 1,), and the structs of a list column (N,); a null list is an empty one.

    Some writers of Parquet keep the levels of a list as fields: ``struct<list: list<struct<element: ...>>>``.

    Raises:
        ColumnsError: it is no list of structs.
    """
    given = column
    if pa.types.is_struct(column.type) and column.type.num_fields == 1:
        column = pc.struct_field(column, 0)
    if pa.types.is_null(column.type):
        return np.zeros(len(column) + 1, np.int64), pa.nulls(0, pa.struct([("key", pa.string())]))
    if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
        raise ColumnsError(f"{source} has column {name!r} as {given.type}; a GA4 export has a list of structs")
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(False).astype(np.int64)
    values = column.flatten()
    if pa.types.is_struct(values.type) and values.type.num_fields == 1 and values.type[0].name in ("element", "item"):
        values = pc.struct_field(values, 0)
    if not pa.types.is_struct(values.type):
        raise ColumnsError(f"{source} has column {name!r} as {given.type}; a GA4 export has a list of structs")
    return np.concatenate([[0], np.cumsum(lengths)]), values


def pass_on(inner: Verdicts, offsets: npt.NDArray[np.int64], verdicts: Verdicts) -> None:
    """Refuses the events of which a list item was refused, for the same reason."""
    for place in np.flatnonzero(inner.codes).tolist():
        row = int(np.searchsorted(offsets, place, side="right")) - 1
        verdicts.reject_row(row, REASONS[inner.codes[place] - 1])
