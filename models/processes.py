"""Jobs that get a process of their own: TensorFlow and torch must not meet, nor anything else meet either."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from types import FrameType
from typing import IO

INTERRUPTED = 130
"""Exit code of a process that Ctrl-C ended."""


class JobInterrupted(KeyboardInterrupt):  # no error, as KeyboardInterrupt is none
    """Ctrl-C ended a job, which has said so itself."""


def run_module(
    module: str,
    argv: Sequence[str],
    *,
    stdout: IO[bytes] | None = None,
    stderr: IO[bytes] | None = None,
    keep: Sequence[int] = (),
) -> int:
    """Runs ``python -m module`` to its end, on this terminal, and returns its exit code.

    Ctrl-C and SIGTERM are passed on, once each, and the child decides how to stop; a child that a signal killed has
    exit code 128 plus the signal, as a shell would say, and a line on stderr, since it could not say anything itself.

    Args:
        module: to run.
        argv: its arguments.
        stdout: a file for its results instead of this process's.
        stderr: a file for its errors instead of this process's.
        keep: descriptors of files that it shares, such as of a lock that is to be held until it ends as well.

    Raises:
        JobInterrupted: the child ended with exit code 130.
    """
    # TensorFlow logs harmless things as errors (no GPU, no AVX-512); a real error is raised as well.
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
    child: subprocess.Popen[bytes] | None = None
    early: list[int] = []  # signals that came before there was a child

    def pass_on(number: int, _: FrameType | None) -> None:
        if child is None:
            early.append(number)
        else:
            child.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        # A process group of its own, or the terminal would send the child a second Ctrl-C.
        command = [sys.executable, "-m", module, *argv]
        child = subprocess.Popen(
            command, env=environment, process_group=0, stdout=stdout, stderr=stderr, pass_fds=tuple(keep)
        )
        for number in early:
            child.send_signal(number)
        code = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if code < 0 and code != -signal.SIGINT:
        killer = signal.Signals(-code).name
        hint = ", which often means that memory ran out: free some or ask for less" if killer == "SIGKILL" else ""
        print(f"error: {module} was ended by {killer}{hint}", file=sys.stderr)
    code = code if code >= 0 else 128 - code
    if code == INTERRUPTED:
        raise JobInterrupted
    return code
