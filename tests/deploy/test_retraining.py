"""The lines that the cloud's workflow runs, taken out of its definition and run here: two weeks, and a bad one."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from augury.retraining.app import CheckRules
from augury.retraining.validation import PYTHON, tfdv_python
from augury.simulator import SimulationOptions, simulate
from models.registry import Registry
from pipelines.behavior_recipe import ExamplesOptions
from pipelines.options import parse_options
from tests.augury.retraining.tfdv import needs_tfdv
from tests.deploy.terraform_files import DEPLOY

DEFINITION = json.loads((DEPLOY / "workflows" / "retrain.json").read_text())
NAMES = ["examples", "retrain"]
APP = """\
family = "behavior"
[window]
days = 14
[train]
units = 16
embedding_units = 8
max_epochs = 2
learning_rate = 0.01
[gates]
max_ece = 0.08  # some hundred test examples say little of calibration, or of which model is better
slice_margin = 0.2
margins = { auc = 0.2, log_loss = 0.2 }
"""
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
    kept[PYTHON] = tfdv_python(CheckRules())
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
    options = SimulationOptions(output=str(folder / "first"), visitors=3_000, days=14.0)
    simulate(options)
    simulate(replace(options, output=str(folder / "second"), seed=1, start="2026-08-15"))
    (folder / "app.toml").write_text(APP)
    (folder / "tombstones").mkdir()
    (folder / "tombstones" / "nobody.jsonl").write_text(NOBODY)
    return folder


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("registry")


def variables(shop: Path, registry: Path, work: Path, week: str, first: str, today: str) -> dict[str, str]:
    return {
        "EVENTS": f"{shop}/{week}/events",
        "FIRST": first,
        "TODAY": today,
        "TOMBSTONES": f"{shop}/tombstones",
        "WORK": str(work),
        "EXAMPLES_OPTIONS": "--generator purchase --gap-minutes 30 --sequence-length 16 --hash-size 256 --test 0.2",
        "APP": "purchase",
        "APP_FILE": f"{shop}/app.toml",
        "AUGURY_REGISTRY": str(registry),
    }


FIRST = ("first", "2026-08-01", "2026-08-15")
SECOND = ("second", "2026-08-15", "2026-08-29")


def test_the_definition_has_the_steps_of_a_retraining() -> None:
    assert [step["name"] for step in DEFINITION["steps"]] == NAMES
    lines = [line for step in DEFINITION["steps"] for line in step["commands"]]
    assert [line.split()[:2] for line in lines] == [["augury", "examples"], ["augury", "retrain"]]
    used = {word for line in lines for word in DEFINITION["variables"] if f"${word}" in line}
    assert used == DEFINITION["variables"].keys() - {"AUGURY_REGISTRY"}


def test_the_template_is_given_what_the_command_is_given() -> None:
    step = DEFINITION["steps"][0]
    line = next(line for line in step["commands"])
    days = {"$FIRST": "2026-08-01", "$TODAY": "2026-08-29"}
    parameters = {name: days.get(value, value) for name, value in step["parameters"].items()}
    assert {name for name, value in step["parameters"].items() if value in days} == {"window_start", "window_end"}
    given, rest = parse_options(ExamplesOptions, [f"--{name}={value}" for name, value in parameters.items()])
    assert rest == []
    assert given == ExamplesOptions(
        events=("$EVENTS",),
        output="$WORK/examples",
        window_start=days["$FIRST"],
        window_end=days["$TODAY"],
        tombstones="$TOMBSTONES",
    )
    assert line == (
        'augury examples "$EVENTS" --output "$WORK/examples" --window-start "$FIRST" --window-end "$TODAY" '
        '--tombstones "$TOMBSTONES" $EXAMPLES_OPTIONS'
    )


@needs_tfdv
def test_a_first_retraining_ends_with_a_champion_and_the_next_one_replaces_it(
    shop: Path, registry: Path, tmp_path: Path
) -> None:
    opened, told = Registry(str(registry)), []
    for run, week in enumerate((FIRST, SECOND)):
        given = variables(shop, registry, tmp_path / f"run-{run}", *week)
        for name in NAMES:
            done = run_step(name, tmp_path / "containers" / f"{run}-{name}", given)
            assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
        champion = opened.champion("behavior", "purchase")
        assert champion is not None and champion.version == opened.versions("behavior", "purchase")[-1]
        told.append({gate["name"]: gate["detail"] for gate in champion.gates})
        assert champion.reason == f"retrained on {week[1]} to 2026-08-{14 * (run + 1)}"
    assert ("not worse than the champion", "there is no champion yet") in told[0].items()
    assert told[0]["golden set"].endswith("predictions are identical bit for bit")
    assert told[1].keys() >= {"auc not worse than the champion's", "no slice surely worse than the champion's"}
    assert ", difference " in told[1]["auc not worse than the champion's"]
    assert [line["action"] for line in opened.history("behavior", "purchase")] == ["publish", "promote"] * 2
    assert champion.predecessors == (opened.versions("behavior", "purchase")[0],)


@needs_tfdv
def test_a_step_that_fails_ends_with_an_error_and_changes_nothing(shop: Path, registry: Path, tmp_path: Path) -> None:
    before = Registry(str(registry)).history("behavior", "purchase")
    given = variables(shop, registry, tmp_path / "run-x", *FIRST)
    done = run_step("retrain", tmp_path / "retrain", given)  # there are no examples: nothing is trained
    assert done.returncode == 1 and len(done.stderr.strip().splitlines()) == 1
    assert "is not a complete examples folder" in done.stderr
    assert Registry(str(registry)).history("behavior", "purchase") == before
