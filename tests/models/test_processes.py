"""Jobs in a process of their own: exit codes and signals."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from models.processes import JobInterrupted, run_module

ROOT = Path(__file__).parents[2]


@pytest.fixture
def job(tmp_path, monkeypatch):
    def write(source):
        (tmp_path / "the_job.py").write_text(source)
        monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")

    return write


def test_the_exit_code_is_the_jobs(job):
    job("import sys; sys.exit(int(sys.argv[1]))")
    assert run_module("the_job", ["0"]) == 0
    assert run_module("the_job", ["7"]) == 7


def test_a_killed_job_has_the_code_a_shell_would_give_and_a_line(job, capsys):
    job("import os, signal, sys; signal.signal(2, signal.SIG_DFL); os.kill(os.getpid(), int(sys.argv[1]))")
    assert run_module("the_job", ["9"]) == 137
    assert capsys.readouterr().err == (
        "error: the_job was ended by SIGKILL, which often means that memory ran out: free some or ask for less\n"
    )
    assert run_module("the_job", ["11"]) == 139
    assert capsys.readouterr().err == "error: the_job was ended by SIGSEGV\n"
    with pytest.raises(JobInterrupted):
        run_module("the_job", ["2"])
    assert capsys.readouterr().err == ""


def test_a_job_that_was_interrupted_has_said_so(job):
    job("import sys; sys.exit(130)")
    with pytest.raises(JobInterrupted):
        run_module("the_job", [])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_the_job_once_and_it_decides(job, number):
    job(
        "import signal, sys\n"
        "signals = {signal.SIGINT, signal.SIGTERM}\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, signals)\n"
        "print('ready', flush=True)\n"
        "print(signal.sigwait(signals) + 0, len(signal.sigpending()), flush=True)\n"
        "sys.exit(9)\n"
    )
    code = "import sys; from models.processes import run_module; sys.exit(run_module('the_job', []))"
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout.readline() == "ready\n"
    parent.send_signal(number)
    assert parent.stdout.read() == f"{number + 0} 0\n"
    assert parent.wait(30) == 9
    parent.stdout.close()
