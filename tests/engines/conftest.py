"""What the tests of engines share: inputs, what Beam's local runner makes of them, and servers."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from features.creative_spec import SPEC, CreativeSpec
from tests.engines.engines import external_workers, portable_flags, prism_service, run_module
from tests.engines.inputs import Job, attention_job, behavior_job, creative_job, embeddings_job
from tests.pipelines.test_creative_embeddings import write_recognizer


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Job, Path]]:
    """Returns a job, by its name, and what Beam's local runner makes of it in one process; each is run once."""
    folder = tmp_path_factory.mktemp("engines")
    makers = {"behavior": behavior_job, "attention": attention_job, "creative": creative_job}
    done: dict[str, tuple[Job, Path]] = {}

    def make(name: str) -> tuple[Job, Path]:
        if name not in done:
            (folder / name).mkdir()
            if name == "embeddings":
                examples = make("creative")[1]
                spec = CreativeSpec.from_json((examples / SPEC).read_bytes())
                job = embeddings_job(examples, write_recognizer(folder / name / "recognizer", spec))
            else:
                job = makers[name](folder / name)
            output = folder / name / "direct"
            ended = run_module(job.module, job.command(output), folder)
            assert ended.returncode == 0, ended.stderr
            done[name] = job, output
        return done[name]

    return make


@pytest.fixture(scope="session")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """Address and process id of a server of workers in an environment of their own and an empty folder."""
    empty = tmp_path_factory.mktemp("empty")
    with external_workers(empty) as served:
        yield served
    assert list(empty.iterdir()) == []


@pytest.fixture(scope="session")
def service(workers: tuple[str, int], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ...]]:
    """Flags for Prism's job service, with these workers."""
    with prism_service(tmp_path_factory.mktemp("prism") / "log.txt") as address:
        yield portable_flags(address, workers[0])
