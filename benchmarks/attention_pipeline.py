"""The attention-examples pipeline over OSIE with one process and with two: ``make bench-attention-pipeline``.

Whole runs of ``augury attention-examples`` are timed, from the start of Python to the end of the last process, one
process being one thread of computation; both must make the same examples. What a run over two images takes (the start
of Python, Beam and the processes) is no work that workers could share, and is taken off for the first figure, which the
second, of the whole command, stands beside.
"""

import argparse
import hashlib
import os
import shutil
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

from benchmarks.figures import Figure, write_results
from benchmarks.processes import Run, run_side
from features.fingerprinted import DATASET_CARD

COMMAND = "augury.cli"
FEW = 2
"""Images of the run whose time is taken for the start of processes and of Beam."""


def main() -> None:
    """Measures and writes ``benchmarks/results/attention-pipeline.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scratch", help="folder for the examples, some hundred MB; a temporary one by default")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each side; medians are taken")
    given = parser.parse_args()
    osie = Path(os.environ.get("AUGURY_DATA", "../shared/data")).resolve() / "osie"
    if not (osie / "images").is_dir():
        raise SystemExit(f"no {osie}/images; name the data's folder in AUGURY_DATA")
    scratch = Path(tempfile.mkdtemp(prefix="augury-bench-", dir=given.scratch))
    try:
        write_results("attention-pipeline", _figures(osie, scratch, given.rounds))
    finally:
        shutil.rmtree(scratch)


def _figures(osie: Path, scratch: Path, rounds: int) -> list[Figure]:
    whole, few = scratch / "whole.toml", scratch / "few.toml"
    whole.write_text(_sets(str(osie / "images"), osie))
    (scratch / "few").mkdir()
    for path in sorted((osie / "images").iterdir())[:FEW]:
        shutil.copy(path, scratch / "few")
    gaze = scratch / "few.csv"
    names = [path.name for path in (scratch / "few").iterdir()]
    gaze.write_text("image,x,y\n" + "".join(f"{name},400,300\n" for name in names))
    few.write_text(f'[[set]]\nname = "few"\nimages = "few"\ngaze = [{{ path = "{gaze}", method = "eye" }}]\n')
    runs: dict[tuple[str, int], list[Run]] = {}
    made: set[str] = set()
    for _ in range(rounds):  # the sides in turn, so that a slow spell of the machine meets them all
        for sets in (few, whole):
            for processes in (1, 2):
                output = scratch / "examples"
                shutil.rmtree(output, ignore_errors=True)
                arguments = ["attention-examples", str(sets), "--output", str(output), "--processes", str(processes)]
                runs.setdefault((sets.stem, processes), []).append(run_side(COMMAND, arguments))
                if sets is whole:
                    made.add(_digest(output))
    if len(made) != 1:
        raise SystemExit("one process and two did not make the same examples")
    images = orjson.loads((scratch / "examples" / DATASET_CARD).read_bytes())["images"]["read"]
    one, two = _median(runs["whole", 1]), _median(runs["whole", 2])
    start_one, start_two = _median(runs["few", 1]), _median(runs["few", 2])
    work_one, work_two = one - start_one, two - start_two
    return [
        Figure(
            "attention_pipeline_scaling",
            f"{images} OSIE images with eye fixations and cursor samples, start-up (a run over {FEW} images: "
            f"{start_one:.1f} and {start_two:.1f} s) taken off: {work_one:.1f} s with 1 process over {work_two:.1f} s "
            "with 2",
            work_one / work_two,
            "ratio",
            ">= 1.6",
        ),
        Figure(
            "attention_pipeline_scaling_with_start",
            f"the same, the whole command: {one:.1f} s with 1 process over {two:.1f} s with 2",
            one / two,
            "ratio",
        ),
        *(
            Figure(
                f"attention_pipeline_images_per_second_{processes}",
                f"images a second of the whole command with {processes} process{'es' * (processes > 1)}",
                images / seconds,
                "images/s",
            )
            for processes, seconds in ((1, one), (2, two))
        ),
    ]


def _sets(images: str, osie: Path) -> str:
    return f"""
[[set]]
name = "osie"
images = "{images}"
split = "{osie}/split.csv"
drop_first = true
sigma_px = 24

[[set.gaze]]
path = "{osie}/fixations.csv.gz"
method = "eye"

[[set.gaze]]
path = "{osie}/mouse_contingent.csv.gz"
method = "mouse_samples"
sample_ms = 20
"""


def _digest(folder: Path) -> str:
    """Hashes every example, feature by feature, since equal ones may differ in the order of their bytes, and counts."""
    card = orjson.loads((folder / DATASET_CARD).read_bytes())
    kept = {name: card[name] for name in ("fingerprint", "images", "gaze", "splits", "near_duplicates")}
    found = hashlib.sha256(orjson.dumps(kept, option=orjson.OPT_SORT_KEYS))
    decoder = ExamplesToRecordBatchDecoder(None)
    for path in sorted(folder.glob("*/*.tfrecord")):
        for row in decoder.DecodeBatch(list(_records(path.read_bytes()))).to_pylist():
            found.update(repr((path.parent.name, path.name, sorted(row.items()))).encode())
    return found.hexdigest()


def _records(data: bytes) -> Iterator[bytes]:
    """Yields the records of a TFRecord file: a length of 8 bytes, its checksum, the record, its checksum."""
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 8], "little")
        yield data[at + 12 : at + 12 + size]
        at += 16 + size


def _median(runs: Sequence[Run]) -> float:
    return statistics.median(run.seconds for run in runs)


if __name__ == "__main__":
    main()
