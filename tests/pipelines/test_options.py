"""Options of a pipeline from a dataclass."""

from dataclasses import dataclass, field

import apache_beam as beam
import pytest

from pipelines.launch import PipelineOptionError, beam_options, choose_runner, project_error_line, run_to_end
from pipelines.options import parse_options


@dataclass(frozen=True)
class Options:
    events: tuple[str, ...] = field(metadata={"help": "what to read"})
    output: str = field(metadata={"help": "where to write"})
    shards: int | None = field(default=None, metadata={"help": "how many"})
    share: float = field(default=0.5, metadata={"help": "of what"})
    compress: bool = field(default=False, metadata={"help": "smaller files"})


def test_fields_are_flags_and_the_rest_is_left_for_beam() -> None:
    argv = ["--events", "a", "b", "--output", "o", "--shards", "3", "--compress", "--runner=DirectRunner"]
    assert parse_options(Options, argv) == (Options(("a", "b"), "o", 3, 0.5, True), ["--runner=DirectRunner"])
    assert parse_options(Options, ["--events", "a", "--output", "o"])[0] == Options(("a",), "o")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--events", "a"], "required: --output"),
        (["--events", "a", "--output", "o", "--shards", "many"], "--shards: invalid int value: 'many'"),
        (["--output", "o"], "required: --events"),
    ],
)
def test_a_flag_that_does_not_fit_is_one_line(argv: list[str], message: str) -> None:
    with pytest.raises(PipelineOptionError, match=message) as caught:
        parse_options(Options, argv)
    assert "\n" not in str(caught.value)


def test_flags_unknown_to_beam_are_refused() -> None:
    with pytest.raises(PipelineOptionError, match="unknown option --shard;"):
        beam_options(["--shard", "3"])
    assert beam_options(["--runner=DirectRunner"]).get_all_options()["runner"] == "DirectRunner"


@pytest.mark.parametrize("name", ["Nope", "no.such.Runner", "os.NoRunner"])
def test_a_runner_that_does_not_exist_is_one_line(name: str) -> None:
    with pytest.raises(PipelineOptionError, match=f"runner '{name}' cannot be used .*; expected one of") as caught:
        choose_runner(beam_options([f"--runner={name}"]))
    assert "\n" not in str(caught.value)


def test_a_project_error_is_found_in_a_chain_and_in_a_traceback() -> None:
    inner = PipelineOptionError("shards is 0 [while running 'Step']")
    outer = RuntimeError("bundle failed")
    outer.__cause__ = inner
    assert project_error_line(outer) == "shards is 0"
    text = "Traceback:\n  File x\npipelines.launch.PipelineOptionError: bad thing; do that [while running 'A/B']\n"
    assert project_error_line(RuntimeError(text)) == "bad thing; do that"
    assert project_error_line(RuntimeError("ValueError: nothing of ours")) is None


@pytest.mark.parametrize(("error", "logged"), [(KeyboardInterrupt(), 0), (ZeroDivisionError("a defect"), 1)])
def test_beam_logs_a_defect_but_no_ctrl_c(error: BaseException, logged: int, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: int) -> None:
        raise error

    pipeline = beam.Pipeline("FnApiRunner")
    _ = pipeline | beam.Create([1]) | beam.Map(fail)
    with pytest.raises((RuntimeError, ZeroDivisionError)):
        run_to_end(pipeline)
    assert len([record for record in caplog.records if record.exc_info]) == logged


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["--events=gs://b/a"], ("gs://b/a",)),
        (["--events=gs://b/a, gs://b/c"], ("gs://b/a", "gs://b/c")),
        (["--events=a", "--events", "b", "c"], ("a", "b", "c")),
        (['--events=["one,two", "[ab].json"]'], ("one,two", "[ab].json")),
        (["--events=[ab]*.json"], ("[ab]*.json",)),
    ],
)
def test_several_values_in_every_form(given: list[str], expected: tuple[str, ...]) -> None:
    assert parse_options(Options, [*given, "--output=o"])[0].events == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["--compress=true"], True),
        (["--compress=False"], False),
        (["--compress"], True),
        (["--compress", "--no-compress"], False),
        ([], False),
    ],
)
def test_switches_in_every_form(given: list[str], expected: bool) -> None:
    assert parse_options(Options, ["--events=a", "--output=o", *given])[0].compress is expected


@pytest.mark.parametrize("given", ["--compress=yes", "--no-compress=true"])
def test_a_switch_that_does_not_fit_is_one_line(given: str) -> None:
    with pytest.raises(
        PipelineOptionError,
        match="is not possible; expected (--compress=true or =false|no value)|ignored explicit argument",
    ):
        parse_options(Options, ["--events=a", "--output=o", given])
