"""Beam's local runner with the workers of a pool, who share the work of a stage as they get through it.

Beam keeps two registries for ways to run workers, of environments and of handlers; a pool is entered into both. Beam
itself would divide a stage beforehand, one part a worker: it would last as long as the unluckiest of them.
"""

import itertools
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from apache_beam.metrics import monitoring_infos
from apache_beam.portability.api import beam_fn_api_pb2, beam_runner_api_pb2
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.fn_api_runner.fn_runner import BundleManager, ParallelBundleManager
from apache_beam.runners.portability.fn_api_runner.worker_handlers import GrpcWorkerHandler, WorkerHandler
from apache_beam.transforms.environments import Environment, python_sdk_capabilities
from apache_beam.utils.thread_pool_executor import shared_unbounded_instance

from pipelines.worker_pool import Worker, WorkerPool, WorkerPoolError

_URN = "augury:env:worker_pool:v1"

PARTS_EACH = 12
"""Parts of a stage for each worker: the last to end is late by one of them at most. More even out better, but each
costs some milliseconds: 32 made the 700 images of OSIE a tenth slower."""

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


class _OneWorker:
    """What Beam knows of a stage, with one worker instead of all of them."""

    def __init__(self, stage: Any, worker: Any) -> None:
        self._stage = stage
        self.worker_handlers = [worker]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stage, name)


class _SharedBundle(ParallelBundleManager):
    """Runs a stage in many small parts, each by whichever worker is free next; the first parts begin first."""

    def process_bundle(
        self,
        inputs: Mapping[str, Any],
        expected_outputs: Any,
        fired_timers: Mapping[Any, Any],
        expected_output_timers: Any,
        dry_run: bool = False,
    ) -> tuple[Any, list[Any]]:
        """Returns the merged result of all parts, and where Beam split them.

        Raises:
            Exception: what the first worker to fail said; the others begin no further part.
        """
        workers = self.bundle_context_manager.worker_handlers
        waiting = deque(enumerate(_parts(inputs, PARTS_EACH * len(workers))))
        failed = threading.Event()

        def work(worker: Any) -> list[tuple[Any, list[Any]]]:
            done = []
            alone = _OneWorker(self.bundle_context_manager, worker)
            while not failed.is_set():
                try:
                    number, part = waiting.popleft()
                except IndexError:  # nothing is left
                    break
                timers = {} if number else fired_timers  # Beam too gives them all to one worker
                manager = BundleManager(alone, self._progress_frequency, self._cache_token_generator)
                try:
                    done.append(manager.process_bundle(part, expected_outputs, timers, expected_output_timers, dry_run))
                except BaseException:
                    failed.set()
                    raise
            return done

        threads = shared_unbounded_instance()
        futures = [threads.submit(work, worker) for worker in workers]
        try:
            done = [one for future in futures for one in future.result()]
        except BaseException:  # also Ctrl-C, which is for this thread alone
            failed.set()
            raise
        results, splits = zip(*done, strict=True)
        infos = itertools.chain.from_iterable(result.process_bundle.monitoring_infos for result in results)
        merged = beam_fn_api_pb2.ProcessBundleResponse(monitoring_infos=monitoring_infos.consolidate(infos))
        return beam_fn_api_pb2.InstructionResponse(process_bundle=merged), [one for some in splits for one in some]


def _parts(inputs: Mapping[str, Any], most: int) -> list[dict[str, list[bytes]]]:
    """Divides the elements of a stage into so many parts at most, at least one, none without an element but the first.

    Args:
        inputs: a buffer of elements for each input.
        most: number of parts that Beam's buffers are asked for; they deal elements to them in turn.
    """
    divided = {name: buffer.partition(most) for name, buffer in inputs.items()}
    parts = [
        {name: some[number] if number < len(some) else [] for name, some in divided.items()} for number in range(most)
    ]
    return [part for number, part in enumerate(parts) if number == 0 or any(map(any, part.values()))]


class PooledRunner(FnApiRunner):
    """Beam's local runner, with every stage shared by the workers of a pool."""

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

    def _get_bundle_manager(self, bundle_context_manager: Any) -> BundleManager:
        """Returns what runs a stage: Beam's own where one worker has to do it all, since it keeps state."""
        manager = super()._get_bundle_manager(bundle_context_manager)
        if isinstance(manager, ParallelBundleManager):
            tokens = self.get_cache_token_generator(static=False)
            return _SharedBundle(bundle_context_manager, self._progress_frequency, cache_token_generator=tokens)
        return manager
