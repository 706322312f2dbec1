"""Runs the commands that README.md shows, in their order."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def run_readme_commands(name: str, folder: Path, more: Mapping[str, str]) -> list[str]:
    """Runs a block of commands in a folder, and returns what each of them printed.

    Args:
        name: of the block, which ``<!-- run: NAME -->`` stands before.
        folder: the working folder.
        more: the beginning of a command, such as ``train variants`` -> options to add, which make the example small.
    """
    block = re.search(rf"<!-- run: {name} -->\n\n```console\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert block is not None, name
    commands = [line.removeprefix("$ augury ") for line in block[1].splitlines() if line.startswith("$ ")]
    assert all(any(command.startswith(start) for command in commands) for start in more)
    printed = []
    for command in commands:
        options = [
            option for start, given in more.items() if command.startswith(start) for option in shlex.split(given)
        ]
        done = subprocess.run(
            [sys.executable, "-m", "augury.cli", *shlex.split(command), *options],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        printed.append(done.stdout)
    return printed
