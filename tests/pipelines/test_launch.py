"""What a pipeline's command line tells of an error."""

import subprocess
import sys
from pathlib import Path

import apache_beam as beam
import pytest

from pipelines.launch import PipelineFailedError, beam_options, main, run_to_end
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
