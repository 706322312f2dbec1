"""Worker processes for a pipeline on this machine, started early and forked from one that has imported everything.

Beam's own worker processes import all of Beam each, one by one and after the pipeline was planned, which takes as long
as some pipelines. Here one process imports what the workers need while the launcher does the same, and forks a worker
in milliseconds when the runner asks for one; their memory is shared until they write to it. This module imports no
Beam, so that a pool can be started before Beam is imported; ``pipelines.pooled_workers`` gives it to Beam's runner.
"""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import orjson

from features.errors import AuguryError

MOST_PROCESSES = 256

WORKER_ENDED = "{} ended before its work did; if the system killed it for want of memory, use fewer processes"
"""What is told of a worker that is gone."""

_ENDS_SECONDS = 5.0
"""How long a worker may take to end when there is no more work; then it is killed."""

_BEGIN = (
    "import json, sys; begin = json.loads(sys.argv[1]); sys.path[:] = begin['path']; "
    "from pipelines.worker_process import serve; serve(begin)"
)
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class WorkerPoolError(AuguryError, RuntimeError):
    """A worker process that ended before its work did, or a pool that cannot be."""


class Worker:
    """One worker process.

    Args:
        link: a socket whose other end the worker holds for as long as it lives.
        died: called once with a ``WorkerPoolError`` if the process ends before ``end``.
    """

    def __init__(self, link: socket.socket, died: Callable[[WorkerPoolError], None]) -> None:
        self._link = link
        self._died = died
        self._ending = False
        self._pid = 0
        self._watch = threading.Thread(target=self._wait, name="augury_worker_watch", daemon=True)
        self._watch.start()

    def end(self) -> None:
        """Waits for the process, which has been told that there is no more work; kills one that does not end."""
        self._ending = True
        self._watch.join(_ENDS_SECONDS)
        if self._watch.is_alive() and self._pid:
            os.kill(self._pid, 9)
            self._watch.join()

    def _wait(self) -> None:
        with self._link:
            told = self._link.recv(32)  # its process id, then nothing until it is gone
            self._pid = int(told or 0)
            while told:
                told = self._link.recv(32)
        if not self._ending:
            who = f"worker process {self._pid}" if self._pid else "a worker process"
            self._died(WorkerPoolError(WORKER_ENDED.format(who)))


class WorkerPool:
    """A process that has imported what workers need, and forks them."""

    def __init__(self, processes: int, modules: Sequence[str], paths: Sequence[str], beam_flags: Sequence[str]) -> None:
        self.processes = processes
        begin = {"path": sys.path, "modules": modules, "paths": paths, "beam_flags": beam_flags}
        self._commands, theirs = _blocking(socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _BEGIN, orjson.dumps({**begin, "commands": theirs.fileno()}).decode()],
                pass_fds=[theirs.fileno()],
                env={**os.environ, **_ONE_THREAD},
                stdin=subprocess.DEVNULL,
            )

    def start(self, worker_id: str, control_url: str, died: Callable[[WorkerPoolError], None]) -> Worker:
        """Starts a worker that serves the runner at an address.

        Args:
            worker_id: by which the runner knows it.
            control_url: address of the runner's control service.
            died: called, in a thread of its own, if the process ends early.

        Raises:
            WorkerPoolError: the process that forks workers is gone.
        """
        ours, theirs = _blocking(socket.socketpair())
        command = orjson.dumps({"worker_id": worker_id, "control_url": control_url})
        try:
            with theirs:
                socket.send_fds(self._commands, [command], [theirs.fileno()])
        except OSError as e:
            ours.close()
            raise WorkerPoolError(f"the process that starts workers is gone ({e}); see what it printed") from e
        return Worker(ours, died)

    def wait(self) -> None:
        """Waits until the process that forks workers has ended."""
        self._process.wait()

    def close(self) -> None:
        """Ends the process that forks workers; these end when their runner has no more work for them."""
        self._commands.close()
        self.wait()


def _blocking(pair: tuple[socket.socket, socket.socket]) -> tuple[socket.socket, socket.socket]:
    """Returns a pair whose ends wait, in other processes too, although a library may have set a default timeout."""
    for end in pair:
        end.setblocking(True)
    return pair


@contextmanager
def worker_pool(
    processes: int, modules: Sequence[str] = (), paths: Sequence[str] = (), beam_flags: Sequence[str] = ()
) -> Iterator[WorkerPool | None]:
    """Starts a pool, and returns without waiting until it is ready; None for one process, which needs no other.

    Args:
        processes: number of workers.
        modules: what the workers' functions need, imported before any is forked.
        paths: every path that the job reads or writes, and
        beam_flags: the flags for Beam: as ``pipelines.quick_start.import_beam`` takes them.
    """
    if processes == 1:
        yield None
        return
    pool = WorkerPool(processes, modules, paths, beam_flags)
    try:
        yield pool
    finally:
        pool.close()
