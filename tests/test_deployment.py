"""What can be told of the container and its deployment without Docker: that they name what exists and would start."""

import configparser
import json
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path, PurePosixPath

import pytest
from typer.main import get_command

from augury.cli import app
from augury.retraining.validation import PYTHON as TFDV_PYTHON
from serving.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TEXT = (ROOT / "Dockerfile").read_text()
DEPLOY = ROOT / "deploy" / "service"
GUIDE = (ROOT / "docs" / "deployment.md").read_text()


def instructions() -> list[tuple[str, str]]:
    """Returns (instruction, its arguments) of the Dockerfile, lines joined, comments left out."""
    lines = [line for line in TEXT.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


INSTRUCTIONS = instructions()


def of(word: str) -> list[str]:
    return [rest for found, rest in INSTRUCTIONS if found == word]


def environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for rest in of("ENV") for pair in shlex.split(rest))


def test_only_known_instructions_and_stages() -> None:
    known = {"ARG", "FROM", "WORKDIR", "COPY", "RUN", "ENV", "VOLUME", "EXPOSE", "STOPSIGNAL"}
    assert {word for word, _ in INSTRUCTIONS} <= known | {"HEALTHCHECK", "ENTRYPOINT", "CMD", "USER"}
    stages: set[str] = set()
    for rest in of("FROM"):
        base, _, name = rest.split()
        assert base == "${PYTHON_IMAGE}" or base in stages
        stages.add(name)
    assert {"cpu", "cuda"} <= stages
    assert of("FROM")[-1].endswith(" AS cpu")  # what is built when no target is named
    copied = {match[1] for rest in of("COPY") if (match := re.match(r"--from=(\S+)", rest))}
    assert copied == {"installed-cpu", "installed-cuda", "installed-training", "installed-tfdv"} <= stages


def test_the_base_has_a_python_that_the_project_allows() -> None:
    (image,) = [rest.split("=", 1)[1] for rest in of("ARG")]
    version = re.match(r"python:(\d+\.\d+)-slim", image)[1]  # type: ignore[index]
    assert version == "3.11" and PROJECT["requires-python"] == ">=3.11,<3.13"


def sources() -> list[str]:
    return [source for rest in of("COPY") if not rest.startswith("--from") for source in rest.split()[:-1]]


@pytest.mark.parametrize("source", sources())
def test_what_is_copied_exists_and_is_let_through(source: str) -> None:
    if source == "requirements/serving-cuda.txt" and not (ROOT / source).exists():
        pytest.skip("the lock of the CUDA variant has not been made yet")
    assert (ROOT / source).exists()
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert f"!{source}" in rules


def test_nothing_else_is_let_through() -> None:
    rules = (ROOT / ".dockerignore").read_text().splitlines()
    assert {rule[1:] for rule in rules if rule.startswith("!")} == set(sources())


def test_every_package_of_the_wheel_is_copied() -> None:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert set(packages["packages"]) <= set(sources())
    assert {PROJECT["readme"], *PROJECT["license-files"], "pyproject.toml"} <= set(sources())
    assert f"augury-{PROJECT['version']}-py3-none-any.whl" in TEXT


def test_everything_is_installed_by_hash() -> None:
    installs = [part for rest in of("RUN") for part in rest.split("&&") if " install " in part and "pip" in part]
    assert len(installs) == 8
    assert all("--require-hashes" in part or "/dist/" in part for part in installs)
    assert all("--no-deps" in part for part in installs)


def test_what_is_run_is_a_command_that_its_own_settings_allow() -> None:
    (entry,), (command,) = (json.loads(of(word)[-1]) for word in ("ENTRYPOINT", "CMD"))
    assert entry in PROJECT["scripts"]
    found = get_command(app).commands[command].load()  # type: ignore[attr-defined]
    found.make_context(command, [])
    fields = {f"AUGURY_{name.upper()}" for name in Settings.model_fields}
    ours = {name: value for name, value in environment().items() if name.startswith("AUGURY_")}
    assert ours.pop(TFDV_PYTHON) == "/opt/tfdv/bin/python"  # retraining's
    assert ours.keys() <= fields
    Settings(**{name.removeprefix("AUGURY_").lower(): value for name, value in ours.items()})
    assert PurePosixPath(ours["AUGURY_STATE_DIR"]).is_absolute()
    assert of("VOLUME") == [ours["AUGURY_STATE_DIR"]] and of("EXPOSE") == [ours["AUGURY_PORT"]]


def test_nobody_is_root_and_no_key_is_inside() -> None:
    last, stage = {}, ""
    for word, rest in INSTRUCTIONS:
        if word == "FROM":
            stage = rest.split()[-1]
        elif word == "USER":
            last[stage] = rest
    assert last == dict.fromkeys(("training", "cpu", "cuda"), "10001:10001")
    assert re.findall(r"(?i)(?:key|secret|password|token)s?\s*=", TEXT) == []


def test_the_health_check_is_python_that_compiles_and_asks_the_service() -> None:
    (check,) = of("HEALTHCHECK")
    words = json.loads(check.partition("CMD")[2])
    assert words[:2] == ["python", "-c"]
    compile(words[2], "healthcheck", "exec")
    assert "/healthz" in words[2]


def test_the_unit_and_the_start_up_script_can_be_read() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string((DEPLOY / "augury.service").read_text())
    assert {"ExecStart", "ExecStop", "Restart"} <= set(unit["Service"])
    assert "--env-file /etc/augury.env" in unit["Service"]["ExecStart"]
    shell = shutil.which("sh")
    assert shell is not None
    subprocess.run([shell, "-n", str(DEPLOY / "start-instance.sh")], check=True)


def test_the_example_settings_are_settings() -> None:
    lines = (DEPLOY / "augury.env.example").read_text().splitlines()
    given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    fields = {f"AUGURY_{name.upper()}": name for name in Settings.model_fields} | {"REDIS_URL": "redis_url"}
    assert given.keys() <= fields.keys()
    Settings(**{fields[name]: value for name, value in given.items()})


def test_the_guide_names_the_files_and_targets_that_there_are() -> None:
    for path in sorted(DEPLOY.iterdir()):
        assert f"deploy/service/{path.name}" in GUIDE, path.name
    assert set(re.findall(r"docker build --target (\w+)", GUIDE)) == {"cpu", "cuda", "training"}
    settings = set(re.findall(r"`(AUGURY_[A-Z_]+)", GUIDE))
    assert settings <= {f"AUGURY_{name.upper()}" for name in Settings.model_fields}
