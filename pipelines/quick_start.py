"""Importing Apache Beam in a third of the time, where a job stays on this machine.

``import apache_beam`` also imports pandas, MongoDB's client and those of every cloud it can read from: most of
its second. All are optional for Beam, which looks whether they can be imported and does without. A job that reads and
writes local files on the DirectRunner never uses one; ``apache_beam.io`` then has no BigQuery or Pub/Sub in it.

This module itself imports nothing large, so that a command can have it at hand before it starts its workers.
"""

import gc
import logging
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType

_OPTIONAL = (
    *("pandas", "google.cloud.", "apitools", "bson", "pymongo"),
    *("apache_beam.io.aws.", "apache_beam.io.azure.", "apache_beam.io.gcp.bigquery", "apache_beam.io.hadoopfilesystem"),
)


def import_beam(paths: Sequence[str], beam_flags: Sequence[str] = ()) -> None:
    """Imports Apache Beam, without its optional parts if the job can do without them; call it before a pipeline.

    Args:
        paths: every path that the job reads or writes.
        beam_flags: the flags for Beam; any flag at all may ask for a runner or a connector, so then all is imported.
    """
    if beam_flags or not all(stays_here(path) for path in paths):
        return
    absent = _Absent()
    sys.meta_path.insert(0, absent)
    before, collects = logging.root.manager.disable, gc.isenabled()
    logging.disable(logging.WARNING)  # Beam warns of every file system it goes without
    gc.disable()  # an import makes no garbage to speak of, and looking for it takes a tenth of the time
    try:
        import apache_beam.pipeline
        import apache_beam.utils.interactive_utils
        import pyarrow as pa

        if "IPython" not in sys.modules:  # else a pipeline imports all of it, to ask whether it is running
            for asks in (apache_beam.utils.interactive_utils, apache_beam.pipeline):
                asks.is_in_ipython = lambda: False
        pa.array([0])  # pyarrow too looks for pandas, once, when the first array is made
    finally:
        logging.disable(before)
        sys.meta_path.remove(absent)
        if collects:
            gc.enable()
    # What was imported stays: half a million objects that each full collection, and the exit, would look through.
    gc.freeze()


def stays_here(path: str) -> bool:
    """Says whether a path is on this machine; of one that cannot be, whoever reads it says what is wrong with it."""
    from features.storage import StorageError, is_local

    try:
        return is_local(path)
    except StorageError:
        return False


class _Absent(MetaPathFinder):
    """Says that optional modules are not installed."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if fullname.startswith(_OPTIONAL):
            raise ModuleNotFoundError(f"{fullname} is left out of a quick start", name=fullname)
