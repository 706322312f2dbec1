"""Google Analytics 4 events as BigQuery exports them, from Parquet or from JSON lines.

Fields: https://support.google.com/analytics/answer/7029846. Names of events follow Segment's where the two have the
same meaning, as in Segment's own GA4 destination (https://segment.com/docs/connections/destinations/catalog/
actions-google-analytics-4/); other events keep Google's name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from features.checks import BAD_TIME, Verdicts, settle
from features.columns import ColumnsError, as_text, find_column, find_optional, one_chunk
from features.events import Adapted
from features.ga4_json import draw_columns
from features.ga4_params import Params, products, read_params
from features.json_text import json_numbers, json_objects, json_pairs, json_strings, merge_objects
from features.jsonrows import read_lines
from features.rows import Rows, TableRows
from features.times import parse_numbers

EVENT_NAMES = {
    "page_view": "Page Viewed",
    "screen_view": "Screen Viewed",
    "view_item": "Product Viewed",
    "view_item_list": "Product List Viewed",
    "select_item": "Product Clicked",
    "add_to_cart": "Product Added",
    "remove_from_cart": "Product Removed",
    "view_cart": "Cart Viewed",
    "add_to_wishlist": "Product Added to Wishlist",
    "begin_checkout": "Checkout Started",
    "add_payment_info": "Payment Info Entered",
    "purchase": "Order Completed",
    "refund": "Order Refunded",
    "view_promotion": "Promotion Viewed",
    "select_promotion": "Promotion Clicked",
    "search": "Products Searched",
    "view_search_results": "Products Searched",
    "sign_up": "Signed Up",
    "login": "Signed In",
    "first_open": "Application Installed",
    "app_update": "Application Updated",
    "app_remove": "Application Uninstalled",
    "app_exception": "Application Crashed",
}
"""Segment's name of a GA4 event."""

_TYPES = {"page_view": "page", "screen_view": "screen"}
_REQUIRED = ("event_timestamp", "event_name", "user_pseudo_id", "event_params")
_PARTS = {  # which event of a batch it is, where all else is equal
    "event_bundle_sequence_id",
    "batch_event_index",
    "batch_page_id",
    "batch_ordering_id",
}
_NESTED = ("device", "traffic_source", "collected_traffic_source", "geo", "ecommerce", "items")
_OWN_COLUMNS = ("page_location", "page_referrer")  # these params have columns of their own
_DEVICES = {"desktop": "desktop", "mobile": "mobile", "tablet": "tablet", "smart tv": "tv"}
_CONTEXT = {
    "device": {"type": "device.category"},
    "os": {"name": "device.operating_system", "version": "device.operating_system_version"},
    "browser": {"name": "device.web_info.browser", "version": "device.web_info.browser_version"},
    "location": {"country": "geo.country"},
    "campaign": {
        "source": "collected_traffic_source.manual_source",
        "medium": "collected_traffic_source.manual_medium",
        "name": "collected_traffic_source.manual_campaign_name",
    },
    "traffic_source": {
        "source": "traffic_source.source",
        "medium": "traffic_source.medium",
        "name": "traffic_source.name",
    },
}


@dataclass(frozen=True)
class Ga4Adapter:
    """Reads rows of a GA4 export.

    Attributes:
        now_us: when the data is read, to refuse times from the future; None relies on the time of upload.
    """

    now_us: int | None = None
    name: str = "ga4"

    def columns(self, wanted: tuple[str, ...]) -> tuple[str, ...] | None:
        """Returns the columns of the export that are used; always the same, as message ids are made of them."""
        return (*_REQUIRED, "user_id", "event_server_timestamp_offset", "stream_id", *sorted(_PARTS), *_NESTED)

    def adapt(self, rows: pa.Array | pa.Table, source: str) -> Adapted:
        """Adapts lines or a table (N rows); see ``features.adapters.Adapter``.

        Raises:
            ColumnsError: the table lacks a column that every GA4 export has, or has it in another type.
        """
        if not isinstance(rows, pa.Table):
            columns, lines, verdicts = read_lines(rows, draw_columns)
            return _adapt(columns, verdicts, lines, source, self.now_us)
        raw = {name: one_chunk(rows, name) for name in rows.column_names}
        for name in _REQUIRED:
            find_column(raw, name, "every GA4 export has", source)
        return _adapt(raw, Verdicts(rows.num_rows), None, source, self.now_us)


