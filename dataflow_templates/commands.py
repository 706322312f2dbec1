"""The commands that build and run a Flex Template: ``make template-build`` and ``make template-run``.

Arguments are make variables, which make hands over in the environment: nothing is quoted twice. Every command is
printed, quoted for a shell, before it runs; ``PRINT_ONLY=1`` leaves it at that.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from dataflow_templates.catalogue import TEMPLATES, FlexTemplate, template
from dataflow_templates.generate import FOLDER, metadata
from features.errors import AuguryError
from pipelines.options import parse_options
from pipelines.quick_start import stays_here

_FORMS = {
    "IMAGES": (r"[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+", "REGION-docker.pkg.dev/PROJECT/REPOSITORY"),
    "TAG": (r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", "a tag such as 0.1.0"),
    "TEMPLATES": (r"gs://[a-z0-9][a-z0-9._-]{1,61}[a-z0-9](/[\w./-]+)?", "a folder, gs://BUCKET/templates"),
    "REGION": (r"[a-z]+-[a-z]+[0-9]", "a region such as europe-west1"),
    "PROJECT": (r"[a-z][a-z0-9-]{4,28}[a-z0-9]", "the id of a project"),
    "JOB": (r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", "lower-case letters, digits and dashes, a letter first"),
    "TEMP_FOLDER": (r"gs://[a-z0-9][a-z0-9._-]{1,61}[a-z0-9](/[\w./-]+)?", "a folder, gs://BUCKET/temp"),
    "WORKERS": (r"[1-9][0-9]{0,3}", "most workers, 1 to 9999"),
    "MACHINE": (r"[a-z][a-z0-9]*(-[a-z0-9]+)+", "a machine type such as n2-standard-2"),
    "SERVICE_ACCOUNT": (r"[a-z0-9-]+@[a-z0-9.-]+\.gserviceaccount\.com", "the address of a service account"),
    "SUBNETWORK": (r"(regions|https:)/[\w./-]+", "regions/REGION/subnetworks/NAME"),
}
_REQUIRED = {"build": ("IMAGES", "TEMPLATES"), "run": ("IMAGES", "TEMPLATES", "REGION", "PROJECT", "JOB")}
_DEFAULTS = {"TAG": "latest"}
_READ = ("events", "predictions", "catalogue", "conversions")
"""Parameters that name files and are of no kind that the metadata have for it: they may be several, or tables."""


class TemplateArgumentError(AuguryError, ValueError):
    """A make variable, or a parameter of a template, that is missing or cannot be."""


@dataclass(frozen=True)
class Arguments:
    """Make variables, checked.

    Attributes:
        template: the template.
        values: name -> value of the others that are given.
        parameters: name -> value of the template's parameters.
    """

    template: FlexTemplate
    values: Mapping[str, str]
    parameters: Mapping[str, str]

    @property
    def image(self) -> str:
        """The image of the template, with its tag."""
        return f"{self.values['IMAGES']}/{self.template.name}:{self.values['TAG']}"

    @property
    def path(self) -> str:
        """Where the template's file is."""
        return f"{self.values['TEMPLATES'].rstrip('/')}/{self.template.name}.json"


def read_arguments(action: str, variables: Mapping[str, str]) -> Arguments:
    """Returns what make variables ask for.

    Args:
        action: build or run.
        variables: TEMPLATE, PARAMETERS and those of the module.

    Raises:
        TemplateArgumentError: one is missing, or cannot be.
    """
    name = variables.get("TEMPLATE", "").replace("-", "_")
    known = [each.name for each in TEMPLATES]
    if name not in known:
        raise TemplateArgumentError(f"TEMPLATE is {name!r}; expected one of {', '.join(known)}")
    values = dict(_DEFAULTS)
    for key, (form, expected) in _FORMS.items():
        value = variables.get(key, "")
        if not value:
            if key in _REQUIRED[action]:
                raise TemplateArgumentError(f"{key} is missing; expected {expected}")
            continue
        if not re.fullmatch(form, value):
            raise TemplateArgumentError(f"{key} is {value!r}; expected {expected}")
        values[key] = value
    found = template(name)
    given = read_parameters(found, variables.get("PARAMETERS", "")) if action == "run" else {}
    return Arguments(found, values, given)


def read_parameters(found: FlexTemplate, text: str) -> dict[str, str]:
    """Returns a template's parameters from ``name=value`` words, quoted as in a shell, having tried them all out.

    Raises:
        TemplateArgumentError: one is unknown, missing, given twice, or has another form than the metadata says.
        AuguryError: the pipeline refuses them.
    """
    about = {each["name"]: each for each in metadata(found)["parameters"]}
    given: dict[str, str] = {}
    try:
        words = shlex.split(text)
    except ValueError as e:
        raise TemplateArgumentError(f"PARAMETERS cannot be read ({e}); quote them as in a shell") from e
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or name not in about or name in given:
            what = "is given twice" if name in given else "is no parameter"
            raise TemplateArgumentError(f"PARAMETERS: {word!r} {what}; expected NAME=VALUE of {', '.join(about)}")
        for regex in about[name].get("regexes", ()):
            if not re.search(regex, value):
                raise TemplateArgumentError(f"PARAMETERS: {name} is {value!r}; expected what matches {regex}")
        given[name] = value
    missing = [name for name, each in about.items() if not each["isOptional"] and name not in given]
    if missing:
        raise TemplateArgumentError(f"PARAMETERS: {', '.join(missing)} must be given too")
    options: Any = parse_options(found.options, argv_of(given))[0]
    for name in given:
        if name in _READ or about[name]["paramType"].startswith("GCS_READ"):
            value = getattr(options, name)
            for path in filter(stays_here, (value,) if isinstance(value, str) else value):
                raise TemplateArgumentError(f"PARAMETERS: {name}: {path} is on this machine; expected a gs:// URL")
    return given


