"""The creative-examples pipeline: speed with one process and with two, and memory: ``make bench-variants-pipeline``."""

import argparse
import hashlib
import os
import shutil
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import orjson

from benchmarks.figures import Figure, write_results
from benchmarks.process_tree import run_tree
from benchmarks.processes import Run, run_side
from features.fingerprinted import DATASET_CARD

SIDE = "benchmarks.variants_pipeline_side"
FEW = 2
"""Photos of the run whose time is taken for the start of processes and of Beam."""
TIMES = 2
"""How often every photo is listed, under another name each time, where speed is measured: one run is too short."""
LARGER = 10
PLANNED = 60_000


def main() -> None:
    """Measures and writes ``benchmarks/results/variants_pipeline.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scratch", help="folder for photos and examples, 5 GB; a temporary one by default")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side; medians are taken")
    parser.add_argument("--only", choices=("speed", "memory"), help="measure one of the two; writes no results")
    given = parser.parse_args()
    photos = Path(os.environ.get("AUGURY_DATA", "../shared/data")).resolve() / "products" / "images"
    if not photos.is_dir():
        raise SystemExit(f"no {photos}; name the data's folder in AUGURY_DATA")
    scratch = Path(tempfile.mkdtemp(prefix="augury-bench-", dir=given.scratch))
    try:
        figures = []
        if given.only != "memory":
            figures += _speed(photos, scratch, given.rounds)
        if given.only != "speed":
            figures += _memory(photos, scratch)
    finally:
        shutil.rmtree(scratch)
    if given.only is None:
        write_results("variants_pipeline", figures)
    else:
        for figure in figures:
            print(f"{figure.id}: {figure.value:.4g} {figure.unit} - {figure.figure}")


def _speed(photos: Path, scratch: Path, rounds: int) -> list[Figure]:
    paths = sorted(photos.iterdir())
    whole, few = scratch / "whole", scratch / "few"
    for folder, some, times in ((whole, paths, TIMES), (few, paths[:FEW], 1)):
        for number in range(times):
            (folder / str(number)).mkdir(parents=True)
            for path in some:
                shutil.copy(path, folder / str(number))
    runs: dict[tuple[str, int], list[Run]] = {}
    made: set[str] = set()
    for _ in range(rounds):  # the sides in turn, so that a slow spell of the machine meets them all
        for folder in (few, whole):
            for processes in (1, 2):
                runs.setdefault((folder.name, processes), []).append(
                    run_side(SIDE, _arguments(folder, scratch, processes))
                )
                if folder is whole:
                    made.add(_digest(scratch / "examples"))
    if len(made) != 1:
        raise SystemExit("one process and two did not count the same examples")
    images = TIMES * len(paths)
    one, two = _median(runs["whole", 1]), _median(runs["whole", 2])
    start_one, start_two = _median(runs["few", 1]), _median(runs["few", 2])
    work_one, work_two = one - start_one, two - start_two
    listed = f"{images:,} photos (products/, each {TIMES} times) with simulated campaigns"
    return [
        Figure(
            "variants_pipeline_scaling",
            f"{listed}, the whole run: {images / two:.0f} images/s with 2 processes over {images / one:.0f} with 1 "
            f"({two:.1f} and {one:.1f} s)",
            one / two,
            "ratio",
            ">= 1.7",
        ),
        Figure(
            "variants_pipeline_scaling_without_start",
            f"the same without start-up (a run over {FEW} photos: {start_one:.1f} and {start_two:.1f} s): "
            f"{work_one:.1f} s with 1 process over {work_two:.1f} s with 2",
            work_one / work_two,
            "ratio",
        ),
        Figure(
            "variants_pipeline_images_per_second",
            "photos a second of the whole run with 2 processes, six variants of each",
            images / two,
            "images/s",
        ),
    ]


def _memory(photos: Path, scratch: Path) -> list[Figure]:
    paths = sorted(photos.iterdir())
    large = scratch / "large"
    for number in range(LARGER):
        (large / str(number)).mkdir(parents=True)
    for path in paths:
        _write_copies(path, large)
    peaks = [run_tree(SIDE, _arguments(folder, scratch, 2)).peak_gb for folder in (photos, large)]
    few, many = len(paths), LARGER * len(paths)
    planned = peaks[1] + max(0.0, peaks[1] - peaks[0]) / (many - few) * (PLANNED - many)
    return [
        Figure(
            "variants_peak_gb",
            f"peak of all processes together with 2 workers: {peaks[0]:.3f} GB for {few:,} photos, {peaks[1]:.3f} for "
            f"{many:,} (copies cropped and encoded anew); along that line {planned:.3f} for {PLANNED:,}",
            max(*peaks, planned),
            "GB",
            "<= 2",
        ),
        Figure(
            "variants_peak_growth",
            f"peak for {many:,} photos over that for {few:,}",
            peaks[1] / peaks[0],
            "ratio",
            "<= 1.25",
        ),
    ]


def _write_copies(path: Path, folder: Path) -> None:
    """Writes copies of a photo that differ in their crop and their bytes."""
    image = cv2.imread(str(path))
    for number in range(LARGER):
        cut = image[number : image.shape[0] - number, number:]
        cv2.imwrite(str(folder / str(number) / path.name), cut, [cv2.IMWRITE_JPEG_QUALITY, 95 - number])


def _arguments(photos: Path, scratch: Path, processes: int) -> list[str]:
    return ["--photos", str(photos), "--output", str(scratch / "examples"), "--processes", str(processes)]


def _digest(folder: Path) -> str:
    """Returns a hash of the card but for where the photos were: equal examples may differ in the order of features."""
    card = orjson.loads((folder / DATASET_CARD).read_bytes())
    del card["sources"]
    return hashlib.sha256(orjson.dumps(card, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _median(runs: Sequence[Run]) -> float:
    return statistics.median(run.seconds for run in runs)


if __name__ == "__main__":
    main()
