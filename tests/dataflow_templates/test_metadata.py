"""The metadata of the Flex Templates: made from the options, valid by Google's types, and what the pipelines take."""

import ast
import dataclasses
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from google.cloud.dataflow_v1beta3 import ParameterType, TemplateMetadata

from dataflow_templates.catalogue import LEFT_OUT, TEMPLATES, FlexTemplate, template
from dataflow_templates.commands import argv_of
from dataflow_templates.generate import FOLDER, IMAGE_PARAMETER, KINDS, WRITTEN, as_text, metadata, text_of
from pipelines.launch import beam_options
from pipelines.options import parse_options

ROOT = Path(__file__).resolve().parents[2]
ALL = pytest.mark.parametrize("each", TEMPLATES, ids=lambda each: each.name)

SAMPLES = {
    "adapter": "gs://b/mapping.toml",
    "archive": "bq://p.d.events",
    "catalogue": "gs://b/catalogue.csv",
    "cleaning": "gs://b/cleaning.toml",
    "dead_letter": "gs://b/bad",
    "events": "gs://b/archive/events,gs://b/more/*.parquet",
    "output": "gs://b/out",
    "redis_url": "redis://10.0.0.3:6379/0",
    "registry": "gs://b/registry",
    "sets": "gs://b/sets.toml",
    "subscription": "projects/shop-one/subscriptions/events",
    "topic": "projects/shop-one/topics/events",
    "sdk_container_image": "europe-west1-docker.pkg.dev/p/augury/batch_predict:0.1.0",
    "simulate": "campaigns",
    "split_by": "time",
    "window_start": "2026-01-01",
    "window_end": "2026-02-01T12:00Z",
    "consent_categories": "Advertising,Analytics",
    "image_format": "png",
    "output_format": "csv",
    "variants": "original,mirrored",
    "columns": "kind=type,name=title",
    "conversion_columns": "product=sku",
}
APART = {"ingest_events": ("topic",), "creative_examples": ("simulate",)}
"""Parameters that exclude another one; they are tried alone."""


def sample(parameter: dict[str, Any]) -> str:
    """Returns a value that is not the default, where there can be another."""
    name, kind = parameter["name"], parameter["paramType"]
    default = parameter.get("defaultValue")
    if name in SAMPLES:
        return SAMPLES[name]
    if kind == "BOOLEAN":
        return "false" if default == "true" else "true"
    if default is not None and re.fullmatch(r"-?[0-9]+", default):
        return str(int(default) + 1)
    if default is not None and re.fullmatch(r"[0-9.]+", default):
        return str(float(default) / 2)
    if kind.startswith("GCS"):
        return f"gs://b/{name}"
    return "3" if any("[0-9]+" in regex for regex in parameter.get("regexes", ())) else default or "x"


def launch(each: FlexTemplate, without: tuple[str, ...] = ()) -> dict[str, str]:
    return {found["name"]: sample(found) for found in metadata(each)["parameters"] if found["name"] not in without}


@ALL
def test_the_committed_metadata_is_what_the_options_say(each: FlexTemplate) -> None:
    committed = (FOLDER / f"{each.name}.json").read_bytes()
    assert committed == text_of(each), "run make templates and commit what it wrote"


