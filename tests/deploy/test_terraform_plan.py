"""deploy/ planned by Terraform itself, with the real provider and no network: see benchmarks/terraform_plan.py."""

import json
import os
import shutil
import subprocess
from datetime import date
from pathlib import Path

import pytest
import yaml

from augury.retraining.app import read_app
from augury.retraining.families import family_of
from augury.retraining.window import DataWindow
from benchmarks.terraform_plan import DEPLOY, PLANNED, Planned, listing, missing, plan_all
from models.gates import Thresholds

CHECKOV = Path(__file__).resolve().parents[2] / ".cache" / "checkov" / "bin" / "checkov"
STRICT = os.environ.get("REQUIRE_TERRAFORM") == "1"  # make test-deploy: what is missing is an error


@pytest.fixture(scope="module")
def planned() -> list[Planned]:
    if lack := missing():
        if STRICT:
            pytest.fail(lack)
        pytest.skip(f"Terraform's plans are not checked: {lack}")
    return list(plan_all())


def test_there_is_no_error(planned: list[Planned]) -> None:
    assert {one.heading: one.errors for one in planned} == {
        "foundation/example.tfvars": (),
        "site/example.tfvars": (),
        "site/minimal.tfvars": (),
    }


def test_the_planned_resources_are_those_that_are_committed(planned: list[Planned]) -> None:
    assert listing(planned) == PLANNED.read_text(), (
        "python -m benchmarks.terraform_plan --write, and look at the change"
    )


def test_nothing_is_looked_up(planned: list[Planned]) -> None:
    for one in planned:
        assert '"mode":"data"' not in json.dumps(one.plan, separators=(",", ":"))
        assert {tuple(change["change"]["actions"]) for change in one.plan["resource_changes"]} == {("create",)}


def test_the_workflow_runs_the_very_lines_of_the_definition(planned: list[Planned]) -> None:
    (site,) = [one for one in planned if one.heading == "site/example.tfvars"]
    definition = json.loads((DEPLOY / "workflows" / "retrain.json").read_text())
    made = {
        change["name"] + change["index"] if "index" in change else change["address"]: change["change"]["after"]
        for change in site.plan["resource_changes"]
        if change["type"] == "google_workflows_workflow"
    }
    assert len(made) == 2
    for resource in made.values():
        assert len(resource["source_contents"]) < 128_000  # the most that Workflows takes
        workflow = yaml.safe_load(resource["source_contents"])
        steps = {name: step for entry in _retrain(workflow) for name, step in entry.items()}
        for step in definition["steps"]:
            if f"launch_{step['name']}" in steps:
                launch = steps["launch_examples"]["args"]["body"]["launchParameter"]
                assert launch["parameters"].keys() >= step["parameters"].keys()
                assert launch["parameters"]["events"] == '${EVENTS + ""}'
                assert launch["parameters"]["output"] == '${WORK + "/examples"}'
                assert launch["parameters"]["window_start"] == '${FIRST + ""}'
                assert launch["parameters"]["window_end"] == '${TODAY + ""}'
                assert launch["parameters"]["generator"] == "purchase_points"
                assert json.loads(launch["parameters"]["generator_params"]) == {"horizon_seconds": 3600}
                assert launch["parameters"]["sdk_container_image"].endswith("/behavior_examples:0.1.0")
                assert launch["environment"]["additionalPipelineOptions"] == ["number_of_worker_harness_threads=1"]
            else:
                assert steps[step["name"]]["args"]["lines"].splitlines() == step["commands"]
    names = [list(_retrain(yaml.safe_load(one["source_contents"]))[0]) for one in made.values()]
    assert sorted(names) == [["examples"], ["launch_examples"]]  # one of the two makes its examples on Dataflow


def test_the_file_of_an_application_is_what_retrain_reads(planned: list[Planned], tmp_path: Path) -> None:
    (site,) = [one for one in planned if one.heading == "site/example.tfvars"]
    written = {
        change["address"].split('"')[1]: change["change"]["after"]["content"]
        for change in site.plan["resource_changes"]
        if change["address"].endswith(".google_storage_bucket_object.app")
    }
    apps = {}
    for name, content in written.items():
        (tmp_path / f"{name}.toml").write_text(content)
        apps[name] = read_app(str(tmp_path / f"{name}.toml"), name, "registry")
        family_of("behavior").check(apps[name], DataWindow(date(2026, 8, 1), date(2026, 8, 29)), made=True)
    assert {name: app.model for name, app in apps.items()} == {
        "purchase": "behavior/purchase",
        "soon": "behavior/purchase_soon",
    }
    purchase = apps["purchase"]
    assert (purchase.window.days, purchase.train) == (28, {"encoder": "gru", "units": 64})
    assert (purchase.thresholds.max_ece, purchase.thresholds.at_least) == (0.02, {"auc": 0.75})
    assert purchase.thresholds.margins == Thresholds.of("behavior").margins


def _retrain(workflow: dict) -> list[dict]:
    (found,) = [entry["retrain"] for entry in workflow["main"]["steps"] if "retrain" in entry]
    return found["try"]["steps"]


def test_the_files_are_formatted_as_terraform_would() -> None:
    if shutil.which("terraform") is None:
        if STRICT:
            pytest.fail("terraform is not installed")
        pytest.skip("terraform is not installed: the format is not checked")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    done = subprocess.run(
        ["terraform", "fmt", "-check", "-recursive", "-diff", "-no-color", str(DEPLOY)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_checkov_finds_nothing_that_was_not_decided() -> None:
    if not CHECKOV.exists():
        if STRICT:
            pytest.fail("checkov is not installed; make test-deploy installs it")
        pytest.skip("checkov is not installed: make test-deploy installs it and runs its rules")
    environment = {**os.environ, "PYTHONPATH": ""}
    arguments = [
        "-d",
        str(DEPLOY),
        "--framework",
        "terraform",
        "--config-file",
        str(DEPLOY / "checkov.yaml"),
        "-o",
        "json",
    ]
    for variables in ("example", "minimal"):
        given = ["--var-file", str(DEPLOY / "site" / f"{variables}.tfvars")]
        done = subprocess.run([CHECKOV, *arguments, *given], env=environment, capture_output=True, text=True)
        found = json.loads(done.stdout)
        failed = [f"{one['check_id']} {one['resource']}" for one in found["results"]["failed_checks"]]
        assert failed == []
        assert found["summary"]["passed"] > 40
