"""How long a job on another engine is waited for: as long as it works, however slow the machine is."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.engines import engines
from tests.engines.engines import finish, run_module

WORKS = "import time\nwhile time.process_time() < 1.0: pass\nprint('done')"


def started(code: str) -> subprocess.Popen:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", code], **pipes)


def test_a_job_that_works_is_waited_for_and_one_that_does_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "PATIENCE_SECONDS", 0.4)
    monkeypatch.setattr(engines, "_LOOK_SECONDS", 0.1)
    with started(WORKS) as process:
        assert finish(process) == ("done\n", "")
    with started("import time; time.sleep(600)") as process, pytest.raises(subprocess.TimeoutExpired):
        finish(process)
    assert process.returncode == -9


def test_one_that_works_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "MOST_CPU_SECONDS", 0.3)
    monkeypatch.setattr(engines, "_LOOK_SECONDS", 0.1)
    with started("while True: pass") as process, pytest.raises(subprocess.TimeoutExpired):
        finish(process)


def test_a_job_that_prism_did_not_wait_for_is_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "job.py").write_text(
        "import sys\nfrom pathlib import Path\nruns = Path('runs')\n"
        "runs.write_text(runs.read_text() + 'x' if runs.exists() else 'x')\n"
        "sys.exit('error: no worker has started within the minute that Prism waits; look' if len(runs.read_text()) < 3 "
        "else 'error: another')\n"
    )
    monkeypatch.setattr(engines, "ROOT", tmp_path)
    ended = run_module("job", [], tmp_path)
    assert (ended.returncode, ended.stderr) == (1, "error: another\n")
    assert (tmp_path / "runs").read_text() == "xxx"
