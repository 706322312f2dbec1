"""Processes that are started again when they die."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 10.0
_STEADY_SECONDS = 30.0  # who lived so long is started again at once


class Child:
    """A process of the supervisor's.

    Attributes:
        name: for the log.
        was_ready: whether it, or a predecessor, ever said that it is ready.
    """

    def __init__(self, name: str, module: str, descriptors: Mapping[str, int], environment: Mapping[str, str]) -> None:
        """Starts nothing yet.

        Args:
            name: for the log.
            module: run as ``python -m module``.
            descriptors: file descriptors that it inherits, by the name of its argument.
            environment: its environment.
        """
        self.name = name
        self.was_ready = False
        self._module, self._descriptors, self._environment = module, dict(descriptors), dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._started = self._pause = self._not_before = 0.0
        self._ready: int | None = None

    @property
    def pid(self) -> int | None:
        """Its process id, None when it does not run."""
        return None if self._process is None else self._process.pid

    def start(self, says_ready: bool) -> None:
        """Starts it; ``says_ready``: it takes ``--ready`` and writes to it."""
        given = dict(self._descriptors)
        theirs = None
        if says_ready:
            self._close_ready()
            self._ready, theirs = os.pipe()
            os.set_blocking(self._ready, False)
            given["ready"] = theirs
        command = [sys.executable, "-m", self._module]
        for name, descriptor in given.items():
            command += [f"--{name}", str(descriptor)]
        try:
            self._process = subprocess.Popen(command, env=self._environment, pass_fds=tuple(given.values()))
        finally:
            if theirs is not None:
                os.close(theirs)
        self._started = time.monotonic()

    def look(self) -> int | None:
        """Returns the exit code of a process that has ended since it was started, else None."""
        if self._ready is not None and not self.was_ready:
            with contextlib.suppress(BlockingIOError):
                self.was_ready = os.read(self._ready, 1) == b"+"
        code = None if self._process is None else self._process.poll()
        if code is None:
            return None
        self._process = None
        now = time.monotonic()
        steady = now - self._started > _STEADY_SECONDS
        self._pause = 0.0 if steady else min(max(2 * self._pause, _FIRST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS)
        self._not_before = now + self._pause
        return code

    def due(self) -> bool:
        """Whether it does not run and may be started again by now."""
        return self._process is None and time.monotonic() >= self._not_before

    def send(self, number: int) -> None:
        """Sends a signal, if it runs."""
        if self._process is not None:
            self._process.send_signal(number)

    def close(self) -> None:
        """Kills it, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self._close_ready()

    def _close_ready(self) -> None:
        if self._ready is not None:
            os.close(self._ready)
            self._ready = None


def wait_for(children: list[Child], seconds: float, hurry: Callable[[], bool]) -> list[Child]:
    """Returns the children that still run when the time is over or ``hurry`` says so."""
    deadline = time.monotonic() + seconds
    left = children
    while True:
        for child in left:
            child.look()
        left = [child for child in left if child.pid is not None]
        if not left or time.monotonic() > deadline or hurry():
            return left
        time.sleep(0.02)
