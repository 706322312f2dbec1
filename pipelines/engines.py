"""What an engine cannot do: see files of this machine from others, or run a job that is only to be planned."""

from collections.abc import Iterable

from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions, TestOptions

from features.errors import AuguryError
from pipelines.quick_start import stays_here
from transforms.worker_sizes import on_dataflow


class LocalPathError(AuguryError, ValueError):
    """A path on this machine that workers on other machines are to read or write."""


def is_dry_run(options: PipelineOptions) -> bool:
    """Says whether a job is to change nothing: Dataflow's dry run."""
    return on_dataflow(options) and bool(options.view_as(TestOptions).dry_run)


def only_planned(options: PipelineOptions) -> bool:
    """Says whether a job is not run now: a dry run, or a template whose job Dataflow starts when this has ended."""
    later = bool(options.view_as(GoogleCloudOptions).template_location)
    return is_dry_run(options) or (on_dataflow(options) and later)


def refuse_local_paths(options: PipelineOptions, paths: Iterable[str]) -> None:
    """Refuses a job of Dataflow whose workers would look for a file of this machine.

    Args:
        options: Beam's.
        paths: what workers read or write.

    Raises:
        LocalPathError: one of them is on this machine.
    """
    if on_dataflow(options):
        for path in filter(stays_here, paths):
            raise LocalPathError(
                f"{path} is on this machine, which workers of Dataflow do not see; expected a gs:// URL; put what is "
                "read into a bucket, or leave out --runner"
            )
