"""docs/heatmaps.md is run as it stands: its commands against a service, its answers and its tables held to the code."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest

from features.fetching import REASONS
from features.images_headers import ANIMATED
from features.images_headers import REASONS as IMAGE_REASONS
from serving.attention.query import CompareQuery, HeatmapQuery
from tests.running_service import WRITE_KEY, Service, running_service
from tests.served_attention import picture, png

GUIDE = (Path(__file__).parents[3] / "docs" / "heatmaps.md").read_text()
SHOWN = dict(re.findall(r"<!-- run: (\w+) -->\n```console\n(.*?)```", GUIDE, re.DOTALL))


@pytest.fixture(scope="module")
def service(attention_registry: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    settings = {"AUGURY_REGISTRY": str(attention_registry), "AUGURY_HEATMAP_SECONDS": "600"}
    with running_service(tmp_path_factory.mktemp("service"), settings) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the guide's page and its newer form are."""
    (tmp_path / "page.png").write_bytes(png(picture(bright=(30, 20))))
    (tmp_path / "new.png").write_bytes(png(picture(bright=(100, 70))))
    return tmp_path


def run(service: Service, folder: Path, name: str) -> tuple[str, str]:
    """Returns what a command of the guide prints, and what the guide says that it prints."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    command, *printed = SHOWN[name].splitlines()
    given = command.removeprefix("$ ").replace("http://127.0.0.1:8000", service.url).replace("my-key", WRITE_KEY)
    done = subprocess.run([*shlex.split(given), "--silent"], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout, "\n".join(printed)


def test_the_picture(service: Service, folder: Path) -> None:
    assert run(service, folder, "overlay") == ("", "")
    assert cv2.imread(str(folder / "heat.png")).shape == (96, 128, 3)


@pytest.mark.parametrize("name", ["json", "compare", "error"])
def test_answers_are_those_that_are_shown(service: Service, folder: Path, name: str) -> None:
    said, shown = (json.loads(text) for text in run(service, folder, name))
    for each in (said, shown):
        each.pop("request_id", None)
        each.pop("version", None)
    assert near(said, shown), said


def near(one: Any, two: Any) -> bool:
    """Says whether two answers are equal but for the last digits of their numbers."""
    if isinstance(one, dict) and isinstance(two, dict):
        return list(one) == list(two) and all(near(one[name], two[name]) for name in one)
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(near, one, two))
    if isinstance(one, float) and isinstance(two, float):
        return one == pytest.approx(two, rel=1e-4, abs=1e-6)
    return type(one) is type(two) and one == two


def test_every_option_and_every_reason_is_in_the_guide() -> None:
    words = set(re.findall(r"`(\w+)`", GUIDE))
    options = {*HeatmapQuery.model_fields, *CompareQuery.model_fields} - {"write_key"}
    assert options - words == set()
    assert {f"url_{reason}" for reason in REASONS} - words == set()
    assert set(IMAGE_REASONS) - {ANIMATED} - words == set()


def test_every_error_that_the_code_raises_is_in_the_guide() -> None:
    root = Path(__file__).parents[3] / "serving"
    sources = [*(root / "attention").glob("*.py"), root / "asked_model.py", root / "bodies.py", root / "auth.py"]
    raised = {word for path in sources for word in re.findall(r'ProblemError\(\s*\d+, "(\w+)"', path.read_text())}
    table = set(re.findall(r"`(\w+)`", GUIDE[GUIDE.index("## Errors") : GUIDE.index("## Load")]))
    assert raised - table == {"bad_gzip"}
