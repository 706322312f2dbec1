"""docs/service.md: the command that it shows, run as it stands there."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.running_service import WRITE_KEY, Service, service

__all__ = ["service"]  # a fixture

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "service.md").read_text()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_an_event_as_the_guide_shows_it(service: Service) -> None:
    [(command, shown)] = re.findall(r"^\$ (curl .*)\n(.*)\n", GUIDE, re.MULTILINE)
    given = command.replace("http://127.0.0.1:8000", service.url).replace("my-key", WRITE_KEY)
    printed = subprocess.run([*shlex.split(given), "--silent"], capture_output=True, text=True, check=True).stdout
    assert json.loads(printed) == json.loads(shown)
