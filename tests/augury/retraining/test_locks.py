"""Locks that exclude, tell who holds them, and are free again when their holder is killed."""

import json
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from augury.retraining.errors import RunError
from augury.retraining.locks import Lease, file_lock
from models.pointer import UnsupportedStorageError, open_pointer

HOLDER = """
import subprocess, sys
from augury.retraining.locks import file_lock
with file_lock(sys.argv[1], "behavior/purchase") as lock:
    job = None
    if sys.argv[2] == "job":
        job = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=0, pass_fds=(lock,))
    print("held", job.pid if job else 0, flush=True)
    sys.stdin.read()
"""


def holder(path: str, kind: str) -> tuple[subprocess.Popen[str], int]:
    """Returns a process that holds the lock, and the id of its job."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, path, kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    word, job = process.stdout.readline().split()
    assert word == "held"
    return process, int(job)


def test_a_lock_excludes_and_tells_who_holds_it(tmp_path: Path) -> None:
    path = str(tmp_path / "deep" / "lock")
    process, _ = holder(path, "alone")
    with pytest.raises(RunError, match="behavior/purchase is being retrained already by .* on .*, process") as caught:
        with file_lock(path, "behavior/purchase"):
            pass
    told = str(caught.value)
    assert f"process {process.pid}, since 20" in told and "\n" not in told
    assert re.search(r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", told)
    process.communicate("")


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    process, _ = holder(path, "alone")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with file_lock(path, "behavior/purchase"):
        assert json.loads((tmp_path / "lock").read_bytes())["pid"] == os.getpid()
    with file_lock(path, "behavior/purchase"):
        pass


def test_a_job_that_outlives_its_parent_holds_the_lock_until_it_ends(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    process, job = holder(path, "job")
    process.send_signal(signal.SIGKILL)
    process.wait()
    with pytest.raises(RunError, match="or by a job of it that still runs"), file_lock(path, "behavior/purchase"):
        pass
    os.kill(job, signal.SIGKILL)
    _until_gone(job)
    process.communicate()
    with file_lock(path, "behavior/purchase"):
        pass


def _until_gone(pid: int) -> None:
    """Waits until a process that is not ours is gone, and with it what it held."""
    gone = os.pidfd_open(pid)
    try:
        select.select([gone], [], [], 30)
    finally:
        os.close(gone)


class Clock:
    def __init__(self) -> None:
        self.now = 1_787_529_600.0  # 2026-08-24T00:00:00Z

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def lease_path(new_bucket: Callable[[str], str], request: pytest.FixtureRequest) -> str:
    name = re.sub(r"[^a-z]", "-", request.node.name.lower())[:40].strip("-")
    return f"{new_bucket(name)}/registry/.retraining/behavior-purchase.json"


def test_a_lease_excludes_says_until_when_and_is_given_back(lease_path: str) -> None:
    clock = Clock()
    first = Lease(lease_path, "behavior/purchase", now=clock)
    first.take()
    first.check()
    clock.now += 599
    with pytest.raises(RunError, match="retrained already by .*, since 2026-08-24 00:00:00 UTC.* over at 00:10:00 UTC"):
        Lease(lease_path, "behavior/purchase", now=clock).take()
    first.give_back()
    second = Lease(lease_path, "behavior/purchase", now=clock)
    second.take()
    second.give_back()


def test_a_lease_of_a_holder_that_died_is_over_and_its_holder_is_told(lease_path: str) -> None:
    clock = Clock()
    dead = Lease(lease_path, "behavior/purchase", now=clock)
    dead.take()
    clock.now += 601
    living = Lease(lease_path, "behavior/purchase", seconds=0.6, now=clock)
    living.take()
    content = open_pointer(lease_path).read().content
    assert content is not None and json.loads(content)["until"] == clock.now + 0.6
    late = Lease(lease_path, "behavior/purchase", seconds=0.06, now=clock)
    clock.now += 1
    late.take()
    assert living._renewer is not None
    living._renewer.join(30)  # it finds out when it renews
    with pytest.raises(RunError, match="was lost .somebody else has taken it.; run again, it goes on where it is"):
        living.check()
    late.give_back()


def test_a_storage_without_compare_and_swap_is_refused() -> None:
    with pytest.raises(UnsupportedStorageError, match="expected a local path or a gs:// URL"):
        Lease("memory://registry/lease.json", "behavior/purchase")
