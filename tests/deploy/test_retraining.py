"""The lines that the cloud's workflow runs, taken out of its definition and run here, from events to a champion."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from augury.simulator import SimulationOptions, simulate
from models.registry import Registry
from pipelines.behavior_recipe import ExamplesOptions
from pipelines.options import parse_options
from tests.deploy.terraform_files import DEPLOY

DEFINITION = json.loads((DEPLOY / "workflows" / "retrain.json").read_text())
NAMES = ["examples", "train", "verify", "promote"]
NOBODY = '{"visitor": "00000000000000000000000000000000", "at_us": 0}\n'


def run_step(name: str, folder: Path, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Runs a step as the job's container does: `sh -efc`, its lines, a folder of its own, its variables only."""
    (step,) = [step for step in DEFINITION["steps"] if step["name"] == name]
    folder.mkdir(parents=True, exist_ok=True)
    tools = folder / ".tools"
    tools.mkdir(exist_ok=True)
    augury = tools / "augury"
    augury.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "from augury.cli import main; main()" "$@"\n')
    augury.chmod(0o755)
    kept = {name: os.environ[name] for name in ("HOME", "PYTHONPATH", "TMPDIR") if name in os.environ}
    kept |= {"PATH": f"{tools}:{os.environ['PATH']}", "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1"}
    kept.setdefault("PYTHONPATH", str(DEPLOY.parent))
    return subprocess.run(
        ["sh", "-efc", "\n".join(step["commands"])],
        cwd=folder,
        env=kept | variables,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two weeks of a simulated shop, the second one later and of other people; and tombstones of nobody."""
    folder = tmp_path_factory.mktemp("shop")
    options = SimulationOptions(output=str(folder / "first"), visitors=3_000)
    simulate(options)
    simulate(replace(options, output=str(folder / "second"), seed=1, start="2026-08-08"))
    (folder / "thresholds.toml").write_text("max_ece = 0.08\n")  # some hundred test examples say little of calibration
    (folder / "tombstones").mkdir()
    (folder / "tombstones" / "nobody.jsonl").write_text(NOBODY)
    return folder


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("registry")


def variables(shop: Path, registry: Path, work: Path, week: str) -> dict[str, str]:
    return {
        "EVENTS": f"{shop}/{week}/events",
        "TOMBSTONES": f"{shop}/tombstones",
        "WORK": str(work),
        "EXAMPLES_OPTIONS": "--generator purchase --gap-minutes 30 --sequence-length 16 --hash-size 256",
        "TRAIN_OPTIONS": "--units 16 --embedding-units 8 --max-epochs 2 --learning-rate 0.01",
        "MODEL": "behavior/purchase",
        "PROMOTE_OPTIONS": f"--thresholds {shop}/thresholds.toml",
        "REASON": f"retrained, run {work.name}",
        "AUGURY_REGISTRY": str(registry),
    }


def test_the_definition_has_the_steps_of_a_retraining() -> None:
    assert [step["name"] for step in DEFINITION["steps"]] == NAMES
    lines = [line for step in DEFINITION["steps"] for line in step["commands"]]
    assert [line.split()[:2] for line in lines] == [
        ["augury", name] for name in ("examples", "train", "publish", "verify", "promote")
    ]
    used = {word for line in lines for word in DEFINITION["variables"] if f"${word}" in line}
    assert used == DEFINITION["variables"].keys() - {"AUGURY_REGISTRY"}


def test_the_template_is_given_what_the_command_is_given() -> None:
    step = DEFINITION["steps"][0]
    line = next(line for line in step["commands"])
    given, rest = parse_options(ExamplesOptions, [f"--{name}={value}" for name, value in step["parameters"].items()])
    assert rest == []
    assert given == ExamplesOptions(events=("$EVENTS",), output="$WORK/examples", tombstones="$TOMBSTONES")
    assert line == 'augury examples "$EVENTS" --output "$WORK/examples" --tombstones "$TOMBSTONES" $EXAMPLES_OPTIONS'


def test_a_first_retraining_ends_with_a_champion(shop: Path, registry: Path, tmp_path: Path) -> None:
    given = variables(shop, registry, tmp_path / "run-1", "first")
    told = {}
    for name in NAMES:
        done = run_step(name, tmp_path / "containers" / name, given)
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
        told[name] = done.stdout
    assert "predictions are identical bit for bit" in told["verify"]
    assert "behavior/purchase has champion" in told["promote"]
    (published, promoted) = Registry(str(registry)).history("behavior", "purchase")
    assert (published["action"], promoted["action"]) == ("publish", "promote")
    assert promoted["reason"] == "retrained, run run-1"
    champion = Registry(str(registry)).champion("behavior", "purchase")
    assert champion is not None and champion.version == published["version"]


def test_a_step_that_fails_ends_with_an_error_and_changes_nothing(shop: Path, registry: Path, tmp_path: Path) -> None:
    before = Registry(str(registry)).history("behavior", "purchase")
    given = variables(shop, registry, tmp_path / "run-x", "first")
    done = run_step("train", tmp_path / "train", given)  # there are no examples: nothing is published
    assert done.returncode == 1 and len(done.stderr.strip().splitlines()) == 1
    assert Registry(str(registry)).history("behavior", "purchase") == before
    done = run_step("promote", tmp_path / "promote", given | {"MODEL": "behavior/unknown"})
    assert done.returncode == 1


def test_what_is_no_better_by_its_gates_is_refused_and_the_champion_stays(
    shop: Path, registry: Path, tmp_path: Path
) -> None:
    """The next week's version, trained on other data: `promote` cannot compare the two yet, says so, and refuses."""
    champion = Registry(str(registry)).champion("behavior", "purchase")
    given = variables(shop, registry, tmp_path / "run-2", "second")
    for name in ("examples", "train"):
        done = run_step(name, tmp_path / "containers" / name, given)
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
    done = run_step("promote", tmp_path / "containers" / "promote", given)
    assert done.returncode == 1
    assert "judged on other data" in " ".join((done.stdout + done.stderr).split())
    assert Registry(str(registry)).champion("behavior", "purchase") == champion
    assert [line["action"] for line in Registry(str(registry)).history("behavior", "purchase")][2:] == [
        "publish",
        "refuse",
    ]
