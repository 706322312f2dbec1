"""Rows of the simulation as text: every distinct string is made once and gathered by index."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from augury import simulator_world as world
from augury.simulator_trouble import MALFORMED, Rows
from augury.simulator_visitors import Ints
from features.events import EVENT_SCHEMA, MAX_EVENT_BYTES

Bytes = npt.NDArray[np.uint8]

_HEX = np.array([list(f"{value:02x}".encode()) for value in range(256)], np.uint8)
_DIGITS = np.array([list(f"{value:03d}".encode()) for value in range(1000)], np.uint8)
ABSURD_TIME_US = 86_400_000_000
"""The second of January 1970: a device whose clock was never set."""

TEST_CONTEXT = '{"test":true}'
UNKNOWN_TYPE = "click"
NO_OBJECT = "[]"
OVERSIZED = '{"note":"' + "x" * MAX_EVENT_BYTES + '"}'


@dataclass(frozen=True)
class ShopText:
    """The strings of a shop, by the indices that ``Steps`` holds."""

    shop: world.Shop

    @cached_property
    def urls(self) -> list[str]:
        """URLs by page + campaign * number of pages, then the referring sites."""
        tagged = [
            url + (f"{'&' if '?' in url else '?'}{tags}" if tags else "")
            for tags, _ in world.CAMPAIGNS
            for url in self.shop.urls
        ]
        return [*tagged, *world.REFERRERS]

    @cached_property
    def properties(self) -> list[str]:
        """JSON objects by page; that of an item's page is also that of the item in any other event."""
        shop, made = self.shop, [""] * len(self.shop.urls)
        made[0] = '{"title":"Home"}'
        made[shop.cart_page] = made[shop.checkout_page] = '{"currency":"EUR"}'
        made[shop.account_page] = '{"method":"email"}'
        for i, category in enumerate(world.CATEGORIES):
            made[shop.category_page + i] = _json({"category": category})
        for i, query in enumerate(shop.queries):
            made[shop.search_page + i] = _json({"query": query})
        for i, (name, price) in enumerate(zip(shop.item_names, shop.prices.tolist(), strict=True)):
            category = world.CATEGORIES[i // world.ITEMS_PER_CATEGORY]
            made[shop.item_page + i] = _json(
                {"product_id": str(1000 + i), "category": category, "name": name, "price": price}
            )
        for i in range(shop.help_pages):
            made[shop.help_page + i] = _json({"title": shop.urls[shop.help_page + i].rsplit("/", 1)[1]})
        return made

    def url_codes(self, rows: Rows) -> Ints:
        """Returns int64 (R,) indices into ``urls``."""
        return rows.steps.page + rows.steps.campaign * len(self.shop.urls)

    def referrer_codes(self, rows: Rows) -> Ints:
        """Returns int64 (R,) indices into ``urls``, -1 for none."""
        sites = len(world.CAMPAIGNS) * len(self.shop.urls)
        referrer = rows.steps.referrer
        return np.where(referrer < -1, sites - 2 - referrer, referrer)

    def property_codes(self, rows: Rows, first_order: int) -> tuple[Ints, list[str]]:
        """Returns int64 (R,) indices into ``properties`` with the orders' own, also returned, appended."""
        steps = rows.steps
        codes = np.where(steps.item >= 0, self.shop.item_page + steps.item, steps.page)
        orders = np.flatnonzero(steps.kind == world.ORDER)
        # A copy of an order must be the same order: it is numbered by whose it is and when.
        _, which, number = np.unique(
            np.stack([steps.visitor[orders], steps.time_ms[orders]]), axis=1, return_index=True, return_inverse=True
        )
        revenue = steps.revenue[orders[which]].tolist()
        codes[orders] = len(self.properties) + number.reshape(-1)
        own = [
            _json({"order_id": f"{first_order}-{i}", "revenue": value, "currency": "EUR"})
            for i, value in enumerate(revenue)
        ]
        return codes, own


def format_ids(ids: Bytes) -> Bytes:
    """Returns uint8 (N, 36): random bytes uint8 (N, 16) as UUID text."""
    digits = _HEX[ids].reshape(len(ids), 32)
    out = np.full((len(ids), 36), ord("-"), np.uint8)
    begin = 0
    for start, size in ((0, 8), (9, 4), (14, 4), (19, 4), (24, 12)):
        out[:, start : start + size] = digits[:, begin : begin + size]
        begin += size
    return out


def format_times(time_ms: Ints) -> Bytes:
    """Returns uint8 (N, 24): milliseconds since 1970 as ``2026-08-01T12:34:56.789Z``."""
    day, rest = np.divmod(time_ms, 86_400_000)
    days, which = np.unique(day, return_inverse=True)
    names = [list(str(np.datetime64(value, "D")).encode()) for value in days.tolist()]
    out = np.empty((len(time_ms), 24), np.uint8)
    out[:, :10] = np.array(names, np.uint8).reshape(-1, 10)[which]
    out[:, 10], out[:, 13], out[:, 16], out[:, 19], out[:, 23] = b"T::.Z"
    second, milli = np.divmod(rest, 1000)
    out[:, 11:13] = _DIGITS[second // 3600, 1:]
    out[:, 14:16] = _DIGITS[second // 60 % 60, 1:]
    out[:, 17:19] = _DIGITS[second % 60, 1:]
    out[:, 20:23] = _DIGITS[milli]
    return out


def fixed_width(text: Bytes) -> pa.Array:
    """Returns a string array (N,) over the rows of uint8 (N, width), without a copy where they are contiguous."""
    rows, width = text.shape
    offsets = np.arange(rows + 1, dtype=np.int32) * np.int32(width)
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(text)))


def user_ids(rows: Rows, first_visitor: int) -> tuple[Ints, list[str]]:
    """Returns int64 (R,) indices of user ids, -1 where the visitor is not signed in, and the ids."""
    known = np.where(rows.steps.known == 1, rows.steps.visitor, -1)
    return known, [f"user-{first_visitor + i:09d}" for i in range(len(rows.visitors))]


def canonical_table(text: ShopText, rows: Rows, first_visitor: int) -> pa.Table:
    """Returns the rows in ``EVENT_SCHEMA``, strings dictionary-encoded but for ``message_id``.

    Malformed rows are malformed as far as the schema allows: an empty visitor id, an absurd time, an unknown type,
    properties that are no object or over the limit of an event.
    """
    steps = rows.steps
    damage = {name: np.flatnonzero(rows.damage == i) for i, name in enumerate(MALFORMED)}
    codes, own = text.property_codes(rows, first_visitor)
    properties = [*text.properties, *own]
    codes[damage["too_large"]] = len(properties)
    codes[damage["wrong_type"]] = len(properties) + 1
    names = [*_strings(format_ids(rows.visitors)), ""]
    whose = steps.visitor.copy()
    whose[damage["no_visitor_id"]] = len(rows.visitors)
    known, users = user_ids(rows, first_visitor)
    known[damage["no_visitor_id"]] = -1
    kinds = steps.kind.copy()
    kinds[damage["unknown_type"]] = len(world.EVENT_TYPES)
    time_us = steps.time_ms * 1000
    time_us[damage["absurd_time"]] = ABSURD_TIME_US
    columns = {
        "message_id": fixed_width(format_ids(rows.message)),
        "anonymous_id": _coded(whose, names),
        "user_id": _coded(known, users),
        "type": _coded(kinds, [*world.EVENT_TYPES, UNKNOWN_TYPE]),
        "event": _coded(steps.kind, list(world.EVENT_NAMES)),
        "timestamp_us": pa.array(time_us),
        "received_at_us": pa.array(rows.received_ms * 1000),
        "url": _coded(text.url_codes(rows), text.urls),
        "referrer": _coded(text.referrer_codes(rows), text.urls),
        "user_agent": _coded(rows.agent, list(world.USER_AGENTS)),
        "properties": _coded(codes, [*properties, OVERSIZED, NO_OBJECT]),
        "context": _coded(np.where(rows.test, 0, -1), [TEST_CONTEXT]),
        "source": _coded(np.zeros(len(rows), np.int64), ["analytics.js"]),
    }
    schema = pa.schema([pa.field(f.name, columns[f.name].type, f.nullable) for f in EVENT_SCHEMA])
    return pa.table([columns[f.name] for f in EVENT_SCHEMA], schema=schema)


def _coded(codes: Ints, strings: Sequence[str]) -> pa.DictionaryArray:
    """Returns a string column (N,) that holds each used string once; code -1 is null."""
    used, which = np.unique(codes, return_inverse=True)
    # Equal strings may have several codes: the Parquet writer's bytes would vary if its dictionary held one twice.
    places: dict[str | None, int] = {}
    place = [places.setdefault(strings[code] if code >= 0 else None, len(places)) for code in used.tolist()]
    null = int(None in places)  # the first, as its code is the lowest
    indices = np.array(place, np.int32)[which.reshape(-1)] - np.int32(null)
    distinct = pa.array(list(places)[null:], pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(indices, mask=codes < 0), distinct)


def _strings(text: Bytes) -> list[str]:
    return fixed_width(text).to_pylist()


def _json(value: dict[str, object]) -> str:
    return orjson.dumps(value).decode()
