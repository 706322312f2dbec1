"""docs/cli.md keeps up with the command: what is cheap to run is run, and what it names exists."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from augury import cli
from models.gates import Thresholds

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "cli.md").read_text()
COMMANDS = {name: entry[0] for panel in cli._COMMANDS.values() for name, entry in panel.items()}
LINES = [
    *re.findall(r"^\$ augury (.*)$", GUIDE, re.MULTILINE),
    *re.findall(r"^augury (.*)$", GUIDE, re.MULTILINE),
    *re.findall(r"`augury ([a-z][^`]*)`", GUIDE),
]


@pytest.mark.parametrize("line", ["--help", "generators"])
def test_what_it_shows_is_what_one_sees(line):
    shown = re.search(rf"^\$ augury {line}\n(.*?)^(?:\$|```)", GUIDE, re.MULTILINE | re.DOTALL)[1]
    code = f"import sys; sys.argv = ['augury', {line!r}]; from augury.cli import main; main()"
    environment = {**os.environ, "COLUMNS": "100"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert [text.rstrip() for text in done.stdout.strip().splitlines()] == shown.strip().splitlines()


def test_every_command_is_shown():
    headings = " ".join(re.findall(r"^## (.*)$", GUIDE, re.MULTILINE))
    assert [name for name in COMMANDS if name not in headings] == []
    assert {line.split()[0] for line in LINES} >= COMMANDS.keys()


@pytest.mark.parametrize("line", LINES)
def test_every_flag_it_uses_exists(line):
    name, *rest = shlex.split(line)
    if name not in COMMANDS:
        assert name in ("--help", "COMMAND")
        return
    command = cli._Deferred(name, COMMANDS[name], "", "").load()
    command = getattr(command, "commands", {}).get(rest[0] if rest else "", command)
    known = {flag for parameter in command.params for flag in parameter.opts} | {"--help"}
    assert [word for word in rest if word.startswith("-") and word not in known] == []


def test_the_thresholds_file_is_one():
    [text] = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
    assert Thresholds.of("behavior").changed(tomllib.loads(text)).max_ece == 0.02
