"""The set-up of the browser library's tests on a machine that lacks something."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_NEEDED = ("sh", "dirname", "mkdir", "cmp", "cp", "find", "grep", "npm")


@pytest.mark.skipif(not (ROOT / "collector/node_modules").is_dir(), reason="`make collector` has not been run")
@pytest.mark.parametrize(("ci", "code"), [("1", 1), ("", 0)])
def test_without_a_browser_ci_fails_and_everybody_else_is_told(tmp_path: Path, ci: str, code: int) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in _NEEDED:
        found = shutil.which(name)
        if found is None:
            pytest.skip(f"{name} is not installed")
        (programs / name).symlink_to(found)
    # No Chromium, no right to install one, and a Node that can neither fetch one nor run what is checked afterwards.
    for name, text in {"id": "echo 1000", "node": '[ "$1" = -e ]'}.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    collector = tmp_path / "collector"
    (collector / "node_modules/.bin").mkdir(parents=True)
    for name in ("tsc", "vitest"):
        (collector / "node_modules/.bin" / name).symlink_to(programs / "id")
    for name in ("check.sh", "package-lock.json"):
        shutil.copy(ROOT / "collector" / name, collector / name)
    cache = tmp_path / ".cache/collector"
    cache.mkdir(parents=True)
    shutil.copy(ROOT / "collector/package-lock.json", cache)
    environment = {**os.environ, "PATH": str(programs), "CI": ci}
    done = subprocess.run(["sh", "collector/check.sh"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert "left out: the tests in a real browser: there is no Chromium and none could be installed" in done.stderr
    assert done.returncode == code
