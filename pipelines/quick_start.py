"""Importing Apache Beam in half the time, where a job stays on this machine.

``import apache_beam`` also imports pandas and the clients of BigQuery, Cloud Storage, Pub/Sub and Dataflow:
more than half of its two seconds. Both are optional for Beam, which looks whether they can be imported and
does without. A job that reads and writes local files on the DirectRunner never uses one.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from features.storage import is_local

_OPTIONAL = ("pandas", "google.cloud")


def import_beam(paths: Sequence[str], beam_flags: Sequence[str] = ()) -> None:
    """Imports Apache Beam, without its optional parts if the job can do without them; call it before a pipeline.

    Args:
        paths: every path that the job reads or writes.
        beam_flags: the flags for Beam; any flag at all may ask for a runner or a connector, so then all is imported.
    """
    if beam_flags or not all(is_local(path) for path in paths):
        return
    with _absent(_OPTIONAL):
        import apache_beam  # noqa: F401  # for its effect on sys.modules


@contextmanager
def _absent(names: Sequence[str]) -> Iterator[None]:
    """Makes modules that are not imported yet fail to import: ``None`` in ``sys.modules`` is Python's sign for that."""
    held = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(held))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in held:
            del sys.modules[name]
