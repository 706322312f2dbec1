import sys
import types
from pathlib import Path

import pytest

from augury.retraining.errors import RunError, StoppedError
from augury.retraining.jobs import Job, pipeline_argv, run_job
from models.processes import JobInterrupted
from pipelines.behavior_recipe import ExamplesOptions
from pipelines.options import parse_options

CODE = """
import pathlib, sys
what, output = sys.argv[1:]
print("at work")
if what == "good":
    pathlib.Path(output).write_text("done")
elif what == "interrupted":
    sys.exit(130)
elif what != "silent":
    print("error:", what, file=sys.stderr)
    sys.exit(1)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "a_job.py").write_text(CODE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "a_job"


def job(module: str, tmp_path: Path, what: str, refuses: str | None = "bad_data") -> Job:
    done = str(tmp_path / "card.json")
    return Job("examples", module, (what, done), done, refuses)


def test_a_job_that_is_done_is_not_done_again(module: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    run_job(job(module, tmp_path, "good"), log)
    assert log.read_text().splitlines() == [f"a_job good {tmp_path}/card.json", "at work"]
    run_job(job(module, tmp_path, "good"), log)
    assert len(log.read_text().splitlines()) == 2


def test_what_a_job_says_of_its_data_stops_the_run(module: str, tmp_path: Path) -> None:
    with pytest.raises(StoppedError, match="half the rows are bad") as caught:
        run_job(job(module, tmp_path, "half the rows are bad"), tmp_path / "log")
    assert (caught.value.step, caught.value.kind) == ("examples", "bad_data")
    with pytest.raises(StoppedError) as caught:
        run_job(job(module, tmp_path, "0 rows read, but no example was made"), tmp_path / "log")
    assert caught.value.kind == "no_data"


@pytest.mark.parametrize(
    ("what", "refuses", "message"),
    [
        ("cannot write x: the disk is full", "bad_data", "step examples failed: cannot write x: the disk is full"),
        ("no GPU", None, "step examples failed: no GPU"),
        ("silent", "bad_data", "step examples failed: it ended with exit code 0, see .*log"),
    ],
)
def test_any_other_failure_is_an_error(
    module: str, tmp_path: Path, what: str, refuses: str | None, message: str
) -> None:
    with pytest.raises(RunError, match=message):
        run_job(job(module, tmp_path, what, refuses), tmp_path / "log")


def test_ctrl_c_is_told_by_the_run_since_the_job_told_its_log_alone(module: str, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        run_job(job(module, tmp_path, "interrupted"), tmp_path / "log")
    assert not isinstance(caught.value, JobInterrupted)


def test_options_become_flags_and_options_again() -> None:
    options = ExamplesOptions(
        events=("a,b/*.jsonl", "c"), output="out", generator_params='{"days": 7}', compress=True, gap_minutes=30.0
    )
    argv = pipeline_argv(options)
    assert "--compress=true" in argv and "--seed=0" not in argv
    assert parse_options(ExamplesOptions, argv) == (options, [])


def test_a_job_shares_the_descriptors_that_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import augury.retraining.jobs as jobs

    seen: dict[str, object] = {}

    def run_module(name: str, argv: tuple[str, ...], **more: object) -> int:
        seen.update(more)
        (tmp_path / "card.json").write_text("x")
        return 0

    monkeypatch.setattr(jobs, "run_module", run_module)
    run_job(job("m", tmp_path, "good"), tmp_path / "log", keep=(7,))
    assert seen["keep"] == (7,) and isinstance(sys, types.ModuleType)
