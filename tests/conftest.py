"""What every test run shares: no network look-ups for cloud credentials, and property tests that repeat exactly."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.fake_credentials import fake_credentials
from tests.storage_server import storage_server

# Nothing is drawn at random from run to run, and a slow machine fails no test.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")


def pytest_configure(config: pytest.Config) -> None:
    """Gives Google's clients application-default credentials: without any they ask the network for 20 seconds."""
    folder = tempfile.mkdtemp(prefix="augury-tests-")
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    os.environ.update(fake_credentials(Path(folder)), TF_CPP_MIN_LOG_LEVEL="2")


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KB."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("mounting a tiny file system needs the superuser")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(scope="session")
def _storage_server() -> Iterator[None]:
    """A real server of Google Cloud Storage's protocol, in memory, that all clients of this process then use."""
    with storage_server():
        yield


@pytest.fixture
def new_bucket(_storage_server: None) -> Callable[[str], str]:
    """Makes an empty bucket and returns its URL, ``gs://NAME``."""

    def make(name: str) -> str:
        from google.cloud import storage

        storage.Client().create_bucket(name)
        return f"gs://{name}"

    return make
