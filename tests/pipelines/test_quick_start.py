"""Beam imported without what a local job never uses."""

import subprocess
import sys

import pytest

CODE = """
import sys
from pipelines.quick_start import import_beam
import_beam([{path!r}], {flags!r})
quick = "apache_beam" in sys.modules
import apache_beam
print(quick, *(name in sys.modules for name in ("pandas", "google.cloud.storage", "pymongo", "apitools")))
asks = "IPython" in sys.modules
import pandas, google.cloud.storage
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
with apache_beam.Pipeline(runner=FnApiRunner()) as pipeline:
    pipeline | apache_beam.Create([1]) | apache_beam.Map(print)
print(asks or not quick or "IPython" not in sys.modules)
"""

LIGHT = """
import sys
from importlib import import_module
import_module("augury.commands." + {command!r})
print(*(name for name in ("numpy", "pyarrow", "fsspec", "cv2", "apache_beam") if name in sys.modules))
"""


def run(path: str, flags: list[str]) -> list[str]:
    code = CODE.format(path=path, flags=flags)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split("\n")


def test_a_local_job_goes_without_the_cloud_and_can_still_import_it_later() -> None:
    assert run("events/*.jsonl", [])[:3] == ["True False False False False", "1", "True"]


def test_a_job_elsewhere_gets_all_of_beam() -> None:
    assert run("gs://bucket/events", [])[:2] == ["False True True True True", "1"]
    assert run("bq://project.data.events", [])[0] == "False True True True True"
    assert run("events", ["--runner=DataflowRunner"])[0] == "False True True True True"


@pytest.mark.parametrize("command", ["attention_examples", "creative_examples", "creative_embeddings"])
def test_a_command_with_a_pool_starts_it_before_anything_large_is_imported(command: str) -> None:
    code = LIGHT.format(command=command)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
