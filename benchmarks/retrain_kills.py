"""A retraining killed at random moments, again and again: ``make bench-retrain-kills``.

A small shop's model has a champion. In every round its retraining on the next days is begun anew, and everything that
belongs to it is killed (SIGKILL) at a moment drawn at random from all of its time, the moments between two steps and
within them alike. Then the registry must be whole: every version that it lists holds what was published, the champion
can be read and is one of them, the history tells what happened. The same command must then finish, with one version of
that window; run once more it must name the same version.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from augury.simulator import SimulationOptions, simulate
from benchmarks.figures import Figure, write_results
from benchmarks.process_tree import tree_of
from features.errors import AuguryError
from models.registry import Registry

_MODEL = ("behavior", "purchase")
_ENDS = ("2026-08-15", "2026-08-22")
_STEPS = ("examples", "checks", "train", "publish", "compare", "verify", "decision", "done")

_APP = """family = "behavior"

[window]
days = 14

[data]
events = "shop/events"

[examples]
generator = "purchase"
gap_minutes = 30
sequence_length = 8
hash_size = 64
golden = 50
test = 0.2

[train]
units = 8
embedding_units = 4
max_epochs = 3
learning_rate = 0.01

[checks]
drift = 0.2
skew = 0.3

[gates]
max_ece = 0.2
slice_margin = 0.2
at_least = { auc = 0.4 }
margins = { auc = 0.2, log_loss = 0.2 }
"""
"""Thresholds that chance does not miss: what is tried here is the machinery, not the model."""


@dataclass
class Counted:
    """What the rounds came to."""

    torn: list[str] = field(default_factory=list)
    unfinished: int = 0
    other_version: int = 0
    killed_in: list[str] = field(default_factory=list)


def main() -> None:
    """Kills and counts, and writes ``benchmarks/results/retrain-kills.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    moments = random.Random(given.seed)
    found = Counted()
    with tempfile.TemporaryDirectory(prefix="augury-bench-") as name:
        folder = Path(name)
        simulate(SimulationOptions(str(folder / "shop"), visitors=2_000, start="2026-08-01", days=21.0))
        (folder / "apps").mkdir()
        (folder / "apps" / "purchase.toml").write_text(_APP)
        _must(_begin(folder, _ENDS[0]).wait(), "the first champion")
        shutil.copytree(folder / "registry", folder / "registry-before")
        started = time.monotonic()
        _must(_begin(folder, _ENDS[1]).wait(), "the undisturbed run")
        seconds = time.monotonic() - started
        print(f"undisturbed: {seconds:.0f} s")
        for number in range(given.rounds):
            _round(folder, number, moments.uniform(0.02, 0.98) * seconds, found)
    write_results("retrain-kills", _figures(found, given.rounds, seconds))


def _round(folder: Path, number: int, moment: float, found: Counted) -> None:
    """Begins the run anew, kills it, looks at the registry, and has it finished."""
    shutil.rmtree(folder / "registry")
    shutil.copytree(folder / "registry-before", folder / "registry")
    for run in (folder / "runs" / "behavior" / "purchase").glob(f"{_ENDS[1]}-*"):
        shutil.rmtree(run)
    process = _begin(folder, _ENDS[1])
    try:
        process.wait(moment)
    except subprocess.TimeoutExpired:
        _kill(process)
    where = _where(folder)
    found.killed_in.append(where)
    torn = _torn(folder)
    found.torn += torn
    code = _begin(folder, _ENDS[1]).wait()
    version = _version(folder)
    again = _begin(folder, _ENDS[1]).wait()
    versions = Registry(str(folder / "registry")).versions(*_MODEL)
    found.unfinished += code != 0 or version is None
    found.other_version += again != 0 or _version(folder) != version or len(versions) != 2
    found.torn += _torn(folder)
    print(f"round {number}: killed after {moment:.1f} s, in {where}; {version}, torn: {torn or 'no'}", flush=True)


def _begin(folder: Path, end: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    words = ["retrain", "behavior", "--app", "purchase", "--end", end]
    with (folder / "said.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "augury.cli", *words],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kills the process and all that it began, at once; jobs have process groups of their own."""
    for pid in tree_of(process.pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.wait()


def _where(folder: Path) -> str:
    """Returns the step that was being done: the first whose result is not there."""
    runs = list((folder / "runs" / "behavior" / "purchase").glob(f"{_ENDS[1]}-*"))
    if not runs:
        return "the beginning"
    return next((step for step in _STEPS if not (runs[0] / f"{step}.json").exists()), "the end")


def _torn(folder: Path) -> list[str]:
    """Returns what is wrong with the registry."""
    registry, wrong = Registry(str(folder / "registry")), []
    try:
        versions = registry.versions(*_MODEL)
        for version in versions:
            registry.open_version(*_MODEL, version)
        champion = registry.champion(*_MODEL)
        history = registry.history(*_MODEL)
    except AuguryError as e:
        return [str(e)]
    if champion is None or champion.version not in versions:
        wrong.append(f"the champion {champion and champion.version} is none of {versions}")
    promoted = [line["version"] for line in history if line["action"] == "promote"]
    if champion is not None and promoted[-1:] != [champion.version]:
        wrong.append("the history does not end with the champion")
    return wrong


def _version(folder: Path) -> str | None:
    """Returns the version that the run says it made."""
    for path in (folder / "runs" / "behavior" / "purchase").glob(f"{_ENDS[1]}-*/summary.json"):
        told: dict[str, Any] = json.loads(path.read_bytes())
        return str(told["version"]) if told["outcome"] == "promoted" else None
    return None


def _must(code: int, what: str) -> None:
    if code:
        sys.exit(f"{what} was not made: exit code {code}")


def _figures(found: Counted, rounds: int, seconds: float) -> list[Figure]:
    steps = ", ".join(f"{step} {found.killed_in.count(step)}" for step in dict.fromkeys(found.killed_in))
    what = f"{rounds} runs of {seconds:.0f} s, each killed (SIGKILL, every process) at a random moment: {steps}"
    return [
        Figure("retrain_kills_torn", f"torn registries after {what}", len(found.torn), "registries", "== 0"),
        Figure("retrain_kills_unfinished", "re-runs that did not finish", found.unfinished, "runs", "== 0"),
        Figure(
            "retrain_kills_other_version",
            "re-runs after which there is not one version of the window, named alike by a third run",
            found.other_version,
            "runs",
            "== 0",
        ),
    ]


if __name__ == "__main__":
    main()
