"""docs/templates.md shows what the commands print."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from dataflow_templates.catalogue import TEMPLATES

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "templates.md").read_text()
SHOWN = re.findall(r"^```console\n\$ make (.*?)\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("line", "printed"), SHOWN, ids=lambda text: text.split()[0])
def test_what_it_shows_is_what_one_sees(line: str, printed: str) -> None:
    target, *variables = shlex.split(line)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **dict(word.split("=", 1) for word in variables)}
    command = [sys.executable, "-m", "dataflow_templates.commands", target.removeprefix("template-")]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.replace(f"{ROOT}/", "") == printed


def test_make_hands_the_variables_over() -> None:
    target, *variables = shlex.split(SHOWN[-1][0])
    command = ["make", "--no-print-directory", "-o", ".venv/.installed-demo", "VENV=.venv", target, *variables]
    if not (ROOT / ".venv").exists():
        pytest.skip("there is no .venv here, which make uses")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (0, SHOWN[-1][1])


def test_every_template_is_in_the_table() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .* \| `(\w+)` \|$", GUIDE, re.MULTILINE)
    assert rows == [(each.name, each.image) for each in TEMPLATES]
