"""The commands that build and run a template, and what gcloud then sends, to an end-point on this machine."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from google.protobuf.json_format import ParseError

from dataflow_templates.catalogue import TEMPLATES
from dataflow_templates.commands import (
    TemplateArgumentError,
    build_commands,
    launch_body,
    read_arguments,
    run_command,
)
from features.errors import AuguryError
from tests.dataflow_templates.launch_server import Launches, launch_server, parse

ROOT = Path(__file__).resolve().parents[2]
GIVEN = {
    "TEMPLATE": "batch-predict",
    "IMAGES": "europe-west1-docker.pkg.dev/shop-one/augury",
    "TEMPLATES": "gs://shop-one-jobs/templates/",
    "TAG": "0.1.0",
    "REGION": "europe-west1",
    "PROJECT": "shop-one",
    "JOB": "score-2026-11-22",
}
IMAGE = "europe-west1-docker.pkg.dev/shop-one/augury/batch_predict:0.1.0"
PARAMETERS = (
    "events='gs://b/archive/events,gs://b/a b' model=purchase output=gs://b/out registry=gs://b/registry emails=true"
)
RUN = {
    **GIVEN,
    "PARAMETERS": PARAMETERS,
    "WORKERS": "20",
    "MACHINE": "n2-standard-2",
    "TEMP_FOLDER": "gs://shop-one-jobs/temp",
    "SERVICE_ACCOUNT": "jobs@shop-one.iam.gserviceaccount.com",
    "SUBNETWORK": "regions/europe-west1/subnetworks/jobs",
}


def command(action: str, variables: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, **variables, "PYTHONPATH": str(ROOT)}
    argv = [sys.executable, "-m", "dataflow_templates.commands", action]
    return subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)


def test_a_template_is_built_by_three_commands() -> None:
    docker, push, gcloud = build_commands(read_arguments("build", GIVEN))
    assert docker == [
        *("docker", "build", "--file=dataflow_templates/Dockerfile", "--target=scoring"),
        *("--build-arg=TEMPLATE=batch_predict", f"--tag={IMAGE}", "."),
    ]
    assert push == ["docker", "push", IMAGE]
    assert gcloud == [
        *("gcloud", "dataflow", "flex-template", "build", "gs://shop-one-jobs/templates/batch_predict.json"),
        *(f"--image={IMAGE}", "--sdk-language=PYTHON"),
        f"--metadata-file={ROOT / 'dataflow_templates/metadata/batch_predict.json'}",
    ]
    targets = {build_commands(read_arguments("build", {**GIVEN, "TEMPLATE": each.name}))[0][3] for each in TEMPLATES}
    assert targets == {"--target=workers", "--target=scoring"}


def test_what_is_printed_is_quoted_for_a_shell() -> None:
    done = command("run", {**RUN, "PRINT_ONLY": "1"})
    assert (done.returncode, done.stderr) == (0, "")
    assert shlex.split(done.stdout) == run_command(read_arguments("run", RUN))
    assert "'--parameters=^~^events=gs://b/archive/events,gs://b/a b~model=purchase~" in done.stdout


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"TEMPLATE": "outcomes"}, "TEMPLATE is 'outcomes'; expected one of behavior_examples, attention_examples"),
        ({"TEMPLATE": ""}, "TEMPLATE is ''"),
        ({"IMAGES": ""}, "IMAGES is missing; expected REGION-docker.pkg.dev/PROJECT/REPOSITORY"),
        ({"TEMPLATES": "templates"}, "TEMPLATES is 'templates'; expected a folder, gs://"),
        ({"REGION": "europe; rm -rf x"}, "REGION is 'europe; rm -rf x'; expected a region"),
        ({"JOB": "Score"}, "JOB is 'Score'; expected lower-case"),
        ({"WORKERS": "0"}, "WORKERS is '0'; expected most workers"),
        ({"PARAMETERS": "model=purchase"}, "PARAMETERS: events, output, registry must be given too"),
        ({"PARAMETERS": f"{PARAMETERS} speed=9"}, "'speed=9' is no parameter; expected NAME=VALUE of events, model"),
        ({"PARAMETERS": f"{PARAMETERS} model=other"}, "'model=other' is given twice"),
        ({"PARAMETERS": f"{PARAMETERS} shards=many"}, r"shards is 'many'; expected what matches \^-\?\[0-9\]\+\$"),
        ({"PARAMETERS": "events='gs://b"}, "PARAMETERS cannot be read"),
        ({"PARAMETERS": f"{PARAMETERS} shards=0"}, "shards is 0; expected 1 to 4096"),
        ({"PARAMETERS": f"{PARAMETERS} window_end=soon"}, "window_end is 'soon'; expected ISO 8601"),
        ({"PARAMETERS": PARAMETERS.replace("gs://b/registry", "registry")}, "registry: registry is on this machine"),
        (
            {"PARAMETERS": PARAMETERS.replace("gs://b/a b", "/b/a b")},
            "events: /b/a b is on this machine; expected a gs://",
        ),
        ({"PARAMETERS": f"{PARAMETERS} cleaning=rules.toml"}, "cleaning: rules.toml is on this machine"),
    ],
)
def test_what_cannot_be_is_one_line_before_anything_runs(change: dict[str, str], message: str) -> None:
    with pytest.raises(AuguryError, match=message) as caught:
        read_arguments("run", {**RUN, **change})
    assert "\n" not in str(caught.value)


def test_an_error_is_one_line_and_no_success() -> None:
    done = command("build", {**GIVEN, "TEMPLATE": "nothing"})
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("error: TEMPLATE is 'nothing'") and done.stderr.count("\n") == 1


def test_values_with_every_separator_are_refused() -> None:
    text = "events=gs://b model=m version=,~|#;@@%%:::: output=gs://b/o registry=gs://b/r"
    with pytest.raises(TemplateArgumentError, match="hold every separator"):
        run_command(read_arguments("run", {**RUN, "PARAMETERS": shlex.join(text.split(" "))}))


def check(found: Launches) -> None:
    assert found.problems == []
    [request] = found.requests
    launch = request.launch_parameter
    assert (request.project_id, request.location, launch.job_name) == ("shop-one", "europe-west1", "score-2026-11-22")
    assert launch.container_spec_gcs_path == "gs://shop-one-jobs/templates/batch_predict.json"
    assert dict(launch.parameters) == {
        "events": "gs://b/archive/events,gs://b/a b",
        "model": "purchase",
        "output": "gs://b/out",
        "registry": "gs://b/registry",
        "emails": "true",
        "sdk_container_image": IMAGE,
    }
    environment = launch.environment
    assert (environment.max_workers, environment.machine_type) == (20, "n2-standard-2")
    assert (environment.temp_location, environment.subnetwork) == ("gs://shop-one-jobs/temp", RUN["SUBNETWORK"])
    assert environment.service_account_email == RUN["SERVICE_ACCOUNT"]


def test_the_launch_body_is_what_google_s_own_type_takes() -> None:
    body = launch_body(read_arguments("run", RUN))
    assert json.loads(command("run", {**RUN, "BODY": "1"}).stdout) == body
    with launch_server() as found:
        url = f"{found.url}v1b3/projects/shop-one/locations/europe-west1/flexTemplates:launch"
        headers = {"Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers)) as answer:
            assert json.load(answer)["job"]["name"] == "score-2026-11-22"
    check(found)
    with pytest.raises(ParseError, match="no field named"):
        parse(url.removeprefix(found.url), {"launchParameter": {**body["launchParameter"], "paramters": {}}})


def test_gcloud_sends_that_body(tmp_path: Path) -> None:
    if shutil.which("gcloud") is None:
        pytest.skip("gcloud is not installed")
    token = tmp_path / "token"
    token.write_text("fake")
    with launch_server() as found:
        cloud = {
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_DATAFLOW": found.url,
            "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(token),
            "CLOUDSDK_CONFIG": str(tmp_path / "config"),
            "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
            "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true",
        }
        done = command("run", {**RUN, **cloud})
    assert done.returncode == 0, done.stderr
    check(found)


def test_a_streaming_job_uses_the_streaming_engine() -> None:
    parameters = "archive=gs://b/archive dead_letter=gs://b/bad subscription=projects/shop-one/subscriptions/events"
    given = {**GIVEN, "TEMPLATE": "ingest_events", "PARAMETERS": f"{parameters} redis_url=redis://10.0.0.3:6379/0"}
    asked = read_arguments("run", given)
    assert "--enable-streaming-engine" in run_command(asked)
    assert launch_body(asked)["launchParameter"]["environment"] == {"enableStreamingEngine": True}
