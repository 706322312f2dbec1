"""The environment of a worker: the wheel and the extra ``pipelines``, and nothing that trains, serves or draws."""

import re
import subprocess
from pathlib import Path

from benchmarks.engines import NOT_THERE, installed
from tests.engines.engines import ROOT, WORKERS, needs_workers

ALSO_NOT = (
    "tensorflow-cpu",
    "tensorflow-serving-api",
    "torchvision",
    "triton",
    "gunicorn",
    "hypercorn",
    "redis-server",
)


def locked() -> set[str]:
    text = (ROOT / "requirements/pipelines.txt").read_text()
    return set(re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==", text, re.MULTILINE))


def test_the_lock_has_nothing_that_trains_serves_or_draws() -> None:
    names = locked()
    assert len(names) > 50 and "apache-beam" in names
    assert names & {*NOT_THERE, *ALSO_NOT} == set()
    assert [name for name in names if name.startswith(("nvidia-", "cuda-"))] == []


@needs_workers
def test_so_has_what_is_installed() -> None:
    packages = installed()
    assert {"augury", "apache-beam", "tfx-bsl"} <= packages.keys()
    assert packages.keys() & {*NOT_THERE, *ALSO_NOT} == set()


@needs_workers
def test_the_package_there_is_the_wheel_with_all_that_it_reads(tmp_path: Path) -> None:
    code = "import features, transforms, pipelines; print(features.__path__[0])"
    python = str(WORKERS / "bin/python")
    done = subprocess.run([python, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    home = done.stdout.strip()
    assert home.startswith(str(WORKERS))
    inside = Path(home).parent
    for package in ("features", "transforms", "example_generators", "pipelines"):
        sources = [path for path in (ROOT / package).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
        missing = [path for path in sources if not (inside / path.relative_to(ROOT)).is_file()]
        assert missing == []
