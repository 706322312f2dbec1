"""A registry with a clock of its own, models to publish, and processes that race for the championship."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from features.storage import atomic_write
from models.gates import GateResult
from models.registry import Check, Registry

MODEL = ("behavior", "purchase")
FIRST_US = 1_770_000_000_000_000  # 2026-02-02T02:40:00Z
ROOT = Path(__file__).resolve().parents[2]

_RACER = """
import sys
from models.gates import GateResult
from models.registry import ConflictError, Registry
root, me, *versions = sys.argv[1:]
registry = Registry(root)
print("ready", flush=True)
sys.stdin.readline()
for version in versions:
    while True:
        try:
            registry.promote("behavior", "purchase", version, lambda a, b: [GateResult("g", True, "")], by=me)
            break
        except ConflictError:
            pass
"""


@pytest.fixture
def passes() -> Check:
    return lambda candidate, champion: [GateResult("metrics", True, "good enough")]


@pytest.fixture
def fails() -> Check:
    results = [GateResult("metrics", True, "good enough"), GateResult("calibration", False, "ece is 0.5")]
    return lambda candidate, champion: results


@pytest.fixture
def write_model() -> Callable[..., Path]:
    def write(folder: Path, auc: float = 0.8) -> Path:
        atomic_write(folder / "model_card.json", json.dumps({"metrics": {"auc": auc, "ece": 0.01}}))
        atomic_write(folder / "model.pb", b"graph" * 100)
        atomic_write(folder / "golden" / "instances.parquet", b"rows")
        return folder

    return write


@pytest.fixture
def clock() -> Callable[[], int]:
    """Gives a minute more at every look."""
    ticks = iter(range(FIRST_US, FIRST_US + 10**12, 60_000_000))
    return lambda: next(ticks)


@pytest.fixture
def registry(tmp_path: Path, clock: Callable[[], int]) -> Registry:
    return Registry(tmp_path / "registry", now_us=clock)


@pytest.fixture
def versions(tmp_path: Path, registry: Registry, write_model: Callable[..., Path]) -> list[str]:
    """Three published versions with an AUC of 0.7, 0.8 and 0.9."""
    return [registry.publish(write_model(tmp_path / f"m{auc}", auc), *MODEL, by="ann") for auc in (0.7, 0.8, 0.9)]


@pytest.fixture
def start() -> Callable[..., "subprocess.Popen[str]"]:
    """Starts a Python process that runs a script with arguments, at the project's root."""

    def run(script: str, *arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", script, *arguments]
        return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    return run


@pytest.fixture
def race(start: Callable[..., "subprocess.Popen[str]"]) -> Callable[[str, Registry, list[str], int], None]:
    """Lets several processes promote the same versions in different orders, and looks on."""

    def run(root: str, registry: Registry, versions: list[str], racers: int) -> None:
        orders = [versions, versions[::-1], versions[1:] + versions[:1], versions[2:] + versions[:2]][:racers]
        children = [start(_RACER, root, f"child{i}", *order) for i, order in enumerate(orders)]
        try:
            for child in children:
                assert child.stdout.readline() == "ready\n"
            for child in children:
                child.stdin.write("go\n")
                child.stdin.flush()
            generation = 0
            while any(child.poll() is None for child in children):
                champion = registry.champion(*MODEL)  # raises if it is ever torn
                if champion is not None:
                    assert champion.generation >= generation
                    generation = champion.generation
            assert [child.returncode for child in children] == [0] * len(children)
        finally:
            for child in children:
                child.kill()
                child.communicate()
        changes = [line for line in registry.history(*MODEL) if line["action"] == "promote"]
        # One line of champions: every generation once, each replacing exactly the one before it.
        assert [line["generation"] for line in changes] == list(range(1, len(changes) + 1))
        assert [line["replaced"] for line in changes] == [None, *(line["version"] for line in changes[:-1])]
        last = registry.champion(*MODEL)
        assert last is not None
        assert (last.version, last.generation) == (changes[-1]["version"], len(changes))

    return run