def argv_of(parameters: Mapping[str, str]) -> list[str]:
    """Returns the arguments that the launcher gives the pipeline."""
    return [f"--{name}={value}" for name, value in parameters.items()]


def build_commands(asked: Arguments) -> list[list[str]]:
    """Returns the commands that make a template: its image, and its file."""
    return [
        [
            *("docker", "build", "--file=dataflow_templates/Dockerfile", f"--target={asked.template.image}"),
            *(f"--build-arg=TEMPLATE={asked.template.name}", f"--tag={asked.image}", "."),
        ],
        ["docker", "push", asked.image],
        [
            *("gcloud", "dataflow", "flex-template", "build", asked.path, f"--image={asked.image}"),
            *("--sdk-language=PYTHON", f"--metadata-file={FOLDER / (asked.template.name + '.json')}"),
        ],
    ]


def run_command(asked: Arguments) -> list[str]:
    """Returns the command that launches a job."""
    flags = {"WORKERS": "max-workers", "MACHINE": "worker-machine-type", "TEMP_FOLDER": "temp-location"}
    flags |= {"SERVICE_ACCOUNT": "service-account-email", "SUBNETWORK": "subnetwork"}
    more = [f"--{flag}={asked.values[key]}" for key, flag in flags.items() if key in asked.values]
    if asked.template.streaming:
        more.append("--enable-streaming-engine")
    return [
        *("gcloud", "dataflow", "flex-template", "run", asked.values["JOB"]),
        *(f"--project={asked.values['PROJECT']}", f"--region={asked.values['REGION']}"),
        f"--template-file-gcs-location={asked.path}",
        f"--parameters={_joined(_all_parameters(asked))}",
        *more,
    ]


def launch_body(asked: Arguments) -> dict[str, Any]:
    """Returns the body of ``projects.locations.flexTemplates.launch``, for whoever launches without gcloud."""
    keys = {"WORKERS": "maxWorkers", "MACHINE": "machineType", "TEMP_FOLDER": "tempLocation"}
    keys |= {"SERVICE_ACCOUNT": "serviceAccountEmail", "SUBNETWORK": "subnetwork"}
    environment: dict[str, Any] = {key: asked.values[name] for name, key in keys.items() if name in asked.values}
    if "maxWorkers" in environment:
        environment["maxWorkers"] = int(environment["maxWorkers"])
    if asked.template.streaming:
        environment["enableStreamingEngine"] = True
    return {
        "launchParameter": {
            "jobName": asked.values["JOB"],
            "containerSpecGcsPath": asked.path,
            "parameters": _all_parameters(asked),
            "environment": environment,
        }
    }


def _all_parameters(asked: Arguments) -> dict[str, str]:
    return {**asked.parameters, "sdk_container_image": asked.parameters.get("sdk_container_image", asked.image)}


def _joined(parameters: Mapping[str, str]) -> str:
    """Returns parameters as gcloud reads them: joined by what is in none of them (``gcloud topic escaping``)."""
    pairs = [f"{name}={value}" for name, value in parameters.items()]
    free = next(
        (mark for mark in (",", "~", "|", "#", ";", "@@", "%%", "::::") if not any(mark in p for p in pairs)), ""
    )
    if not free:
        raise TemplateArgumentError("PARAMETERS hold every separator that gcloud could be given; simplify their values")
    joined = free.join(pairs)
    return joined if free == "," else f"^{free}^{joined}"


def main() -> None:
    """Prints the commands, and runs them where their programs are."""
    [action] = sys.argv[1:]
    try:
        asked = read_arguments(action, os.environ)
        commands = build_commands(asked) if action == "build" else [run_command(asked)]
    except AuguryError as e:
        sys.exit(f"error: {e}")
    if os.environ.get("BODY"):
        print(orjson.dumps(launch_body(asked), option=orjson.OPT_INDENT_2).decode())
        return
    for command in commands:
        print(shlex.join(command), flush=True)
    if os.environ.get("PRINT_ONLY"):
        return
    missing = sorted({command[0] for command in commands if shutil.which(command[0]) is None})
    if missing:
        sys.exit(f"error: {', '.join(missing)} is not installed here; run the commands where it is")
    for command in commands:
        status = subprocess.run(command).returncode
        if status:
            sys.exit(status)


if __name__ == "__main__":
    main()
