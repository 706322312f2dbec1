"""docs/engines.md: its commands run, print what is shown, and make the same examples."""

import os
import re
import shlex
import socket
import subprocess
from pathlib import Path

from apache_beam.options.pipeline_options import PipelineOptions
from typer.testing import CliRunner

from augury import cli
from benchmarks.datasets_equal import examples_in
from pipelines.launch import beam_options
from tests.engines.engines import PRISM, ROOT, WORKERS, needs_prism, needs_workers

GUIDE = (ROOT / "docs/engines.md").read_text()


def shown() -> list[tuple[str, str]]:
    """Commands that begin with a prompt, and what is shown after each."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL):
        found += re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block.replace("\\\n", " "), re.MULTILINE)
    return [(command, text.strip()) for command, text in found]


def test_every_flag_for_beam_is_one() -> None:
    flags = [flag for command, _ in shown() if "--beam" in command for flag in shlex.split(shlex.split(command)[-1])]
    flags += re.findall(r"(?<=[ `])--(?:runner|direct|flink|environment|job_endpoint|sdk|staging)\w*=[^\s`']+", GUIDE)
    assert len(flags) > 15
    assert isinstance(beam_options([flag for flag in flags if "..." not in flag]), PipelineOptions)


@needs_prism
@needs_workers
def test_the_commands_do_what_is_shown(tmp_path: Path, monkeypatch) -> None:
    """In order, with other ports; what the servers among them do is done by the real ones."""
    (tmp_path / ".cache/bin").mkdir(parents=True)
    (tmp_path / ".cache/bin/prism").symlink_to(PRISM)
    (tmp_path / ".cache/workers").symlink_to(WORKERS)
    monkeypatch.chdir(tmp_path)
    ports = {"8073": free_port(), "8091": free_port()}
    servers: list[subprocess.Popen] = []
    made = []
    try:
        for command, text in shown():
            for documented, real in ports.items():
                command = command.replace(documented, real)
            program, *words = shlex.split(command)
            if program == "augury":
                done = CliRunner().invoke(cli.app, words, env={"COLUMNS": "120"})
                assert (done.exit_code != 0) == text.startswith("error: "), done.output
                assert not text or " ".join(text.split()) in " ".join((done.stdout + done.stderr).split())
                made += [words[words.index("--output") + 1]] if words[0] == "examples" and not done.exit_code else []
            else:
                assert words.pop() == "&"
                clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
                servers.append(subprocess.Popen([program, *words], env=clean, stderr=subprocess.DEVNULL))
                wait_for(words, servers[-1])
    finally:
        for server in servers:
            server.terminate()
            server.wait()
    assert made == ["examples", "examples-2", "examples-prism", "examples-service"]
    expected, *others = map(examples_in, map(Path, made))
    assert expected.total() == 2060 and all(other == expected for other in others)


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def wait_for(words: list[str], server: subprocess.Popen) -> None:
    """Waits until a server listens on the port that its command names."""
    port = int(re.findall(r"\d{4,}", " ".join(words))[-1])
    while server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
    raise AssertionError(f"{words} ended with {server.returncode}")
