"""Beam's local runner with the workers of a pool.

Beam keeps two registries for ways to run workers, of environments and of handlers; a pool is entered into both.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.fn_api_runner.worker_handlers import GrpcWorkerHandler, WorkerHandler
from apache_beam.transforms.environments import Environment, python_sdk_capabilities

from pipelines.worker_pool import Worker, WorkerPool, WorkerPoolError

_URN = "augury:env:worker_pool:v1"

_pools: dict[bytes, WorkerPool] = {}
"""Pools in use, by the payload of their environment: all that a handler is given of it."""


@Environment.register_urn(_URN, bytes)
class _PoolEnvironment(Environment):
    def __init__(
        self,
        payload: bytes,
        capabilities: Iterable[str] = (),
        artifacts: Iterable[beam_runner_api_pb2.ArtifactInformation] = (),
        resource_hints: Mapping[str, bytes] | None = None,
    ) -> None:
        super().__init__(capabilities, artifacts, resource_hints)
        self.payload = payload

    def __eq__(self, other: object) -> bool:
        return bool(super().__eq__(other)) and isinstance(other, _PoolEnvironment) and self.payload == other.payload

    def __hash__(self) -> int:
        return hash((super().__hash__(), self.payload))

    def to_runner_api_parameter(self, context: Any) -> tuple[str, bytes]:
        return _URN, self.payload

    @staticmethod
    def from_runner_api_parameter(
        payload: bytes,
        capabilities: Iterable[str],
        artifacts: Iterable[beam_runner_api_pb2.ArtifactInformation],
        resource_hints: Mapping[str, bytes],
        context: Any,
    ) -> "_PoolEnvironment":
        return _PoolEnvironment(payload, capabilities, artifacts, resource_hints)


@WorkerHandler.register_environment(_URN, bytes)
class _PoolWorkerHandler(GrpcWorkerHandler):
    def __init__(self, payload: bytes, state: Any, provision_info: Any, grpc_server: Any) -> None:
        super().__init__(state, provision_info, grpc_server)
        self._pool = _pools[payload]
        self._worker: Worker | None = None

    def start_worker(self) -> None:
        self._worker = self._pool.start(self.worker_id, self.control_address, self._give_up)

    def stop_worker(self) -> None:
        if self._worker is not None:
            self._worker.end()

    def _give_up(self, error: WorkerPoolError) -> None:
        """Has the runner fail, where it would wait for the answers of a dead worker for ever."""
        self.control_conn.abort(error)


class PooledRunner(FnApiRunner):
    """Beam's local runner, with every stage divided among the workers of a pool."""

    def __init__(self, pool: WorkerPool) -> None:
        self._payload = str(id(pool)).encode()
        self._pool = pool
        super().__init__(default_environment=_PoolEnvironment(self._payload, python_sdk_capabilities()))

    def run_via_runner_api(self, pipeline_proto: Any, options: Any) -> Any:
        """Runs a pipeline to its end; ``run_pipeline`` has taken the number of workers from Beam's flags."""
        self._num_workers = self._pool.processes
        _pools[self._payload] = self._pool
        try:
            return super().run_via_runner_api(pipeline_proto, options)
        finally:
            del _pools[self._payload]
