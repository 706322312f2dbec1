"""The same data set, to the bit, whichever engine makes it: examples, rows, cards and dead letters."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.datasets_equal import differences, examples_in, identical_share, rows_in
from tests.engines.engines import needs_prism, needs_workers, prism_flags, run_module, thorough

EXAMPLES = ("behavior", "attention", "creative")
PROCESSES = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")


def check(made: Any, name: str, tmp_path: Path, flags: tuple[str, ...], module: str | None = None) -> None:
    job, expected = made(name)
    output = tmp_path / "data"
    ended = run_module(module or job.module, job.command(output, *flags), tmp_path)
    assert ended.returncode == 0, ended.stderr
    if name != "embeddings":
        assert identical_share(examples_in(expected), examples_in(output)) == 1.0
        letters = [folder.with_name(f"{folder.name}-dead-letter") for folder in (expected, output)]
        assert list(differences(*letters)) == [] and rows_in(letters[0])
    assert list(differences(expected, output)) == []
    assert {path.name for path in tmp_path.iterdir()} <= {"data", "data-dead-letter"}


@needs_prism
@pytest.mark.parametrize("name", [*EXAMPLES, pytest.param("embeddings", marks=thorough)])
def test_prism(made: Any, name: str, tmp_path: Path) -> None:
    check(made, name, tmp_path, prism_flags())


@needs_prism
@needs_workers
@pytest.mark.parametrize("name", EXAMPLES)
def test_a_job_service_whose_workers_have_an_environment_of_their_own(
    made: Any, name: str, service: tuple[str, ...], tmp_path: Path
) -> None:
    check(made, name, tmp_path, service)


@pytest.mark.parametrize("name", ["behavior", *(pytest.param(name, marks=thorough) for name in EXAMPLES[1:])])
def test_two_processes_of_beams(made: Any, name: str, tmp_path: Path) -> None:
    check(made, name, tmp_path, PROCESSES)


@pytest.mark.parametrize("name", [*EXAMPLES[1:], pytest.param("embeddings", marks=thorough)])
def test_two_processes_of_our_pool(made: Any, name: str, tmp_path: Path) -> None:
    check(made, name, tmp_path, ("--processes", "2"))


def test_behavior_in_two_processes_of_our_pool(made: Any, tmp_path: Path) -> None:
    check(made, "behavior", tmp_path, (), "tests.engines.pooled_job")


def test_what_differs_is_found(made: Any, tmp_path: Path) -> None:
    job, expected = made("attention")
    run_module(job.module, job.command(tmp_path / "other", "--sigma_px", "9"), tmp_path)
    found = list(differences(expected, tmp_path / "other"))
    assert [line.split(" only in ")[0] for line in found[:2]] == ["24 examples", "24 examples"]
    assert [line.split()[0] for line in found[2:]] == ["attention_spec.json", "dataset_card.json"]
    assert identical_share(examples_in(expected), examples_in(tmp_path / "other")) == 0.0
