"""The graphs of all pipelines, as Beam hands them to a runner, and questions about them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability import common_urns, python_urns
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.pipeline_context import PipelineContext

from features.creative_spec import SPEC, CreativeSpec
from models.creative.recognizer import Recognizer  # noqa: F401  # what its pipeline pickles
from pipelines import (
    attention_examples,
    attention_options,
    attention_recipe,
    behavior_examples,
    behavior_recipe,
    creative_embeddings,
    creative_examples,
    creative_options,
    creative_recipe,
    ingest_events,
    outcome_options,
    outcome_recipe,
    outcome_report,
    warm_store,
)
from pipelines.embeddings_options import CreativeEmbeddingsOptions
from pipelines.options import parse_options
from pipelines.warm_options import WarmStoreOptions
from tests.engines.inputs import Job, attention_job, behavior_job, creative_job, embeddings_job, outcomes_job
from tests.pipelines.test_creative_embeddings import write_examples, write_recognizer
from transforms.sources import plan_reads
from transforms.staging import Staging

PARDO = common_urns.primitives.PAR_DO.urn
GROUP_BY_KEY = common_urns.primitives.GROUP_BY_KEY.urn
EXAMPLES = {
    "behavior": (behavior_job, behavior_recipe.ExamplesOptions, behavior_recipe.make_recipe, behavior_examples),
    "attention": (
        attention_job,
        attention_options.AttentionExamplesOptions,
        attention_recipe.make_attention_recipe,
        attention_examples,
    ),
    "creative": (
        creative_job,
        creative_options.CreativeExamplesOptions,
        creative_recipe.make_creative_recipe,
        creative_examples,
    ),
    "outcomes": (outcomes_job, outcome_options.OutcomeOptions, outcome_recipe.make_outcome_recipe, outcome_report),
}
REDIS = "redis://127.0.0.1:6379/0"


@dataclass(frozen=True)
class Graph:
    """A pipeline's graph.

    Attributes:
        proto: as a runner gets it.
    """

    proto: Any

    def steps(self) -> Mapping[str, Any]:
        """Returns the steps that do something, by their full names."""
        return {step.unique_name: step for step in self.proto.components.transforms.values() if not step.subtransforms}

    def shuffles(self) -> dict[str, Any]:
        """Returns every GroupByKey by its full name."""
        return {name: step for name, step in self.steps().items() if step.spec.urn == GROUP_BY_KEY}

    def own_shuffles(self) -> list[str]:
        """Returns the names of those that are no part of a Reshuffle or a Combine of Beam's, which group nothing."""
        inner = self._inside(common_urns.composites.RESHUFFLE.urn) | self._inside(
            common_urns.composites.COMBINE_PER_KEY.urn
        )
        return [name for name in self.shuffles() if name not in inner]

    def coder(self, pcollection: str) -> Any:
        """Returns the coder of a collection."""
        context = PipelineContext(self.proto.components)
        return context.coders.get_by_id(self.proto.components.pcollections[pcollection].coder_id)

    def input_of(self, step: Any) -> str:
        """Returns the main input of a step, the id of a collection."""
        sides = self.payload(step).side_inputs if step.spec.urn == PARDO else ()
        [main] = [found for name, found in step.inputs.items() if name not in sides]
        return main

    def before(self, step: Any) -> Iterator[Any]:
        """Yields the steps that a step's main input comes through, the nearest first."""
        while step.inputs:
            wanted = self.input_of(step)
            [step] = [each for each in self.steps().values() if wanted in each.outputs.values()]
            yield step

    def payload(self, step: Any) -> Any:
        """Returns what a ParDo says of itself."""
        return beam_runner_api_pb2.ParDoPayload.FromString(step.spec.payload)

    def stateful(self) -> dict[str, Any]:
        """Returns the steps that keep state or set timers."""
        pardos = {name: step for name, step in self.steps().items() if step.spec.urn == PARDO}
        return {
            name: step
            for name, step in pardos.items()
            if self.payload(step).state_specs or self.payload(step).timer_family_specs
        }

    def pickled(self) -> dict[str, bytes]:
        """Returns the pickled function of every ParDo of Python's."""
        found = {}
        for name, step in self.steps().items():
            if step.spec.urn == PARDO and self.payload(step).do_fn.urn == python_urns.PICKLED_DOFN_INFO:
                found[name] = self.payload(step).do_fn.payload
        return found

    def hints(self, step: Any) -> dict[str, bytes]:
        """Returns the resource hints of a step."""
        return dict(self.proto.components.environments[step.environment_id].resource_hints)

    def _inside(self, urn: str) -> set[str]:
        components = self.proto.components.transforms
        todo = [step for step in components.values() if step.spec.urn == urn]
        found = set()
        while todo:
            step = todo.pop()
            found.add(step.unique_name)
            todo += [components[each] for each in step.subtransforms]
        return found


def local_graphs(folder: Path) -> dict[str, Graph]:
    """Returns the graph of every pipeline, by its name, on small inputs; none is run."""
    found = {}
    for name, (make_job, options, make_recipe, module) in EXAMPLES.items():
        (folder / name).mkdir()
        found[name] = _of_dataset(make_job(folder / name), options, make_recipe, module, folder / name)
    base = folder / "embeddings"
    job = embeddings_job(write_examples(base / "examples"), write_recognizer(base / "recognizer"))
    assert CreativeSpec.from_json((base / "examples" / SPEC).read_bytes())
    found["embeddings"] = _of_dataset(
        job, CreativeEmbeddingsOptions, creative_embeddings.make_recipe, creative_embeddings, base
    )
    events = found_events(folder / "behavior")
    warm = WarmStoreOptions(events=(events,), redis_url=REDIS, adapter="segment")
    pipeline = beam.Pipeline(options=PipelineOptions([]))
    warm_store.build(pipeline, warm, plan_reads(warm.events))
    found["warm_store"] = Graph(pipeline.to_runner_api())
    for name, target in (("ingest_to_files", str(folder / "{}")), ("ingest_to_tables", "bq://my-shop.web.{}")):
        found[name] = Graph(ingest_pipeline(target).to_runner_api())
    return found


def found_events(folder: Path) -> str:
    """Returns the glob of the events that ``behavior_job`` has simulated in a folder."""
    return str(folder / "shop/events/*.jsonl")


def ingest_pipeline(target: str) -> beam.Pipeline:
    """Returns the streaming pipeline; ``target`` has a place for the name of a folder or table."""
    asked = ingest_events.IngestOptions(
        archive=target.format("events"),
        dead_letter=target.format("letters"),
        subscription="projects/my-shop/subscriptions/received",
        redis_url=REDIS,
    )
    pipeline = beam.Pipeline(options=PipelineOptions(["--streaming", "--project=my-shop"]))
    ingest_events.build(pipeline, asked)
    return pipeline


def _of_dataset(job: Job, options: Any, make_recipe: Any, module: Any, folder: Path) -> Graph:
    asked, _ = parse_options(options, job.command(folder / "data"))
    pipeline = beam.Pipeline(options=PipelineOptions([]))
    module.build(pipeline, asked, make_recipe(asked), Staging.begin(asked.output, overwrite=False))
    return Graph(pipeline.to_runner_api())
