"""The compactor process: turns closed spool files into the archive's Parquet, again and again.

``python -m serving.compactor``. It may be killed at any point; the next one goes on.
"""

import argparse
import logging
import os
import select
import signal
import sys
import time

from features.errors import AuguryError
from serving.compaction import compact
from serving.logs import set_up_logs
from serving.settings import Settings, load_settings

_log = logging.getLogger("serving.compactor")


def main(arguments: list[str]) -> None:
    """Compacts every ``compact_seconds`` until it is told to stop or its supervisor is gone."""
    parser = argparse.ArgumentParser(prog="python -m serving.compactor")
    parser.add_argument("--lifeline", type=int, required=True, help="file descriptor")
    lifeline = parser.parse_args(arguments).lifeline
    settings = load_settings()
    set_up_logs(settings.log_level)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal reaches every process; the supervisor decides
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # nothing needs to be finished
    while not select.select([lifeline], [], [], settings.compact_seconds)[0]:
        _compact(settings)


def _compact(settings: Settings) -> None:
    try:
        report = compact(
            settings.spool, settings.archive, dedup_hours=settings.archive_dedup_hours, now_us=time.time_ns() // 1000
        )
    except (AuguryError, OSError) as e:
        _log.error("the spool cannot be compacted: %s", e)
    else:
        _log.debug("compacted: %s", report)


if __name__ == "__main__":
    main(sys.argv[1:])
