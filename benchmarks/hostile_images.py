"""Whether any image file can crash, hang or bloat the process that decodes it: ``make bench-hostile-images``.

10,000 files (see ``benchmarks.hostile_files``) go through decoding, letterboxing and hashing in a process of their own,
as in the pipeline and the service. A crash is a process that died or an exception that is no ``ImageError``; a hang is
more than five seconds of processor time on one file. The largest files within the limits are measured besides.
"""

import argparse
import multiprocessing
import os
import resource
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain, islice
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.figures import Figure, write_results
from benchmarks.hostile_files import bombs, good_files, largest, spoiled
from features.images import ImageLimits, decode_image
from features.images_fit import letterbox
from features.images_hash import perceptual_hash
from features.images_headers import ImageError

FILES = 10_000
PHOTOGRAPHS = 8
SEED = 20
MOST_SECONDS = 5.0
MOST_BYTES = 4 * 2**30
PAUSED_SECONDS = 600.0
"""How long an answer may take on a machine that does other things; only processor time makes a hang."""


@dataclass
class _Seen:
    """What happened to the files of one run."""

    outcomes: Counter[str] = field(default_factory=Counter)
    crashes: list[str] = field(default_factory=list)
    hangs: list[str] = field(default_factory=list)
    seconds: float = 0.0
    slowest: str = ""
    peak_mb: float = 0.0
    fattest: str = ""


def main() -> None:
    """Decodes them all, and writes ``benchmarks/results/hostile_images.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=FILES)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    folder = Path(os.environ.get("AUGURY_DATA", "../shared/data")) / "osie" / "images"
    photographs = [path.read_bytes() for path in sorted(folder.glob("*.jpg"))[:PHOTOGRAPHS]]
    if not photographs:
        raise SystemExit(f"no photographs in {folder}; name the data's folder in AUGURY_DATA")
    files = chain(bombs(), spoiled(good_files(photographs), options.files, options.seed))
    hostile = _run(islice(files, options.files))
    _tell("hostile", hostile)
    limits = ImageLimits()
    heavy = _run(largest(limits.max_pixels, limits.max_side, options.seed))
    _tell("largest", heavy)
    total = sum(hostile.outcomes.values())
    said = ", ".join(f"{count} {name}" for name, count in hostile.outcomes.most_common())
    bad = len(hostile.crashes) + len(hostile.hangs)
    write_results(
        "hostile-images",
        [
            Figure(
                "hostile_images_crashes", f"crashes and hangs over 5 s among {total} files: {said}", bad, "", "== 0"
            ),
            Figure("hostile_images_slowest", f"slowest of them: {hostile.slowest}", hostile.seconds, "s", "< 5"),
            Figure("hostile_images_memory", f"peak above idle: {hostile.fattest}", hostile.peak_mb, "MB"),
            Figure("largest_image_seconds", f"slowest within the limits: {heavy.slowest}", heavy.seconds, "s", "< 5"),
            Figure("largest_image_memory", f"peak above idle: {heavy.fattest}", heavy.peak_mb, "MB", "< 1024"),
        ],
    )


def _tell(name: str, seen: _Seen) -> None:
    print(f"{name}: {dict(seen.outcomes)}; {seen.seconds:.2f} s {seen.slowest}; {seen.peak_mb:.0f} MB {seen.fattest}")
    for line in (*seen.crashes, *seen.hangs):
        print(f"  {line}")


def _run(files: Iterable[tuple[str, bytes]]) -> _Seen:
    """Decodes each file in a worker, which a new one replaces when it dies or hangs."""
    seen, worker = _Seen(), _Worker()
    try:
        for name, data in files:
            outcome, seconds, peak_mb = worker.decode(data)
            seen.outcomes[outcome.split(":")[0]] += 1
            if outcome.startswith("crash"):
                seen.crashes.append(f"{name}: {outcome}")
            elif outcome == "hang" or seconds > MOST_SECONDS:
                seen.hangs.append(f"{name}: {seconds:.1f} s")
            if outcome == "hang" or outcome.startswith("crash: exit code"):
                worker.end()
                worker = _Worker()
            if seconds > seen.seconds:
                seen.seconds, seen.slowest = seconds, f"{name}, {outcome}"
            if peak_mb > seen.peak_mb:
                seen.peak_mb, seen.fattest = peak_mb, f"{name}, {outcome}"
    finally:
        worker.end()
    return seen


class _Worker:
    """A process that decodes one file after another."""

    def __init__(self) -> None:
        around = multiprocessing.get_context("spawn")
        self._here, there = around.Pipe()
        self._process = around.Process(target=_serve, args=(there,), daemon=True)
        self._process.start()
        there.close()

    def decode(self, data: bytes) -> tuple[str, float, float]:
        """Returns the outcome, seconds of processor time and the peak of memory above idle in MB."""
        start, before = time.monotonic(), self._cpu_seconds()
        try:
            self._here.send_bytes(data)
            while not self._here.poll(0.5):
                used = self._cpu_seconds() - before
                if used > 2 * MOST_SECONDS or time.monotonic() - start > PAUSED_SECONDS:
                    return "hang", used, 0.0
            outcome, seconds, peak_mb = self._here.recv()
        except (EOFError, ConnectionError):
            self._process.join()
            return f"crash: exit code {self._process.exitcode}", 0.0, 0.0
        return outcome, seconds, peak_mb

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self._here.close()

    def _cpu_seconds(self) -> float:
        try:
            fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _serve(there: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    while True:
        try:
            data = there.recv_bytes()
        except EOFError:
            return
        Path("/proc/self/clear_refs").write_text("5")
        idle_mb, start = _peak_mb(), time.process_time()
        try:
            image = decode_image(data)
            letterbox(image, 320, 240)
            perceptual_hash(image)
            outcome = "decoded"
        except ImageError as e:
            outcome = e.reason
        except Exception as e:  # noqa: BLE001  # it is what is counted
            outcome = f"crash: {e!r}"[:200]
        image = None
        there.send((outcome, time.process_time() - start, _peak_mb() - idle_mb))


def _peak_mb() -> float:
    """Returns the greatest memory of this process since it was last reset."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


if __name__ == "__main__":
    main()
