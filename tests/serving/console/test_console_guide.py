"""The commands of the guide, run against a service."""

import re
import subprocess
from pathlib import Path

from tests.running_service import Service, service

__all__ = ["service"]  # a fixture

GUIDE = (Path(__file__).parents[3] / "docs" / "console.md").read_text()
ADDRESS = "http://127.0.0.1:8000"


def test_what_curl_shows(service: Service) -> None:
    shown = re.findall(r"^\$ (curl .*)\n(.*)\n", GUIDE, re.MULTILINE)
    assert len(shown) == 2
    for command, output in shown:
        asked = command.replace(ADDRESS, service.url)
        done = subprocess.run(asked, shell=True, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == output.replace(ADDRESS, service.url)


def test_settings_that_the_guide_names_exist() -> None:
    from serving.settings import Settings

    named = {name.lower().removeprefix("augury_") for name in re.findall(r"AUGURY_[A-Z_]+", GUIDE)}
    assert named <= Settings.model_fields.keys()
    assert {"console", "console_key", "console_hours"} <= named