def _adapt(
    raw: Mapping[str, pa.Array], verdicts: Verdicts, lines: Rows | None, source: str, now_us: int | None
) -> Adapted:
    count = len(verdicts.codes)

    def text(path: str) -> pa.Array:
        found = find_optional(raw, path)
        return pa.nulls(count, pa.string()) if found is None else as_text(found, verdicts, path, source)

    params = read_params(raw["event_params"], verdicts, source)
    names = text("event_name")
    time_us = _time(raw, "event_timestamp", source)
    verdicts.reject(pc.and_(time_us.is_null(), raw["event_timestamp"].is_valid()).to_numpy(False), BAD_TIME)
    columns = {
        "anonymous_id": text("user_pseudo_id"),
        "user_id": text("user_id"),
        "type": pc.fill_null(_look_up(names, _TYPES), "track"),
        "event": pc.coalesce(_look_up(names, EVENT_NAMES), names),
        "timestamp_us": time_us,
        "received_at_us": _received(raw, time_us, source),
        "url": params.text("page_location"),
        "referrer": params.text("page_referrer"),
        "properties": _properties(raw, params, names, verdicts, source),
        "context": _context(text, params),
        "source": text("stream_id"),
    }
    identity = {**columns, **{name: text(name) for name in _PARTS}}
    rows = lines or TableRows(dict(raw), count, identity)
    return settle(columns, verdicts, rows, source, now_us)


def _look_up(names: pa.Array, table: Mapping[str, str]) -> pa.Array:
    found = pc.index_in(names, pa.array(list(table)), skip_nulls=True)
    return pa.array(list(table.values())).take(found)


def _time(raw: Mapping[str, pa.Array], name: str, source: str) -> pa.Array:
    given = raw[name]
    if pa.types.is_timestamp(given.type):
        return given.cast(pa.timestamp("us", given.type.tz), safe=False).cast(pa.int64())
    if not pa.types.is_integer(given.type):
        raise ColumnsError(
            f"{source} has column {name!r} as {given.type}; a GA4 export has it as int64 microseconds; convert it, or "
            "give a mapping file"
        )
    return parse_numbers(given, "us")


def _received(raw: Mapping[str, pa.Array], time_us: pa.Array, source: str) -> pa.Array:
    """Returns the time of upload, if the export says how long after the event that was."""
    if "event_server_timestamp_offset" not in raw or pa.types.is_null(raw["event_server_timestamp_offset"].type):
        return pa.nulls(len(time_us), pa.int64())
    return pc.add(time_us, _time(raw, "event_server_timestamp_offset", source))


def _properties(
    raw: Mapping[str, pa.Array], params: Params, names: pa.Array, verdicts: Verdicts, source: str
) -> pa.Array:
    """Returns the event's params, but for those with a column of their own, and Segment's names of an order's facts."""
    own = pc.is_in(params.keys, pa.array(_OWN_COLUMNS))
    values = pc.if_else(own, pa.scalar(None, pa.string()), params.json)
    facts: dict[str, pa.Array] = {}
    revenue = find_optional(raw, "ecommerce.purchase_revenue")
    given = pa.nulls(len(names), pa.float64()) if revenue is None else revenue.cast(pa.float64())
    bought = pc.equal(names, "purchase")
    value = pc.if_else(bought, params.number("value"), pa.scalar(None, pa.float64()))
    facts["revenue"] = json_numbers(pc.coalesce(given, value))
    order = find_optional(raw, "ecommerce.transaction_id")
    if order is not None:
        facts["order_id"] = json_strings(as_text(order, verdicts, "ecommerce.transaction_id", source))
    if "items" in raw:
        facts["product_id"], facts["products"] = products(raw["items"], verdicts, source)
    return merge_objects(json_pairs(params.offsets, params.keys, values), json_objects(facts))


def _context(text: Callable[[str], pa.Array], params: Params) -> pa.Array:
    """Returns device, campaign and so on under the names of Segment's context."""
    parts = {}
    for name, fields in _CONTEXT.items():
        given = {field: text(path) for field, path in fields.items()}
        if name == "device":
            given["type"] = pc.coalesce(_look_up(pc.utf8_lower(given["type"]), _DEVICES), given["type"])
        parts[name] = json_objects({field: json_strings(column) for field, column in given.items()})
    parts["locale"] = json_strings(text("device.language"))
    parts["test"] = pc.if_else(params.has("debug_mode"), "true", pa.scalar(None, pa.string()))
    return json_objects(parts)
