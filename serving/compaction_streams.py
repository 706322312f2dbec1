"""What the lines of each stream become: rows of one Arrow schema, and dead letters."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from features.checks import NOT_JSON, WRONG_TYPE, dead_letters, no_dead_letters
from features.events import DEAD_LETTER_SCHEMA, EVENT_SCHEMA, Adapted
from features.recent_rules import RESERVED_PREFIX
from features.segment import SegmentAdapter
from features.tombstones import Tombstones
from serving.archive import EVENTS, HEATMAPS, PREDICTIONS, RECOMMENDATIONS, REJECTED

PREDICTION_SCHEMA = pa.schema(
    [
        pa.field("prediction_id", pa.string()),
        pa.field("time_us", pa.int64()),
        pa.field("model", pa.string()),
        pa.field("version", pa.string()),
        pa.field("visitor", pa.string()),
        pa.field("known", pa.bool_()),
        pa.field("probability", pa.float32()),
        pa.field("probabilities", pa.list_(pa.float32())),
        pa.field("segment", pa.string()),
        pa.field("events_used", pa.int64()),
        pa.field("events_hash", pa.string()),
        pa.field("truncated", pa.bool_()),
        pa.field("asked_by", pa.string()),
        pa.field("other", pa.string()),
    ]
)
"""A logged prediction; ``other`` holds, as a JSON object, the fields of a line that have no column of their own."""

HEATMAP_SCHEMA = pa.schema(
    [
        pa.field("heatmap_id", pa.string()),
        pa.field("time_us", pa.int64()),
        pa.field("request_id", pa.string()),
        pa.field("kind", pa.string()),
        pa.field("outcome", pa.string()),
        pa.field("status", pa.int64()),
        pa.field("model", pa.string()),
        pa.field("version", pa.string()),
        pa.field("format", pa.string()),
        pa.field("images", pa.list_(pa.string())),
        pa.field("bytes", pa.int64()),
        pa.field("width", pa.int64()),
        pa.field("height", pa.int64()),
        pa.field("regions", pa.int64()),
        pa.field("asked_by", pa.string()),
        pa.field("seconds", pa.float64()),
        pa.field("other", pa.string()),
    ]
)
"""A logged request for a heatmap or a comparison; ``other`` is as in ``PREDICTION_SCHEMA``."""

RECOMMENDATION_SCHEMA = pa.schema(
    [
        pa.field("recommendation_id", pa.string()),
        pa.field("time_us", pa.int64()),
        pa.field("request_id", pa.string()),
        pa.field("outcome", pa.string()),
        pa.field("status", pa.int64()),
        pa.field("model", pa.string()),
        pa.field("version", pa.string()),
        pa.field("target", pa.string()),
        pa.field("campaign_type", pa.string()),
        pa.field("industry", pa.string()),
        pa.field("shoe_type", pa.string()),
        pa.field("brand", pa.string()),
        pa.field("gender", pa.string()),
        pa.field("probability", pa.float64()),
        pa.field("best_variant", pa.string()),
        pa.field("reliable", pa.bool_()),
        pa.field("images", pa.list_(pa.string())),
        pa.field("bytes", pa.int64()),
        pa.field("width", pa.int64()),
        pa.field("height", pa.int64()),
        pa.field("asked_by", pa.string()),
        pa.field("seconds", pa.float64()),
        pa.field("other", pa.string()),
    ]
)
"""A logged request for a recommendation; ``other`` is as in ``PREDICTION_SCHEMA``."""

SCHEMAS: Mapping[str, pa.Schema] = {
    EVENTS: EVENT_SCHEMA,
    REJECTED: DEAD_LETTER_SCHEMA,
    PREDICTIONS: PREDICTION_SCHEMA,
    HEATMAPS: HEATMAP_SCHEMA,
    RECOMMENDATIONS: RECOMMENDATION_SCHEMA,
}
"""The schema of each stream's parts."""

_ID = re.compile(r'"(?:anonymousId|userId)":"(?:[^"\\]|\\.)*"')

_KINDS: Mapping[pa.DataType, tuple[type, ...]] = {
    pa.string(): (str,),
    pa.int64(): (int,),
    pa.float32(): (float, int),
    pa.float64(): (float, int),
    pa.bool_(): (bool,),
}


