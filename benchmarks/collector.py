"""The size of the browser library as the service sends it: ``make bench-collector``."""

import gzip
from pathlib import Path

from benchmarks.figures import Figure, write_results

SCRIPT = Path(__file__).parents[1] / "serving" / "static" / "augury.js"


def main() -> None:
    """Measures, and writes ``benchmarks/results/collector.json``."""
    plain = SCRIPT.read_bytes()
    packed = len(gzip.compress(plain, 9, mtime=0))
    write_results(
        "collector",
        [
            Figure(
                "collector_gzip_bytes",
                f"browser library, IIFE, gzip -9 ({len(plain)} bytes plain; Segment's analytics-next: 29.8 KB packed)",
                packed,
                "bytes",
                "<= 5120",
            )
        ],
    )


if __name__ == "__main__":
    main()
