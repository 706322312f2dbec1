"""Keeps what native libraries say while they load off the terminal and out of logs."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def native_silence() -> Iterator[None]:
    """Sends what native libraries print on stderr while they load to nowhere; Python's own errors still get through."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


def import_tensorflow() -> None:
    """Imports TensorFlow and opens a first session in silence: the greetings of both are no log lines.

    For a process that will load models later, beside threads whose own lines must not be lost.
    """
    with native_silence():
        import tensorflow as tf

        tf.compat.v1.Session(graph=tf.Graph()).close()
