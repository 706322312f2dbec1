"""A compaction killed anywhere loses nothing and doubles nothing, even when more files are there the next time."""

import random
import shutil
import time
from collections import Counter
from pathlib import Path

from features.tombstones import Tombstones
from serving.compaction import compact
from tests.killed import run_killed_at, started
from tests.spooled import NOON_US, hours, keys_of, message, rows_of, write_spool


def compact_folder(folder: Path) -> None:
    compact(folder / "spool", str(folder / "archive"))


def fill(folder: Path) -> None:
    """Leaves an archive with an hour compacted, and a spool of two hours with copies, bad lines and one forgotten."""
    spool = folder / "spool"
    write_spool(spool, [message("0"), message("1"), message("x", "gone")])
    compact_folder(folder)
    write_spool(spool, [message("1"), message("2"), b"bad 1"])
    write_spool(spool, [message("2"), message("3"), message("y", "gone"), b"bad 2"])
    write_spool(spool, [message("3"), message("4")], NOON_US + hours(1))
    write_spool(spool, [b"bad 3"], NOON_US + hours(2))
    write_spool(spool, [{"reason": "no_time", "row": "bad 4"}], stream="rejected")
    Tombstones.append(str(folder / "archive" / "tombstones"), ["gone"], NOON_US)


def check(folder: Path, last: str) -> None:
    archive = folder / "archive"
    assert keys_of(archive) == Counter({("v", mid): 1 for mid in ("0", "1", "2", "3", "4", last)})
    assert Counter(row["row"] for row in rows_of(archive, "rejected")) == Counter({f"bad {i}": 1 for i in range(1, 5)})
    assert list((folder / "spool").rglob("*.jsonl")) == []
    assert list(folder.rglob("*.tmp")) == []


def test_a_compaction_killed_at_any_step(tmp_path: Path) -> None:
    fill(tmp_path / "start")
    step = 0
    killed = True
    while killed:
        step += 1
        shutil.copytree(tmp_path / "start", tmp_path / "here")
        killed = run_killed_at(step, compact_folder, tmp_path / "here")
        shutil.copytree(tmp_path / "here", tmp_path / "there")
        # what was closed meanwhile makes other batches of what is left, in an hour that was being worked on or another
        for place, hour_us in (("here", NOON_US), ("there", NOON_US + hours(3))):
            write_spool(tmp_path / place / "spool", [message("4"), message("5")], hour_us)
            compact_folder(tmp_path / place)
            check(tmp_path / place, "5")
            shutil.rmtree(tmp_path / place)
    assert step > 20


def test_compactions_killed_again_and_again_while_files_keep_coming(tmp_path: Path) -> None:
    draw = random.Random(1)
    written: set[str] = set()
    for turn in range(25):
        ids = [f"{turn}-{i}" for i in range(200)]
        again = draw.sample(sorted(written), min(len(written), 50))
        written.update(ids)
        hour_us = NOON_US + hours(turn // 6)
        write_spool(tmp_path / "spool", [message(mid) for mid in (*ids, *again)], hour_us)
        process = started(compact_folder, tmp_path)
        process.join(draw.uniform(0.01, 0.1))
        process.kill()
        process.join()
    deadline = time.monotonic() + 30
    while list((tmp_path / "spool").rglob("*.jsonl")):
        assert time.monotonic() < deadline
        compact_folder(tmp_path)
    assert keys_of(tmp_path / "archive") == Counter({("v", mid): 1 for mid in written})
