"""Workers for the job service of a portable runner, in this environment: ``python -m pipelines.external_workers``.

A pipeline launched with ``--environment_type=EXTERNAL --environment_config=127.0.0.1:PORT`` has the runner ask here for
its workers: a process each, with this interpreter and its packages; nothing of the launcher's is used. Beam's own
``worker_pool_main`` does the same, but listens on every interface of the machine to whoever asks, and runs whatever
``python`` is first on the path.
"""

import argparse
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc  # type: ignore[import-untyped]
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc

from features.errors import AuguryError

_WORKER = "apache_beam.runners.worker.sdk_worker_main"
_ENDS_SECONDS = 5.0


class ExternalWorkersError(AuguryError, OSError):
    """A port that cannot be listened on."""


class ExternalWorkers(beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolServicer):
    """Starts a process for each worker that a runner asks for: ``with ExternalWorkers() as pool:``.

    Attributes:
        address: host and port, for ``--environment_config``.

    Args:
        port: of 127.0.0.1; 0 for any that is free.

    Raises:
        ExternalWorkersError: the port is taken.
    """

    def __init__(self, port: int = 0) -> None:
        self._workers: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()
        # a second pool on the port would get every other request
        self._server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
        beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(self, self._server)
        try:
            self.address = f"127.0.0.1:{self._server.add_insecure_port(f'127.0.0.1:{port}')}"
        except RuntimeError as e:
            raise ExternalWorkersError(f"port {port} of 127.0.0.1 cannot be listened on; give a free --port") from e

    def __enter__(self) -> "ExternalWorkers":
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(None).wait()
        with self._lock:
            for worker in self._workers.values():
                _end(worker)
            self._workers.clear()

    def StartWorker(self, request: Any, context: Any) -> Any:
        """Starts a worker; what cannot be started is told in the answer, as Beam has it."""
        environment = {
            **os.environ,
            "WORKER_ID": request.worker_id,
            "CONTROL_API_SERVICE_DESCRIPTOR": str(request.control_endpoint),
            "LOGGING_API_SERVICE_DESCRIPTOR": str(request.logging_endpoint),
            "PIPELINE_OPTIONS": "{}",
        }
        try:
            worker = subprocess.Popen([sys.executable, "-m", _WORKER], env=environment, stdin=subprocess.DEVNULL)
        except OSError as e:
            return beam_fn_api_pb2.StartWorkerResponse(error=f"no worker could be started: {e}")
        with self._lock:
            self._workers[request.worker_id] = worker
        return beam_fn_api_pb2.StartWorkerResponse()

    def StopWorker(self, request: Any, context: Any) -> Any:
        """Ends a worker."""
        with self._lock:
            worker = self._workers.pop(request.worker_id, None)
        if worker is not None:
            _end(worker)
        return beam_fn_api_pb2.StopWorkerResponse()


def _end(worker: subprocess.Popen[bytes]) -> None:
    worker.terminate()
    try:
        worker.wait(_ENDS_SECONDS)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()


def main(argv: Sequence[str]) -> None:
    """Serves until it is told to end, by Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.external_workers", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port of 127.0.0.1; by default any that is free")
    given = parser.parse_args(argv)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with ExternalWorkers(given.port) as pool:
        print(f"workers for --environment_type=EXTERNAL --environment_config={pool.address}", flush=True)
        ended.wait()


if __name__ == "__main__":
    main(sys.argv[1:])