def test_there_is_no_other_metadata_and_the_check_says_so() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == {each.name for each in TEMPLATES}
    command = [sys.executable, "-m", "dataflow_templates.generate", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{len(TEMPLATES)} templates; changed: none\n")


@ALL
def test_google_s_own_type_takes_it_whole(each: FlexTemplate) -> None:
    given = json.loads((FOLDER / f"{each.name}.json").read_bytes())
    parsed = TemplateMetadata.from_json(json.dumps(given), ignore_unknown_fields=False)
    assert (parsed.name, parsed.description, parsed.streaming) == (each.title, each.description, each.streaming)
    assert [parameter.name for parameter in parsed.parameters] == [found["name"] for found in given["parameters"]]
    for parameter, found in zip(parsed.parameters, given["parameters"], strict=True):
        assert parameter.label and parameter.help_text and re.fullmatch(r"[a-z][a-z0-9_]*", parameter.name)
        assert parameter.param_type == ParameterType[found["paramType"]] != ParameterType.DEFAULT
        assert parameter.is_optional is found["isOptional"]
        assert parameter.is_optional or not parameter.default_value
        for regex in parameter.regexes:
            assert re.search(regex, sample(found)), (parameter.name, regex)
            assert not parameter.default_value or re.search(regex, parameter.default_value)
        assert "\\" not in parameter.help_text and len(parameter.help_text) < 400
    with pytest.raises(Exception, match="no field named"):
        TemplateMetadata.from_json(json.dumps({**given, "paramters": []}), ignore_unknown_fields=False)


@ALL
def test_every_option_is_a_parameter_and_every_parameter_an_option(each: FlexTemplate) -> None:
    options = {entry.name for entry in dataclasses.fields(each.options)} - set(LEFT_OUT)
    assert {found["name"] for found in metadata(each)["parameters"]} == options | {IMAGE_PARAMETER["name"]}


def test_what_is_said_of_an_option_by_name_is_said_of_one_that_there_is() -> None:
    options = {entry.name for each in TEMPLATES for entry in dataclasses.fields(each.options)}
    assert options >= {*KINDS, *WRITTEN, *LEFT_OUT}


@ALL
def test_a_launch_with_every_parameter_is_what_the_pipeline_takes(each: FlexTemplate) -> None:
    """Arguments as the launcher makes them: ``--name=value``, once each."""
    apart = APART.get(each.name, ())
    for without in (apart, tuple({"subscription", "conversions"} & launch(each).keys())) if apart else ((),):
        parameters = launch(each, without)
        options, rest = parse_options(each.options, argv_of(parameters))
        assert rest == [f"--sdk_container_image={SAMPLES['sdk_container_image']}"]
        for name, text in parameters.items():
            if name != "sdk_container_image":
                value = getattr(options, name)
                assert (
                    value == type(value)(float(text))
                    if isinstance(value, int | float) and text[0].isdigit()
                    else (as_text(value) == text)
                ), name
        beam_options(rest)


@ALL
def test_defaults_left_out_are_the_pipeline_s_own(each: FlexTemplate) -> None:
    required = [found for found in metadata(each)["parameters"] if not found["isOptional"]]
    given = {found["name"]: sample(found) for found in required}
    if each.name in ("ingest_events", "warm_store"):
        given |= {"redis_url": SAMPLES["redis_url"]}
    if each.name == "ingest_events":
        given |= {"subscription": SAMPLES["subscription"]}
    filled = {f["name"]: f["defaultValue"] for f in metadata(each)["parameters"] if "defaultValue" in f} | given
    assert parse_options(each.options, argv_of(given)) == parse_options(each.options, argv_of(filled))


@ALL
def test_nothing_is_written_to_a_worker_s_own_disk(each: FlexTemplate) -> None:
    for found in metadata(each)["parameters"]:
        if found["name"] in WRITTEN:
            assert not re.search(found["regexes"][0], "local/folder") and re.search(found["regexes"][0], "gs://b/f")
            assert "defaultValue" not in found
        if found["paramType"].startswith("GCS"):
            assert found.get("defaultValue", "gs://").startswith("gs://")


def test_lists_of_values_with_commas_are_json() -> None:
    assert as_text(("a", "b")) == "a,b"
    assert as_text(("a,b", "c")) == '["a,b","c"]'
    assert as_text(("[x]",)) == '["[x]"]'
    assert (as_text(True), as_text(0.5), as_text(())) == ("true", "0.5", "")


@ALL
def test_a_main_is_three_lines(each: FlexTemplate) -> None:
    body = ast.parse((ROOT / "dataflow_templates" / f"{each.name}.py").read_text()).body[1:]
    *imports, call = (ast.unparse(line) for line in body)
    assert sorted(imports) == sorted([f"from pipelines.{each.name} import run", "from pipelines.launch import main"])
    assert call == "main(run)"


def test_a_template_is_found_by_its_name() -> None:
    assert template("batch-predict") is TEMPLATES[-1]


@ALL
def test_gcloud_takes_the_metadata(each: FlexTemplate) -> None:
    """The second validator: gcloud itself, asked only to print the template's file."""
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        pytest.skip("gcloud is not installed")
    command = [gcloud, "dataflow", "flex-template", "build", "gs://b/templates/x.json", "--print-only"]
    command += ["--image=europe-west1-docker.pkg.dev/p/augury/x:1", "--sdk-language=PYTHON", "--project=test-proj"]
    done = subprocess.run(
        [*command, f"--metadata-file={FOLDER / each.name}.json"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    printed = json.loads(re.search(r"\{.*\}", done.stdout + done.stderr, re.DOTALL)[0])  # type: ignore[index]
    names = [found["name"] for found in printed["metadata"]["parameters"]]
    assert names == [found["name"] for found in metadata(each)["parameters"]]
