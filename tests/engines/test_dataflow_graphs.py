"""Dataflow's job of every pipeline, made without a network or an account, and what must hold of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest
from typer.testing import CliRunner

from augury import cli
from pipelines import attention_examples, behavior_examples, creative_embeddings, creative_examples, outcome_report
from pipelines import dataset_job as dataset_module
from pipelines import warm_store as warm_module
from pipelines.embeddings_options import CreativeEmbeddingsOptions
from pipelines.engines import LocalPathError
from pipelines.ingest_events import IngestOptions, start
from pipelines.launch import run_to_end
from pipelines.options import parse_options
from pipelines.warm_options import WarmStoreOptions
from tests.engines.graphs import EXAMPLES, REDIS, Graph
from tests.engines.inputs import embeddings_job
from tests.pipelines.test_creative_embeddings import write_examples, write_recognizer
from transforms.coders import RecordBatchCoder

FLAGS = (
    *("--runner=DataflowRunner", "--dry_run=True", "--project=my-shop", "--region=europe-west1"),
    *("--temp_location=gs://my-shop-temp/t", "--staging_location=gs://my-shop-temp/s"),
)
RAM, CPUS = "beam:resources:min_ram_bytes:v1", "beam:resources:cpu_count:v1"
MAKE = {
    "behavior": behavior_examples.make_examples,
    "attention": attention_examples.make_attention_examples,
    "creative": creative_examples.make_creative_examples,
    "outcomes": outcome_report.join_outcomes,
}
CARDS = {"outcomes": "outcomes_card.json"}


class Planned:
    """Plans jobs on inputs in a bucket, and keeps what Dataflow would have been sent."""

    def __init__(self, bucket: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._bucket = bucket
        self._folder = folder
        self._jobs: list[Any] = []

        def kept(pipeline: Any) -> Any:
            result = run_to_end(pipeline)
            self._jobs.append(result.job)
            return result

        for module in (dataset_module, warm_module):
            monkeypatch.setattr(module, "run_to_end", kept)

    def remote(self, text: str) -> str:
        """Returns an argument with what it names in the bucket, not here."""
        return text.replace(str(self._folder), self._bucket)

    def upload(self) -> None:
        """Copies all inputs into the bucket."""
        files = fsspec.filesystem("gs")
        for path in self._folder.rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                if path.suffix in (".toml", ".csv"):  # they name other inputs
                    content = self.remote(content.decode()).encode()
                files.pipe_file(self.remote(str(path)), content)
        files.invalidate_cache()

    def job(self) -> tuple[Graph, dict[str, Any]]:
        """Returns the graph of the only job, and what would have been sent."""
        [job] = self._jobs
        return Graph(job.proto_pipeline), json.loads(job.json())


@pytest.fixture
def planned(new_bucket: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Planned:
    (tmp_path / "in").mkdir()
    name = "engines-" + "".join(c if c.isalnum() else "-" for c in tmp_path.name.lower())[:40].strip("-")
    return Planned(new_bucket(name), tmp_path / "in", monkeypatch)


def plan_examples(planned: Planned, name: str, folder: Path) -> tuple[Graph, dict[str, Any]]:
    make_job, options, _, _ = EXAMPLES[name]
    job = make_job(folder / "in")
    planned.upload()
    asked, rest = parse_options(options, [planned.remote(text) for text in job.command(folder / "in" / "data")])
    assert rest == []
    assert MAKE[name](asked, FLAGS) == {"planned": f"{asked.output}/{CARDS.get(name, 'dataset_card.json')}"}
    return planned.job()


def names(graph: Graph, step: str) -> list[str]:
    return [each.unique_name for each in graph.before(graph.steps()[step])]


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_have_one_shuffle_of_few_large_values(planned: Planned, name: str, tmp_path: Path) -> None:
    graph, sent = plan_examples(planned, name, tmp_path)
    [shuffle] = graph.own_shuffles()
    coder = graph.coder(graph.input_of(graph.steps()[shuffle]))
    assert type(coder.key_coder()).__name__ == "VarIntCoder"
    assert sent["type"] == "JOB_TYPE_BATCH"
    assert '"mainSessionPath"' not in json.dumps(sent) and "pickled_main_session" not in json.dumps(sent)


def test_only_batches_go_from_the_reader_of_events_to_the_shuffle(planned: Planned, tmp_path: Path) -> None:
    graph, _ = plan_examples(planned, "behavior", tmp_path)
    before = names(graph, "GroupByShard/GroupByKey")
    assert before[:3] == [
        "GroupByShard/SplitByVisitor",
        "CleanEvents/DropByRule/ParDo(_Clean)",
        "ReadEvents/AdaptRows/ParDo(_ReadTask)",
    ]
    assert all(name.startswith("ReadEvents/PlanReads/") for name in before[3:])  # tasks: a few dozen
    for step in before[:2]:
        assert isinstance(graph.coder(graph.input_of(graph.steps()[step])), RecordBatchCoder)
    value = graph.coder(graph.input_of(graph.steps()["GroupByShard/GroupByKey"])).value_coder()
    assert type(value).__name__ == "BytesCoder"


@pytest.mark.parametrize(
    ("name", "reader"),
    [("attention", "ReadAttention/Read/ParDo(_Read)"), ("creative", "MakeVariants/DoTasks/ParDo(_Work)")],
)
def test_one_step_reads_images_and_what_it_gives_goes_straight_to_the_shuffle(
    planned: Planned, name: str, reader: str, tmp_path: Path
) -> None:
    graph, _ = plan_examples(planned, name, tmp_path)
    assert names(graph, "GroupByShard")[0] == reader


@pytest.mark.parametrize("name", EXAMPLES)
def test_heavy_steps_ask_for_large_workers_and_no_others(planned: Planned, name: str, tmp_path: Path) -> None:
    graph, _ = plan_examples(planned, name, tmp_path)
    sized = {step: graph.hints(each) for step, each in graph.steps().items() if each.environment_id}
    large = {step for step, hints in sized.items() if hints}
    heavy = {
        "behavior": {"WriteExamples/WriteShard"},
        "attention": {"ReadAttention/Read/ParDo(_Read)", "WriteAttention/WriteShard"},
        "creative": {"MakeVariants/DoTasks/ParDo(_Work)", "WriteCreative/WriteShard"},
        "outcomes": {"JudgeShards/JudgeAndWrite"},
    }
    assert large == heavy[name]
    assert {(hints[RAM], hints[CPUS]) for hints in sized.values() if hints} == {(b"8000000000", b"2")}
    if name == "behavior":
        before = [graph.steps()[step].environment_id for step in names(graph, graph.own_shuffles()[0])]
        assert len(set(filter(None, before))) == 1  # so that they are fused


def test_embeddings_ask_the_network_where_they_read(planned: Planned, tmp_path: Path) -> None:
    job = embeddings_job(write_examples(tmp_path / "in/examples"), write_recognizer(tmp_path / "in/recognizer"))
    planned.upload()
    asked, _ = parse_options(
        CreativeEmbeddingsOptions, [planned.remote(text) for text in job.command(tmp_path / "in/vectors")]
    )
    assert creative_embeddings.make_creative_embeddings(asked, FLAGS) == {
        "planned": f"{asked.output}/dataset_card.json"
    }
    graph, _ = planned.job()
    assert graph.own_shuffles() == []
    steps = {name: step for name, step in graph.steps().items() if step.environment_id}
    large = {name for name, step in steps.items() if graph.hints(step)}
    assert large == {name for name in steps if name.startswith("EmbedImages/")}
    assert len({steps[name].environment_id for name in large}) == 1  # so that images stay in one process
    assert {graph.hints(steps[name])[CPUS] for name in large} == {b"4"}


def test_a_refill_of_the_fast_store(planned: Planned, tmp_path: Path) -> None:
    make_job, *_ = EXAMPLES["behavior"]
    make_job(tmp_path / "in")
    planned.upload()
    asked = WarmStoreOptions(
        events=(planned.remote(str(tmp_path / "in/shop/events/*.jsonl")),),
        redis_url="redis://:secret@10.0.0.3:6379/0",
        adapter="segment",
        dead_letter=planned.remote(str(tmp_path / "in/letters")),
    )
    assert warm_module.warm_store(asked, FLAGS) == {}
    graph, sent = planned.job()
    [shuffle] = graph.own_shuffles()
    assert names(graph, shuffle)[:4] == [
        "FillStore/GroupByShard/SplitByVisitor",
        "FillStore/ChooseEvents",
        "CleanEvents/DropByRule/ParDo(_Clean)",
        "ReadEvents/AdaptRows/ParDo(_ReadTask)",
    ]
    assert graph.hints(graph.steps()["FillStore/PushShard"])[RAM] == b"8000000000"
    assert "secret" not in json.dumps(sent)


@pytest.mark.parametrize("target", ["bq://my-shop.web.{}", "gs://my-shop-events/{}"])
def test_the_streaming_ingest(target: str) -> None:
    asked = IngestOptions(
        archive=target.format("events"),
        dead_letter=target.format("letters"),
        subscription="projects/my-shop/subscriptions/received",
        redis_url=REDIS,
    )
    job = start(asked, FLAGS).job
    assert json.loads(job.json())["type"] == "JOB_TYPE_STREAMING"
    graph = Graph(job.proto_pipeline)
    assert {"DropRepeats/DropSeen"} <= set(graph.stateful())
    assert not any(graph.hints(step) for step in graph.steps().values() if step.environment_id)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_local_output_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    make_job, options, _, _ = EXAMPLES[name]
    asked, _ = parse_options(options, make_job(tmp_path).command(tmp_path / "data"))
    with pytest.raises(LocalPathError, match="data is on this machine, which workers of Dataflow do not see") as caught:
        MAKE[name](asked, FLAGS)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_local_input_is_refused_before_anything_is_written(name: str, tmp_path: Path) -> None:
    make_job, options, _, _ = EXAMPLES[name]
    job = make_job(tmp_path)
    given = [*job.arguments, "--output", "gs://nowhere/data"]
    asked, _ = parse_options(options, given)
    with pytest.raises(LocalPathError, match="expected a gs:// URL; put what is read into a bucket"):
        MAKE[name](asked, FLAGS)


def test_the_streaming_ingest_refuses_a_local_archive(tmp_path: Path) -> None:
    more = {"subscription": "projects/my-shop/subscriptions/received", "redis_url": REDIS}
    for archive, letters in (
        (str(tmp_path), "projects/my-shop/topics/bad"),
        ("bq://my-shop.web.events", str(tmp_path)),
    ):
        with pytest.raises(LocalPathError, match="is on this machine"):
            start(IngestOptions(archive=archive, dead_letter=letters, **more), FLAGS)


def test_a_dry_run_replaces_nothing(planned: Planned, tmp_path: Path) -> None:
    make_job, options, _, _ = EXAMPLES["attention"]
    job = make_job(tmp_path / "in")
    for name in ("data/dataset_card.json", "data-dead-letter/part-00000.parquet"):
        (tmp_path / "in" / name).parent.mkdir()
        (tmp_path / "in" / name).write_bytes(b"{}")
    planned.upload()
    output = planned.remote(str(tmp_path / "in/data"))
    given = [planned.remote(text) for text in job.arguments]
    asked, _ = parse_options(options, [*given, "--output", output, "--overwrite"])
    assert MAKE["attention"](asked, FLAGS) == {"planned": f"{asked.output}/dataset_card.json"}
    files = fsspec.filesystem("gs")
    files.invalidate_cache()
    assert files.exists(f"{output}/dataset_card.json") and files.exists(f"{output}-dead-letter/part-00000.parquet")


def test_the_command_says_that_a_dry_run_has_not_run(planned: Planned, tmp_path: Path) -> None:
    job = EXAMPLES["behavior"][0](tmp_path / "in")
    planned.upload()
    [events] = [planned.remote(text) for text in job.arguments if text.endswith(".jsonl")]
    output = planned.remote(str(tmp_path / "in/data"))
    done = CliRunner().invoke(cli.app, ["examples", events, "--output", output, "--beam", " ".join(FLAGS)])
    assert (done.exit_code, done.stdout, done.stderr.splitlines()[-1]) == (0, "", "planned, not run")
