"""The compactor process: turns closed spool files into the archive's Parquet, again and again.

``python -m serving.compactor``. It may be killed at any point; the next one goes on.
"""

import argparse
import os
import select
import signal
import sys

from serving.compaction import run_forever
from serving.logs import set_up_logs
from serving.settings import load_settings


def main(arguments: list[str]) -> None:
    """Compacts every ``compact_seconds`` until it is told to stop or its supervisor is gone."""
    parser = argparse.ArgumentParser(prog="python -m serving.compactor")
    parser.add_argument("--lifeline", type=int, required=True, help="file descriptor")
    lifeline = parser.parse_args(arguments).lifeline
    settings = load_settings()
    set_up_logs(settings.log_level)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal reaches every process; the supervisor decides
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # nothing needs to be finished
    run_forever(settings, lambda seconds: bool(select.select([lifeline], [], [], seconds)[0]))


if __name__ == "__main__":
    main(sys.argv[1:])
