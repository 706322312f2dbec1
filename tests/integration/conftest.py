"""What tests against real programs share: Node, Chromium, and the running service with a Redis to look into.

What a machine lacks is said and left out; with CI set that is an error, so that nothing is left out unnoticed.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.chromium import chromium, leave_out
from tests.collected import Collected
from tests.real_redis import running_server
from tests.running_service import running_service

__all__ = ["chromium"]  # a fixture

ROOT = Path(__file__).resolve().parents[2]
_COLLECTOR = ROOT / "collector"
_SCRIPT_SECONDS = 120


@pytest.fixture(scope="session")
def run_node() -> Callable[..., Any]:
    """Runs a script of ``collector/e2e`` with JSON on its standard input and returns the JSON that it prints."""
    node = shutil.which("node")
    if node is None or not (_COLLECTOR / "node_modules").is_dir():
        leave_out("tests of JavaScript need Node 20 or later; install it and run: make collector")

    def run(script: str, **asked: Any) -> Any:
        command = [node, str(_COLLECTOR / "e2e" / script)]
        environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        done = subprocess.run(
            command,
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            timeout=_SCRIPT_SECONDS,
            cwd=_COLLECTOR,
            env=environment,
        )
        assert done.returncode == 0, f"{script} ended with {done.returncode}:\n{done.stderr}"
        return json.loads(done.stdout)

    return run


@pytest.fixture
def collecting(tmp_path: Path) -> Iterator[Callable[..., Collected]]:
    """Starts a service of its own for one test, with these settings besides those that it needs."""
    with ExitStack() as stack:

        def start(**settings: str) -> Collected:
            redis = stack.enter_context(running_server())
            settings = {"REDIS_URL": redis.url, **settings}
            return Collected(stack.enter_context(running_service(tmp_path / "state", settings)), redis)

        yield start


@pytest.fixture
def collected(collecting: Callable[..., Collected]) -> Collected:
    """A service of its own for one test, without a model."""
    return collecting()
