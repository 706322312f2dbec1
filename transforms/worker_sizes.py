"""How large the workers of a step should be, told to the engine that can have workers of several sizes: Dataflow."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeVar

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

HOLDS_SHARDS: Mapping[str, str] = MappingProxyType({"min_ram": "8GB", "cpu_count": "2"})
"""Resource hints of a step that holds whole shards, one or two a thread."""

DECODES_IMAGES: Mapping[str, str] = MappingProxyType({"min_ram": "8GB", "cpu_count": "2"})
"""Resource hints of a step that decodes images of any size, one a thread."""

ASKS_NETWORK: Mapping[str, str] = MappingProxyType({"min_ram": "8GB", "cpu_count": "4"})
"""Resource hints of a step whose time is a network's arithmetic."""

Transform = TypeVar("Transform", bound=beam.PTransform)


def on_dataflow(options: PipelineOptions) -> bool:
    """Says whether Beam's options send a job to Dataflow."""
    name: str = options.view_as(StandardOptions).runner or ""
    return name.rpartition(".")[2].lower() in ("dataflow", "dataflowrunner")


def sized(transform: Transform, given: beam.pvalue.PValue, hints: Mapping[str, str]) -> Transform:
    """Returns a step with resource hints, if its pipeline goes to Dataflow.

    Other engines take no notice of the size, but would start workers of their own for such a step and hand over to them
    what could have stayed in one process.

    Args:
        transform: the step.
        given: what it is applied to.
        hints: by Beam's names.
    """
    if on_dataflow(given.pipeline.options):
        transform.with_resource_hints(**hints)
    return transform
