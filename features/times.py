"""Times in whatever form a source gives them, to int64 microseconds UTC, a column at a time."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

UNITS = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}
"""Microseconds in one of each unit that a number can count."""

_SCALES = ((1e11, 1e6), (1e14, 1e3), (1e17, 1.0), (math.inf, 1e-3))
# A number says its own unit: between 2000 and 2100 seconds, milliseconds, microseconds and nanoseconds since 1970 have
# 9-10, 12-13, 15-16 and 18-19 digits, so no believable time is ambiguous.

_ISO = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?$"
_ZONE = r"(Z|z|\s?UTC|[+-]\d{2}(:?\d{2})?)$"
_WHOLE = r"^-?(\d{1,18}|[1-8]\d{18})$"
_NUMERIC = r"^-?\d{1,19}(\.\d{1,18})?([eE][+-]?\d{1,2})?$"
_MAX_US = 2**62


def parse_iso(texts: pa.Array) -> pa.Array:
    """Returns int64 microseconds UTC of ISO 8601 texts (N,), null where a text is null or no time.

    ``2024-05-01``, ``2024-05-01T12:30``, ``2024-05-01 12:30:15.123456789Z`` and offsets such as ``+02:00`` are
    understood; digits beyond microseconds are cut, and a text without a zone is UTC.
    """
    try:
        return pc.cast(texts, pa.timestamp("us", "UTC")).cast(pa.int64())
    except pa.ArrowInvalid:
        pass
    zoned = pc.replace_substring_regex(pc.utf8_trim_whitespace(texts), r"(\.\d{6})\d+", r"\1")
    zoned = pc.replace_substring_regex(zoned, r"^(\d{4}-\d{2}-\d{2}[T ].*\d)(z|\s?UTC)$", r"\1Z")
    zoned = pc.if_else(pc.match_substring_regex(zoned, _ISO), pc.binary_join_element_wise(zoned, "Z", ""), zoned)
    midnight = pc.match_substring_regex(zoned, r"^\d{4}-\d{2}-\d{2}Z$")
    zoned = pc.if_else(midnight, pc.replace_substring(zoned, "Z", "T00:00Z"), zoned)
    try:
        return pc.cast(zoned, pa.timestamp("us", "UTC")).cast(pa.int64())
    except pa.ArrowInvalid:
        return _each(zoned)


def parse_numbers(values: pa.Array, unit: str) -> pa.Array:
    """Returns int64 microseconds UTC of numbers (N,) counting ``unit`` since 1970, null where there is none.

    Args:
        values: integers or floats.
        unit: a key of ``UNITS``, or ``"auto"`` to read the unit off the size of each number.
    """
    if pa.types.is_integer(values.type) and unit != "auto":
        return _exact(values, unit)
    numbers = pc.cast(values, pa.float64(), safe=False)
    floats: npt.NDArray[np.float64] = pc.fill_null(numbers, np.nan).to_numpy(False)
    with np.errstate(invalid="ignore", over="ignore"):
        if unit == "auto":
            size = np.abs(floats)
            scales = np.select([size < bound for bound, _ in _SCALES], [scale for _, scale in _SCALES], np.nan)
        else:
            scales = np.full(len(floats), UNITS[unit])
        time_us = np.rint(floats * scales)
        good = np.isfinite(time_us) & (np.abs(time_us) < _MAX_US)
        whole = np.where(good, time_us, 0).astype(np.int64)
    return pa.array(whole, pa.int64(), mask=~good)


def parse_mixed(values: list[Any]) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
    """Returns int64 microseconds UTC of JSON values (N,), and bool (N,) saying where there was a value but no time.

    Strings are ISO 8601, or digits as a number would be; numbers tell their unit by their size.
    """
    try:
        texts = pa.array(values, pa.string())
        numbers: list[Any] | None = None
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        texts = pa.array([value if isinstance(value, str) else None for value in values], pa.string())
        numbers = [
            float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
            for value in values
        ]
    time_us = parse_text(texts, "auto")
    if numbers is not None:
        time_us = pc.coalesce(time_us, parse_numbers(pa.array(numbers, pa.float64()), "auto"))
    if not time_us.null_count:
        return time_us, np.zeros(len(values), np.bool_)
    given = np.fromiter((value is not None and value != "" for value in values), np.bool_, len(values))
    return time_us, given & time_us.is_null().to_numpy(False)


def parse_text(texts: pa.Array, unit: str) -> pa.Array:
    """Returns int64 microseconds UTC of texts (N,), null where a text is null or no time.

    Args:
        texts: ISO 8601, or numbers written out.
        unit: ``"iso"``, a key of ``UNITS``, or ``"auto"`` (ISO 8601 first, then numbers by their size).
    """
    time_us = parse_iso(texts) if unit in ("iso", "auto") else pa.nulls(len(texts), pa.int64())
    if unit == "iso" or time_us.null_count == texts.null_count:
        return time_us
    trimmed = pc.utf8_trim_whitespace(texts)
    if unit != "auto":
        whole = pc.if_else(pc.match_substring_regex(trimmed, _WHOLE), trimmed, pa.scalar(None, pa.string()))
        time_us = _exact(pc.cast(whole, pa.int64()), unit)
        if time_us.null_count == texts.null_count:
            return time_us
    numeric = pc.if_else(pc.match_substring_regex(trimmed, _NUMERIC), trimmed, pa.scalar(None, pa.string()))
    return pc.coalesce(time_us, parse_numbers(pc.cast(numeric, pa.float64()), unit))


def _exact(values: pa.Array, unit: str) -> pa.Array:
    """Returns integers times their unit, without the rounding of floats; null where int64 would overflow."""
    whole = pc.cast(values, pa.int64(), safe=False)
    if pa.types.is_uint64(values.type):  # what does not fit has wrapped around
        whole = pc.if_else(pc.less(whole, 0), pa.scalar(None, pa.int64()), whole)
    if unit == "ns":
        return pc.divide(whole, 1000)
    factor = int(UNITS[unit])
    limit = _MAX_US // factor
    fits = pc.and_(pc.less(whole, limit), pc.greater(whole, -limit))
    return pc.multiply(pc.if_else(fits, whole, pa.scalar(None, pa.int64())), factor)


def _each(texts: pa.Array) -> pa.Array:
    """Returns the times of texts of which some are none: halves that parse whole are not looked into further."""
    if len(texts) == 1:
        return pa.nulls(1, pa.int64())
    half = len(texts) // 2
    parts = []
    for part in (texts[:half], texts[half:]):
        try:
            parts.append(pc.cast(part, pa.timestamp("us", "UTC")).cast(pa.int64()))
        except pa.ArrowInvalid:
            parts.append(_each(part))
    return pa.concat_arrays(parts)
