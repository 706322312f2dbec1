"""docs/start.md: what it says one types is there."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.tutorials import steps

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "start.md"


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_demo_runs_the_demo() -> None:
    """What the demo does is tested in tests/augury/test_demo.py."""
    assert steps(GUIDE)[0].command == "make demo"
    alone = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "--dry-run", "demo"]
    planned = subprocess.run(command, cwd=ROOT, env=alone, capture_output=True, text=True, check=True).stdout
    assert planned.splitlines()[-1] == ".venv/bin/augury demo"


def test_the_command_explains_itself() -> None:
    asked = [step.command for step in steps(GUIDE) if step.command.startswith("augury ")]
    assert asked == ["augury --help", "augury simulate --help"]
    for command in asked:
        words = [sys.executable, "-m", "augury.cli", *command.split()[1:]]
        done = subprocess.run(words, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=True)
        assert "Usage:" in done.stdout


def test_the_extras_are_those_that_there_are() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    table = GUIDE.read_text().partition("| extra | for |")[2]
    assert [extra for extra in extras if extra != "all" and f"`{extra}`" not in table] == []