def read_stream(stream: str, lines: list[bytes]) -> Adapted:
    """Returns what the lines (N,) of a spool file are: every line is in exactly one of rows and dead letters.

    Args:
        stream: one of ``SCHEMAS``.
        lines: JSON objects; a line that is none is a dead letter.

    Returns:
        ``events`` in the stream's schema, ``rejected`` in ``DEAD_LETTER_SCHEMA``.
    """
    if stream == EVENTS:
        return SegmentAdapter().adapt(pa.array(lines, pa.binary()), "spool")
    rows: list[dict[str, Any]] = []
    reasons: list[str] = []
    texts: list[str] = []
    schema = SCHEMAS[stream]
    take: Callable[[dict[str, Any]], dict[str, Any]] = _letter if stream == REJECTED else partial(_logged, schema)
    for line in lines:
        try:
            row = orjson.loads(line)
            rows.append(take(row))
        except orjson.JSONDecodeError:
            reasons.append(NOT_JSON)
            texts.append(line.decode(errors="replace"))
        except (TypeError, KeyError, AttributeError):
            reasons.append(WRONG_TYPE)
            texts.append(line.decode(errors="replace"))
    rejected = dead_letters(reasons, texts, "spool") if reasons else no_dead_letters()
    return Adapted(pa.RecordBatch.from_pylist(rows, schema=schema), rejected)


def forgotten(stream: str, rows: pa.RecordBatch, tombstones: Tombstones, hour_us: int) -> npt.NDArray[np.bool_]:
    """Says which rows (N,) of a stream are a forgotten visitor's.

    A dead letter is one's if the message it quotes names the visitor, and it came in the tombstone's hour or before.

    Args:
        stream: one of ``SCHEMAS``.
        rows: in the stream's schema.
        tombstones: the forgotten.
        hour_us: beginning of the hour in which they were received, int64 microseconds UTC.
    """
    if not len(tombstones) or not rows.num_rows:
        return np.zeros(rows.num_rows, np.bool_)
    if stream == EVENTS:
        return tombstones.mask(rows)
    if stream in (HEATMAPS, RECOMMENDATIONS):
        return np.zeros(rows.num_rows, np.bool_)  # they name nobody
    found: npt.NDArray[np.bool_]
    if stream == PREDICTIONS:
        times = rows.column("time_us").fill_null(hour_us).to_numpy(zero_copy_only=False)
        found = times <= tombstones.until(rows.column("visitor"))
        return found
    names = [_names(text) for text in rows.column("row").to_pylist()]
    owners = np.repeat(np.arange(len(names)), [len(each) for each in names])
    times = tombstones.until(pa.array([name for each in names for name in each], pa.string()))
    found = np.zeros(len(names), np.bool_)
    found[owners[times >= hour_us]] = True
    return found


def _letter(row: dict[str, Any]) -> dict[str, Any]:
    letter = {"reason": row["reason"], "row": row["row"], "source": row.get("source")}
    if not (isinstance(letter["reason"], str) and isinstance(letter["row"], str)):
        raise TypeError("a dead letter is text")
    return {**letter, "source": letter["source"] if isinstance(letter["source"], str) else None}


def _logged(schema: pa.Schema, row: dict[str, Any]) -> dict[str, Any]:
    known: dict[str, Any] = {}
    other: dict[str, Any] = {}
    for name, value in row.items():
        place = schema.get_field_index(name)
        fits = place >= 0 and name != "other" and _fits(value, schema.field(place).type)
        (known if fits else other)[name] = value
    if other:
        known["other"] = orjson.dumps(other).decode()
    return known


def _fits(value: Any, kind: pa.DataType) -> bool:
    if value is None:
        return True
    if pa.types.is_list(kind):
        return type(value) is list and all(_fits(item, kind.value_type) for item in value)
    return type(value) in _KINDS[kind] and not (type(value) is int and value >= 1 << 63)


def _names(text: str) -> list[str]:
    """Returns the names of visitors in the message that a dead letter quotes, as far as it can be read."""
    try:
        row = orjson.loads(text)
    except orjson.JSONDecodeError:  # perhaps its end was cut off, as that of a message that was too large
        return [name for found in _ID.finditer(text) for name in _names_in(f"{{{found[0]}}}")]
    return _names_of(row)


def _names_in(text: str) -> list[str]:
    try:
        return _names_of(orjson.loads(text))
    except orjson.JSONDecodeError:
        return []


def _names_of(row: Any) -> list[str]:
    if not isinstance(row, dict):
        return []
    anonymous, user = row.get("anonymousId"), row.get("userId")
    names = [anonymous] if isinstance(anonymous, str) else []
    return [*names, RESERVED_PREFIX + user] if isinstance(user, str) else names
