"""What an engine cannot do: see files of this machine from others, or run a job that is only to be planned."""

from collections.abc import Iterable

from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions, TestOptions

from features.errors import AuguryError
from features.storage import StorageError, is_local
from transforms.worker_sizes import on_dataflow


class LocalPathError(AuguryError, ValueError):
    """A path on this machine that workers on other machines are to read or write."""


def only_planned(options: PipelineOptions) -> bool:
    """Says whether a job is not run now: Dataflow's dry run, or a template of a job that is started later."""
    later = options.view_as(TestOptions).dry_run or options.view_as(GoogleCloudOptions).template_location
    return on_dataflow(options) and bool(later)


def refuse_local_paths(options: PipelineOptions, paths: Iterable[str]) -> None:
    """Refuses a job of Dataflow whose workers would look for a file of this machine.

    Args:
        options: Beam's.
        paths: what workers read or write.

    Raises:
        LocalPathError: one of them is on this machine.
    """
    if on_dataflow(options):
        for path in filter(_is_local, paths):
            raise LocalPathError(
                f"{path} is on this machine, which workers of Dataflow do not see; expected a gs:// URL; put what is "
                "read into a bucket, or leave out --runner"
            )


def _is_local(path: str) -> bool:
    try:
        return is_local(path)
    except StorageError:  # whoever reads it says what is wrong with it
        return False
