"""What a job of Dataflow cannot see, and what is only planned."""

import pytest

from pipelines.engines import LocalPathError, only_planned, refuse_local_paths
from pipelines.launch import beam_options

DATAFLOW = "--runner=DataflowRunner"


@pytest.mark.parametrize("flags", [[], ["--runner=PrismRunner"], ["--runner=FlinkRunner"]])
def test_other_engines_may_be_on_this_machine(flags: list[str]) -> None:
    refuse_local_paths(beam_options(flags), ["/here", "gs://there"])


def test_dataflow_sees_no_local_path() -> None:
    refuse_local_paths(beam_options([DATAFLOW]), ["gs://there/events", "bq://project.set.table"])
    for path in ("/here", "here", "file:///here"):
        with pytest.raises(LocalPathError) as caught:
            refuse_local_paths(beam_options([DATAFLOW]), ["gs://there", path])
        assert str(caught.value) == (
            f"{path} is on this machine, which workers of Dataflow do not see; expected a gs:// URL; put what is read "
            "into a bucket, or leave out --runner"
        )


@pytest.mark.parametrize(
    ("flags", "planned"),
    [
        ([DATAFLOW], False),
        ([DATAFLOW, "--dry_run=True"], True),
        ([DATAFLOW, "--template_location=gs://there/template"], True),
        (["--dry_run=True"], False),
        ([], False),
    ],
)
def test_what_is_only_planned(flags: list[str], planned: bool) -> None:
    assert only_planned(beam_options(flags)) is planned
