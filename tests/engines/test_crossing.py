"""What crosses the border of a process: it can be pickled, rebuilt elsewhere, and its keys have one encoding each."""

import base64
import bz2
import os
import pickletools
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engines.engines import ROOT, WORKERS, needs_workers
from tests.engines.graphs import Graph, local_graphs

PIPELINES = (
    *("behavior", "attention", "creative", "embeddings", "outcomes"),
    *("warm_store", "ingest_to_files", "ingest_to_tables"),
)
NEED_MORE = {"embeddings": "onnxruntime"}
"""What a pipeline's workers need besides the extra ``pipelines``."""

OF_BEAM = {
    "MergeReports/CombinePerKey/GroupByKey": "one key for all, None",
}
"""Shuffles with keys of Beam's own making whose coder could encode others in several ways."""

_REBUILD = """
import sys
from apache_beam import Pipeline
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

for path in sys.argv[1:]:
    proto = beam_runner_api_pb2.Pipeline.FromString(open(path, "rb").read())
    Pipeline.from_runner_api(proto, FnApiRunner(), PipelineOptions([]))
import features, pipelines, transforms
for package in (features, pipelines, transforms):
    print(*package.__path__)
"""


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Graph]:
    return local_graphs(tmp_path_factory.mktemp("graphs"))


@needs_workers
def test_a_workers_environment_rebuilds_every_step_in_an_empty_folder(graphs: dict[str, Graph], tmp_path: Path) -> None:
    names = [name for name in PIPELINES if name not in NEED_MORE]
    homes = rebuild(graphs, names, tmp_path, str(WORKERS / "bin/python"), {})
    assert len(homes) == 3 and all(home.startswith(str(WORKERS)) for home in homes)


def test_a_fresh_process_rebuilds_the_steps_that_need_more_than_that(graphs: dict[str, Graph], tmp_path: Path) -> None:
    names = list(NEED_MORE) if (WORKERS / "bin/augury").is_file() else list(PIPELINES)
    homes = rebuild(graphs, names, tmp_path, sys.executable, {"PYTHONPATH": str(ROOT)})
    assert homes == [str(ROOT / package) for package in ("features", "pipelines", "transforms")]


def rebuild(
    graphs: dict[str, Graph], names: list[str], folder: Path, python: str, environment: dict[str, str]
) -> list[str]:
    """Has Beam unpickle every function, coder and window of graphs elsewhere; returns where our packages were there."""
    (folder / "empty").mkdir()
    for name in names:
        (folder / name).write_bytes(graphs[name].proto.SerializeToString())
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    command = [python, "-c", _REBUILD, *(str(folder / name) for name in names)]
    done = subprocess.run(
        command, cwd=folder / "empty", env={**clean, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert list((folder / "empty").iterdir()) == []
    return done.stdout.splitlines()


@pytest.mark.parametrize("name", PIPELINES)
def test_every_key_has_one_encoding(graphs: dict[str, Graph], name: str) -> None:
    graph = graphs[name]
    keyed = {**graph.shuffles(), **graph.stateful()}
    unsure = {
        step_name
        for step_name, step in keyed.items()
        if not graph.coder(graph.input_of(step)).key_coder().is_deterministic()
    }
    assert keyed and {step for step in unsure if not _of_beam(step)} == set()


def _of_beam(step: str) -> bool:
    return step in OF_BEAM or "WriteToBigQuery" in step


@pytest.mark.parametrize("name", PIPELINES)
def test_nothing_pickled_belongs_to_the_launchers_main_module(graphs: dict[str, Graph], name: str) -> None:
    functions = graphs[name].pickled()
    assert functions
    for step, payload in functions.items():
        named = {argument for _, argument, _ in pickletools.genops(_unpacked(payload)) if isinstance(argument, str)}
        assert "__main__" not in named, step


def _unpacked(payload: bytes) -> bytes:
    """Returns the pickle that Beam has compressed."""
    return bz2.decompress(base64.b64decode(payload))


def test_the_shuffles_of_examples_are_one_each_beside_those_that_group_nothing(graphs: dict[str, Graph]) -> None:
    own = {name: graphs[name].own_shuffles() for name in PIPELINES[:6]}
    assert own == {
        "behavior": ["GroupByShard/GroupByKey"],
        "attention": ["GroupByShard"],
        "creative": ["GroupByShard"],
        "embeddings": [],
        "outcomes": ["GroupByShard"],
        "warm_store": ["FillStore/GroupByShard/GroupByKey"],
    }
