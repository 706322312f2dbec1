"""Compaction: closed spool files become hourly Parquet partitions.

It runs beside the service in a process of its own (``serving.compactor``), which may be killed at any instant: what it
was doing is done again, and nothing is lost or there twice.
"""

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from features.errors import AuguryError
from features.storage import explained
from features.tombstones import Tombstones, tombstone_files
from serving.archive import LOGS, STREAMS
from serving.compaction_batch import BatchCounts, Job, plan_batches, remove_files, write_batch
from serving.compaction_metrics import CompactionMetrics
from serving.compaction_parts import BusyError, alone, hour_of_part, list_parts, remove
from serving.forgetting import Rewritten, apply_tombstones, pending_tombstones, tombstones_folder
from serving.settings import Settings
from serving.spool import HOUR_US, hour_of, spool_files

_LOG = logging.getLogger(__name__)
_EXPIRY_SECONDS = 3600
_STEPS_BACK = 10  # how far the process steps back behind the service's workers


@dataclass(frozen=True)
class CompactionReport:
    """What a compaction did.

    Attributes:
        counts: what became of the spool's lines.
        still_open: spool files that a living process writes, left for later.
        forgotten: what was taken out of earlier partitions.
        expired: old parts of predictions and heatmaps that were removed.
        seconds: how long it took.
    """

    counts: BatchCounts = field(default_factory=BatchCounts)
    still_open: int = 0
    forgotten: Rewritten = field(default_factory=Rewritten)
    expired: int = 0
    seconds: float = 0.0


def compact(
    spool: str | os.PathLike[str],
    archive: str,
    *,
    dedup_hours: int = 24,
    now_us: int | None = None,
    prediction_log_days: int | None = None,
    counts: BatchCounts | None = None,
) -> CompactionReport:
    """Turns all closed spool files into partitions of the archive.

    Copies of an event, equal in anonymous id and message id, that were received within ``dedup_hours`` are dropped, and
    so is what was received from a forgotten visitor; tombstones that are new rewrite earlier partitions.

    Args:
        spool: the spool's folder, with one folder a stream.
        archive: root of the archive, local or on ``gs://``.
        dedup_hours: how many hours before and after its own a copy of an event is looked for.
        now_us: the time that ``prediction_log_days`` counts from, int64 microseconds UTC; by default now.
        prediction_log_days: parts of predictions and heatmaps older than this are removed; None keeps them.
        counts: what to count in, for whoever wants to know how far it came before an error.

    Raises:
        BusyError: another compaction is at work.
        AuguryError: something cannot be read or written, in one line; nothing is lost, the next call does it again.
    """
    began = time.monotonic()
    root, folder = archive.rstrip("/"), Path(spool)
    counts = BatchCounts() if counts is None else counts
    with alone(folder, root) as staging:
        known = tombstone_files(tombstones_folder(root))
        job = Job(root, staging, dedup_hours, Tombstones.load(tombstones_folder(root)))
        still_open = sum(_compact_stream(stream, folder / stream, job, counts) for stream in STREAMS)
        # One that came while the above was going on may have missed what the above wrote.
        newer = [name for name in tombstone_files(tombstones_folder(root)) if name not in known]
        forgotten = apply_tombstones(root, sorted({*pending_tombstones(root), *newer}))
        expired = 0
        if prediction_log_days is not None:
            expired = _expire(root, time.time_ns() // 1000 if now_us is None else now_us, prediction_log_days)
    return CompactionReport(counts, still_open, forgotten, expired, time.monotonic() - began)


def compact_once(settings: Settings, counts: BatchCounts | None = None, expiring: bool = True) -> CompactionReport:
    """Compacts as the settings say; see ``compact``. Looking for what has expired means listing all that is logged."""
    return compact(
        settings.spool,
        settings.archive,
        dedup_hours=settings.archive_dedup_hours,
        prediction_log_days=settings.prediction_log_days if expiring else None,
        counts=counts,
    )


def run_forever(settings: Settings, wait: Callable[[float], bool]) -> None:
    """Compacts every ``compact_seconds``; an error is logged and counted, and the next try follows.

    Args:
        settings: as loaded.
        wait: lets so many seconds pass, and says whether it is time to stop.
    """
    os.nice(_STEPS_BACK)
    pa.set_cpu_count(1)
    metrics = CompactionMetrics()
    expires = time.monotonic()
    while not wait(settings.compact_seconds):
        counts = BatchCounts()
        expiring = time.monotonic() >= expires
        try:
            report = compact_once(settings, counts, expiring)
            if expiring:
                expires += _EXPIRY_SECONDS
            metrics.add_report(report.forgotten, report.expired)
            _log(report)
        except BusyError as e:
            _LOG.info("%s", e)
        except (AuguryError, OSError) as e:
            metrics.failures.inc()
            _LOG.error("the spool cannot be compacted: %s", e)
        metrics.add_counts(counts)


def _compact_stream(stream: str, folder: Path, job: Job, counts: BatchCounts) -> int:
    """Compacts one stream, hour by hour, oldest first; returns the number of files still open."""
    with explained(folder, "read"):
        closed, still_open = spool_files(folder)
    by_hour: dict[int, list[Path]] = {}
    for path in closed:
        by_hour.setdefault(hour_of(path) or 0, []).append(path)
    for hour_us, paths in sorted(by_hour.items()):
        batches, done = plan_batches(stream, hour_us, paths, job)
        remove_files(done, counts)
        for batch in batches:
            write_batch(stream, hour_us, batch, job, counts)
    return len(still_open)


def _expire(root: str, now_us: int, days: int) -> int:
    last_us = now_us - days * 24 * HOUR_US
    parts = [part for stream in LOGS for part in list_parts(root, stream)]
    old = [part for part in parts if (hour_of_part(part) or 0) + HOUR_US <= last_us]
    for part in old:
        remove(part)
    return len(old)


def _log(report: CompactionReport) -> None:
    counts = report.counts
    if not (counts.files or report.forgotten.parts or report.expired):
        return
    _LOG.info(
        "compacted",
        extra={
            "files": counts.files,
            "lines": counts.lines,
            "torn": counts.torn,
            "rows": dict(counts.rows),
            "dropped": dict(+counts.dropped),
            "rejected": dict(counts.rejected),
            "still_open": report.still_open,
            "forgotten": dict(report.forgotten.rows),
            "expired": report.expired,
            "seconds": round(report.seconds, 3),
        },
    )
