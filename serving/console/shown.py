"""How values are written for people: numbers, shares, times, and the names of metrics."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

_MINUS = "\N{MINUS SIGN}"
_DASH = "\N{EN DASH}"
_NAMES = {
    "auc": "AUC",
    "auc_low": "AUC, lower end",
    "auc_high": "AUC, upper end",
    "pr_auc": "PR AUC",
    "log_loss": "log loss",
    "brier": "Brier score",
    "ece": "calibration error",
    "ece_equal_mass": "calibration error, equal mass",
    "top_20_share": "positives in the top 20 %",
    "top_10_rate": "rate in the top 10 %",
    "nss": "NSS",
    "cc": "CC",
    "kld": "KL divergence",
    "information_gain": "information gain, bits",
    "skill": "skill over the mean rate",
}


def number(value: float | None, digits: int = 0) -> str:
    """Returns a number with thousands parted, a dash for none."""
    if value is None or not math.isfinite(value):
        return _DASH
    return f"{value:,.{digits}f}".replace("-", _MINUS)


def figure(value: float | None) -> str:
    """Returns a figure of a model with four decimals, or fewer where it is large."""
    if value is None or not math.isfinite(value):
        return _DASH
    return number(value, 0 if abs(value) >= 1000 or (value == int(value) and abs(value) > 1) else 4)


def signed(value: float | None, digits: int = 4) -> str:
    """Returns a difference with its sign."""
    return _DASH if value is None else f"{value:+.{digits}f}".replace("-", _MINUS)


def percent(value: float | None, digits: int = 1) -> str:
    """Returns a share in percent."""
    return _DASH if value is None else f"{number(100 * value, digits)} %"


def points(value: float | None, digits: int = 1) -> str:
    """Returns a difference of shares in percentage points, with its sign."""
    return _DASH if value is None else f"{signed(100 * value, digits)} pp"


def moment(time_us: int | None) -> str:
    """Returns a time, microseconds UTC, to the minute."""
    return _DASH if time_us is None else _utc(time_us).strftime("%Y-%m-%d %H:%M")


def moment_exactly(time_us: int) -> str:
    """Returns a time, microseconds UTC, to the second."""
    return _utc(time_us).strftime("%Y-%m-%d %H:%M:%S")


def machine_time(time_us: int) -> str:
    """Returns a time for the attribute of a ``time`` element."""
    return _utc(time_us).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def day(time_us: int) -> str:
    """Returns the day of a time, microseconds UTC."""
    return _utc(time_us).strftime("%Y-%m-%d")


def megabytes(size: int) -> str:
    """Returns a size in megabytes."""
    return f"{number(size / 1e6, 1)} MB"


def metric_name(metric: str) -> str:
    """Returns what a metric is called; nested ones have their path before it."""
    path, _, last = metric.rpartition(".")
    shown = _NAMES.get(last, last.replace("_", " "))
    return f"{path.replace('.', ' · ').replace('_', ' ')} · {shown}" if path else shown


def seconds(value: float) -> str:
    """Returns a duration."""
    return f"{value:.0f} s" if value < 90 else f"{value / 60:.0f} min"


def short_version(version: str) -> str:
    """Returns a version as people tell it from others: its day, time and the first letters of its content."""
    when, _, content = version.partition("-")
    try:
        parsed = datetime.strptime(when, "%Y%m%dT%H%M%SZ")
    except ValueError:
        return version
    return f"{parsed:%Y-%m-%d %H:%M} · {content[:6]}"


def gates_of(line: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Returns what the gates said in a line of a history."""
    return list(line.get("gates", ()))


def _utc(time_us: int) -> datetime:
    return datetime.fromtimestamp(time_us / 1e6, UTC)


FILTERS = {
    "number": number,
    "figure": figure,
    "signed": signed,
    "percent": percent,
    "points": points,
    "moment": moment,
    "moment_exactly": moment_exactly,
    "machine_time": machine_time,
    "day": day,
    "megabytes": megabytes,
    "metric_name": metric_name,
    "seconds": seconds,
    "short_version": short_version,
    "gates_of": gates_of,
}
"""What templates may call on a value."""
