"""Resource hints are for Dataflow alone."""

import apache_beam as beam
import pytest

from pipelines.launch import beam_options
from transforms.worker_sizes import HOLDS_SHARDS, on_dataflow, sized


@pytest.mark.parametrize(
    ("flags", "there"),
    [
        ([], False),
        (["--runner=DirectRunner"], False),
        (["--runner=PrismRunner"], False),
        (["--runner=DataflowRunner"], True),
        (["--runner=dataflow"], True),
        (["--runner=apache_beam.runners.dataflow.DataflowRunner"], True),
    ],
)
def test_a_step_is_sized_on_dataflow(flags: list[str], there: bool) -> None:
    options = beam_options(flags)
    assert on_dataflow(options) is there
    begin = beam.pvalue.PBegin(beam.Pipeline(runner="DirectRunner", options=options))
    hints = sized(beam.Map(str), begin, HOLDS_SHARDS).get_resource_hints()
    ram, cpus = "beam:resources:min_ram_bytes:v1", "beam:resources:cpu_count:v1"
    assert hints == ({ram: b"8000000000", cpus: b"2"} if there else {})
