"""The process that forks workers, and what a worker does: serve Beam's runner with one thread of computation."""

import gc
import importlib
import io
import logging
import os
import signal
import socket
import sys
import traceback
from contextlib import suppress
from typing import Any

import grpc  # type: ignore[import-untyped]
import orjson

from pipelines.quick_start import import_beam

_ENDS_SECONDS = 5
"""How long workers are waited for that should have ended."""

_STATE_CACHE_BYTES = 100 << 20
"""What a worker keeps of side inputs; the default of Beam's own worker processes."""


def serve(begin: dict[str, Any]) -> None:
    """Imports what workers need, then forks one for every command, until the launcher closes the socket or is gone.

    This process starts no thread and uses no gRPC, so that a fork of it is whole.

    Args:
        begin: ``commands``, the number of the open socket that commands come by; ``modules``, ``paths`` and
            ``beam_flags`` as ``pipelines.worker_pool.worker_pool`` takes them.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever interrupts the launcher has its workers end with it
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # workers that ended are not waited for
    gc.disable()  # what is imported stays, and a search for garbage would only touch the memory that workers share
    commands = socket.socket(fileno=begin["commands"])
    import_beam(begin["paths"], begin["beam_flags"])
    for module in (*begin["modules"], "apache_beam.runners.worker.sdk_worker", "pipelines.launch"):
        importlib.import_module(module)
    gc.freeze()
    while True:
        message, links, _, _ = socket.recv_fds(commands, 4096, 1)
        if not message:
            _end()
        if os.fork():
            os.close(links[0])
            continue
        status = 1
        try:
            commands.close()
            with socket.socket(fileno=links[0]) as link:
                link.sendall(str(os.getpid()).encode())
                _work(orjson.loads(message), begin["beam_flags"])
            status = 0
        finally:
            if status:
                traceback.print_exc(file=sys.__stderr__)
            os._exit(status)


def _end() -> None:
    """Ends this process once its workers have, so that somebody is there who takes note of their end.

    The launcher waits for it, so nothing that was imported is taken apart.
    """
    signal.alarm(_ENDS_SECONDS)  # which ends it at the latest
    with suppress(ChildProcessError):  # there are none any more
        os.waitpid(-1, 0)
    os._exit(0)


def _work(command: dict[str, str], beam_flags: list[str]) -> None:
    """Serves the runner until it has no more work."""
    from apache_beam.internal import pickler
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import SetupOptions
    from apache_beam.options.value_provider import RuntimeValueProvider
    from apache_beam.runners.worker.sdk_worker import SdkHarness

    from pipelines.launch import beam_options
    from pipelines.step_times import leave_out_step_times

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    gc.enable()
    one_thread()
    leave_out_step_times()
    _log_once()
    options = beam_options(beam_flags)
    FileSystems.set_options(options)
    pickler.set_library(options.view_as(SetupOptions).pickle_library)
    RuntimeValueProvider.set_runtime_options({})
    harness = SdkHarness(command["control_url"], worker_id=command["worker_id"], state_cache_size=_STATE_CACHE_BYTES)
    with suppress(grpc.RpcError):  # the launcher is gone, and whoever ended it knows
        harness.run()


def one_thread() -> None:
    """Has Arrow and OpenCV compute with one thread: as many processes as cores then share them evenly."""
    import pyarrow as pa

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(1)


def _log_once() -> None:
    """Logs warnings and errors to standard error, but for the errors that the launcher tells in one line."""
    from pipelines.launch import tells_project_error

    def wanted(record: logging.LogRecord) -> bool:
        return not _tells_the_end(record) and not tells_project_error(record)

    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(wanted)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.captureWarnings(True)
    sys.stderr = _Nowhere()  # Beam prints every traceback besides logging it and sending it to the runner


def _tells_the_end(record: logging.LogRecord) -> bool:
    """Whether a record is of a job that is over: the launcher is gone, or a bundle was put away while at work."""
    error = record.exc_info[1] if record.exc_info else None
    put_away = isinstance(error, KeyError) and str(error.args[0]).startswith("bundle_")
    return put_away or isinstance(error, grpc.RpcError)


class _Nowhere(io.TextIOBase):
    """A file that forgets."""

    def write(self, text: str) -> int:
        return len(text)
