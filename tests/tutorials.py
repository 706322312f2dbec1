"""Follows a tutorial literally: every command of its console blocks, in their order, in a folder that was empty.

The service that a tutorial starts listens on a free port, and its curls go there; all else is done as it stands.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_BLOCK = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)
_COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
# A word that stays the same when the numbers and ids around it do not.
_WORD = re.compile(r"(?<![\w./-])[A-Za-z_]{4,}(?![\w./-])")
ADDRESS = "http://127.0.0.1:8000"


@dataclass(frozen=True)
class Step:
    """A command of a guide, what the guide shows of it, and what it printed."""

    command: str
    shown: str
    printed: str = ""

    def missing(self) -> set[str]:
        """Returns the words that the guide shows and that were not printed."""
        return set(_WORD.findall(self.shown)) - set(_WORD.findall(self.printed))


def steps(guide: Path) -> list[Step]:
    """Returns the commands of a guide's console blocks."""
    blocks = "".join(_BLOCK.findall(guide.read_text()))
    return [Step(command.replace("\\\n", " "), shown) for command, shown in _COMMAND.findall(blocks)]


def follow(guide: Path, folder: Path, more: Mapping[str, str]) -> list[Step]:
    """Does what a tutorial says.

    Args:
        guide: the tutorial.
        folder: stands for the checkout; the tutorial makes a folder of its own in it.
        more: the beginning of a command -> options to add, which make it small.
    """
    (folder / "examples").symlink_to(ROOT / "examples")
    asked = steps(guide)
    assert all(any(step.command.startswith(start) for step in asked) for start in more), more
    environment = {name: text for name, text in os.environ.items() if not name.startswith("AUGURY_")}
    environment.pop("REDIS_URL", None)
    environment |= {"PYTHONPATH": str(ROOT), "COLUMNS": "100", "AUGURY_PORT": "0", "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment.setdefault("OMP_NUM_THREADS", "1")
    done, service, url = [], None, ADDRESS
    try:
        for step in asked:
            if entered := re.fullmatch(r"mkdir (\S+) && cd \1", step.command):
                folder = folder / entered[1]
                folder.mkdir()
                continue
            program, *words = shlex.split(step.command.replace(ADDRESS, url))
            if program == "export":
                environment |= dict(word.split("=", 1) for word in words)
                continue
            words += [
                word for start, options in more.items() if step.command.startswith(start) for word in options.split()
            ]
            ours = {"augury": ["-m", "augury.cli"], "python": []}
            command = [sys.executable, *ours[program], *words] if program in ours else [program, *words]
            if words[0] == "serve":
                with (folder / "service.log").open("w") as log:
                    service = subprocess.Popen(
                        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
                    )
                first = service.stdout.readline()
                assert first.startswith("serving on http://"), (folder / "service.log").read_text()
                url = first.split()[2]
                done.append(Step(step.command, step.shown, first.replace(url, ADDRESS)))
                continue
            silent = ["--silent", "--fail-with-body"] if program == "curl" else []
            ended = subprocess.run(
                [*command, *silent], cwd=folder, env=environment, capture_output=True, text=True, timeout=600
            )
            assert ended.returncode == 0, f"{step.command}\n{ended.stdout}{ended.stderr}"
            done.append(Step(step.command, step.shown, ended.stdout))
    finally:
        if service is not None:
            service.terminate()
            service.wait(60)
            service.stdout.close()
    return done
