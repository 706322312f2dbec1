"""The commands that README.md shows for the service, run as they stand there."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running_service import WRITE_KEY, Service, running_service
from tests.tiny_model import registry

__all__ = ["registry"]  # a fixture

README = Path(__file__).resolve().parents[2] / "README.md"


@pytest.fixture
def service(registry: Path, tmp_path: Path) -> Iterator[Service]:
    settings = {"AUGURY_REGISTRY": str(registry), "TF_CPP_MIN_LOG_LEVEL": "3"}  # as it is where nobody sets it
    with running_service(tmp_path, settings) as found:
        yield found


def _shown() -> list[tuple[str, str]]:
    """Returns each command of the block and what the guide says that it prints."""
    block = re.search(r"<!-- output: curl -->\n\n```console\n(.*?)```", README.read_text(), re.DOTALL)
    assert block is not None
    lines = block[1].splitlines()
    return [(command.removeprefix("$ "), printed) for command, printed in zip(lines[::2], lines[1::2], strict=True)]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_an_event_and_a_prediction_as_the_readme_shows_them(service: Service) -> None:
    answers = []
    for command, _ in _shown():
        given = command.replace("http://127.0.0.1:8000", service.url).replace("my-key", WRITE_KEY)
        printed = subprocess.run([*shlex.split(given), "--silent"], capture_output=True, text=True, check=True).stdout
        answers.append(json.loads(printed))
    expected = [json.loads(printed) for _, printed in _shown()]
    assert answers[0] == expected[0]
    assert answers[1].keys() == expected[1].keys()
    for name in ("model", "visitor", "events_used", "known", "truncated"):
        assert answers[1][name] == expected[1][name], name


def test_its_log_is_json_with_a_model_loaded(service: Service) -> None:
    assert service.stop() == 0
    assert [line for line in service.lines if not line.startswith('{"time": ')] == []
    assert any('"level": "INFO"' in line for line in service.lines)
