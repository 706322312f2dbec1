"""What can be told of the image without Docker: that it names what exists, installs by hash, and holds what it must."""

import re
import tomllib
from pathlib import Path

import pytest

from dataflow_templates.catalogue import TEMPLATES

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "dataflow_templates" / "Dockerfile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def stages() -> dict[str, list[str]]:
    """Returns stage -> its instructions, lines joined, comments left out."""
    lines = [line for line in TEXT.splitlines() if not line.lstrip().startswith("#")]
    found: dict[str, list[str]] = {"": []}
    name = ""
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        if line.startswith("FROM "):
            name = line.split(" AS ")[1]
            found[name] = []
        if line:
            found[name].append(line)
    return found


STAGES = stages()
IGNORED = (ROOT / "dataflow_templates" / "Dockerfile.dockerignore").read_text().splitlines()


def test_the_templates_name_targets_that_there_are() -> None:
    assert {each.image for each in TEMPLATES} == {"workers", "scoring"} <= STAGES.keys()


def test_one_python_one_beam() -> None:
    beam = re.search(r"beam_python(\d+\.\d+)_sdk:([\d.]+)$", TEXT, re.MULTILINE)
    python = re.search(r"PYTHON_IMAGE=python:(\d+\.\d+)-slim", TEXT)
    launcher = re.search(r"/python(\d+)-template-launcher-base", TEXT)
    assert beam is not None and python is not None and launcher is not None
    assert beam[1] == python[1] and beam[1].replace(".", "") == launcher[1]
    extra = PROJECT["project"]["optional-dependencies"]["pipelines"]
    [wanted] = [each for each in extra if each.startswith("apache-beam")]
    assert wanted == f"apache-beam[gcp]=={beam[2]}"


def copied() -> list[str]:
    found = [word for each in STAGES["tools"] if each.startswith("COPY ") for word in each.split()[1:-1]]
    mounted = re.findall(r"source=(requirements/\w+\.txt)", TEXT)
    return [*found, *mounted]


@pytest.mark.parametrize("source", copied())
def test_what_is_copied_exists_and_is_let_through(source: str) -> None:
    assert (ROOT / source).exists()
    assert IGNORED[1] == "*" and f"!{source}" in IGNORED


def test_nothing_else_is_let_through() -> None:
    assert {rule[1:] for rule in IGNORED if rule.startswith("!")} == {*copied(), "dataflow_templates/*.py"}


def test_every_package_of_the_wheel_is_copied() -> None:
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert set(packages) <= set(copied())
    assert TEXT.count(f"augury-{PROJECT['project']['version']}-py3-none-any.whl") == 2


def test_everything_is_installed_by_hash_and_only_scoring_has_tensorflow() -> None:
    installs = [each for lines in STAGES.values() for each in lines if each.startswith("RUN") and " install " in each]
    assert len(installs) == 5
    assert all("--no-deps" in each and ("--require-hashes" in each or "--offline /dist/" in each) for each in installs)
    assert [name for name, lines in STAGES.items() if any("scoring.txt" in line for line in lines)] == ["base-scoring"]
    assert STAGES["workers"][0] == "FROM base AS workers" and STAGES["scoring"][0] == "FROM base-scoring AS scoring"


@pytest.mark.parametrize("name", ["workers", "scoring"])
def test_launcher_and_workers_find_what_they_start(name: str) -> None:
    assert STAGES[name][-3:] == [
        "COPY dataflow_templates/${TEMPLATE}.py /template/main.py",
        "ENV FLEX_TEMPLATE_PYTHON_PY_FILE=/template/main.py",
        'ENTRYPOINT ["/opt/apache/beam/boot"]',
    ]
    copies = [line for line in STAGES["base"] if line.startswith("COPY --from")]
    assert [line.split()[-1] for line in copies] == [
        "/opt/apache/beam",
        "/opt/google/dataflow/python_template_launcher",
    ]
    assert re.findall(r"(?i)(?:key|secret|password|token)s?\s*=", TEXT) == []
