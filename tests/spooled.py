"""Spool files and archives for tests: messages, who wrote them, and what is in the partitions."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq

from features.storage import open_filesystem
from serving.compaction_parts import list_parts
from serving.spool import HOUR_US, SpoolFile

NOON_US = 1_769_860_800_000_000  # 2026-01-31T12:00:00Z


def message(message_id: str, visitor: str = "v", at_us: int = NOON_US, **more: Any) -> dict[str, Any]:
    """Returns a received message of Segment's form."""
    at = datetime.fromtimestamp(at_us / 1e6, UTC).isoformat()
    named = {"type": "track", "event": "Seen", "messageId": message_id, "anonymousId": visitor}
    return {**named, "timestamp": at, "receivedAt": at, **more}


def write_spool(
    spool: Path, messages: Iterable[dict[str, Any] | bytes], hour_us: int = NOON_US, stream: str = "events"
) -> Path:
    """Writes a closed spool file."""
    file = SpoolFile(spool / stream, hour_us)
    lines = [item if isinstance(item, bytes) else orjson.dumps(item) for item in messages]
    file.append(b"\n".join([*lines, b""]))
    file.close()
    return file.path


def rows_of(archive: str | Path, stream: str = "events") -> list[dict[str, Any]]:
    """Returns all rows of a stream's partitions."""
    rows = []
    for part in list_parts(str(archive), stream):
        fs, target = open_filesystem(part)
        with fs.open(target, "rb") as file:
            rows += pq.ParquetFile(file).read().to_pylist()
    return rows


def keys_of(archive: str | Path) -> Counter[tuple[str, str]]:
    """Returns how often each (anonymous id, message id) is in the partitions of the events."""
    return Counter((row["anonymous_id"], row["message_id"]) for row in rows_of(archive))


def hours(count: float) -> int:
    """Returns hours as microseconds."""
    return round(count * HOUR_US)
