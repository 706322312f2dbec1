"""What a pipeline's command line tells of an error."""

import socket
import subprocess
import sys
from pathlib import Path

import apache_beam as beam
import pytest

from pipelines.launch import PipelineFailedError, PipelineOptionError, beam_options, choose_runner, main, run_to_end
from pipelines.worker_pool import WorkerPoolError


def test_an_error_of_ours_is_one_line_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(argv: object) -> None:
        raise WorkerPoolError("too\nmany")

    with pytest.raises(SystemExit) as caught:
        main(fail)
    assert (caught.value.code, capsys.readouterr().err) == (1, "error: too many\n")


def test_any_other_error_is_not_hidden() -> None:
    def fail(argv: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        main(fail)


def test_a_module_run_directly_says_one_line(tmp_path: Path) -> None:
    given = ["--events", str(tmp_path / "none.jsonl"), "--output", str(tmp_path / "data")]
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.behavior_examples", *given], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "said",
    ["Channel closed prematurely.", "Pipeline failed in state FAILED: bundle x failed:SDK worker disconnected: w"],
)
def test_a_runner_that_lost_a_worker_is_understood(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(pipeline: beam.Pipeline) -> None:
        raise RuntimeError(said)

    monkeypatch.setattr(beam.Pipeline, "run", lose)
    with pytest.raises(PipelineFailedError, match="^a worker process ended before its work did; if the system killed"):
        run_to_end(beam.Pipeline(options=beam_options([])))


def test_a_worker_that_does_not_start_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def wait(pipeline: beam.Pipeline) -> None:
        raise RuntimeError("Pipeline job-001 failed in state FAILED: worker didn't get control connection to x")

    monkeypatch.setattr(beam.Pipeline, "run", wait)
    with pytest.raises(PipelineFailedError, match="^no worker has started within the minute that Prism waits"):
        run_to_end(beam.Pipeline(options=beam_options([])))


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        (
            "--runner=PrismRunner --prism_location=/nowhere/prism",
            "prism_location is /nowhere/prism, and there is no such file; build Prism",
        ),
        (
            "--runner=FlinkRunner --flink_job_server_jar=nowhere.jar",
            "flink_job_server_jar is nowhere.jar, and there is no such file",
        ),
        ("--direct_running_mode=all", "argument --direct_running_mode: invalid choice: 'all' .choose from 'in_memory'"),
    ],
)
def test_a_value_that_beam_will_not_take_is_one_line(
    flag: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(PipelineOptionError, match=message):
        choose_runner(beam_options(flag.split()))
    assert capsys.readouterr().err == ""  # and not the usage of three hundred options


def test_a_job_service_that_is_not_there_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        endpoint = f"127.0.0.1:{taken.getsockname()[1]}"
        given = ["--runner=PortableRunner", f"--job_endpoint={endpoint}", "--job_server_timeout=1"]
        options = beam_options([*given, "--environment_type=LOOPBACK"])
        pipeline = beam.Pipeline(runner=choose_runner(options), options=options)
        _ = pipeline | beam.Create([1])
        with pytest.raises(PipelineFailedError, match=f"no job service has answered at {endpoint} for 1 seconds"):
            run_to_end(pipeline)
