"""What the launcher of a template does: run the main, which writes the job's graph and ends."""

import json
import os
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataflow_templates.catalogue import TEMPLATES, template
from dataflow_templates.commands import argv_of
from features.storage import atomic_write, list_files, read_bytes
from models.registry import Registry
from tests.pipelines.test_batch_files import lines
from tests.tiny_model import NAME, registry  # noqa: F401 - a fixture
from tests.transforms.streams import track

ROOT = Path(__file__).resolve().parents[2]
DATAFLOW = ["--runner=DataflowRunner", "--project=test-proj", "--region=europe-west1", "--job_name=job"]
IMAGE = "--sdk_container_image=europe-west1-docker.pkg.dev/test-proj/augury/x:1"


def run_main(name: str, argv: list[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    """Runs a main as the launcher does: by its path, in another folder, with nothing but options."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "dataflow_templates" / f"{name}.py"), *argv]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


def steps_of(job: dict[str, Any]) -> list[str]:
    return [step["properties"]["user_name"] for step in job["steps"]]


@pytest.fixture
def bucket(new_bucket: Callable[[str], str], request: pytest.FixtureRequest) -> str:
    return new_bucket(f"flex-{zlib.crc32(request.node.name.encode())}")


@pytest.fixture
def parameters(registry: Path, tmp_path: Path, bucket: str) -> dict[str, dict[str, str]]:  # noqa: F811
    lines(tmp_path / "events.jsonl", track("ann", "m1", 0), track("bob", "m2", 5))
    atomic_write(f"{bucket}/in/events.jsonl", (tmp_path / "events.jsonl").read_bytes())
    [version] = Registry(registry).versions("behavior", NAME)
    made = {"visitor": ["ann"], "model": [NAME], "version": [version], "time_us": [1], "probability": [0.5]}
    pq.write_table(pa.table(made), tmp_path / "log.parquet")
    atomic_write(f"{bucket}/log/part.parquet", (tmp_path / "log.parquet").read_bytes())
    for path in filter(Path.is_file, registry.rglob("*")):
        atomic_write(f"{bucket}/registry/{path.relative_to(registry)}", path.read_bytes())
    read = {"events": f"{bucket}/in/*.jsonl", "adapter": "segment", "dead_letter": f"{bucket}/bad"}
    redis = {"redis_url": "redis://10.0.0.3:6379/0"}
    return {
        "behavior_examples": {**read, "output": f"{bucket}/examples", "overwrite": "true"},
        "warm_store": {**read, **redis, "store_days": "3650"},
        "batch_predict": {
            **read,
            "registry": f"{bucket}/registry",
            "model": NAME,
            "output": f"{bucket}/predictions",
            "store_types": "track,page,screen,identify,group,alias",
        },
        "outcome_report": {
            **read,
            "predictions": f"{bucket}/log",
            "registry": f"{bucket}/registry",
            "model": NAME,
            "output": f"{bucket}/outcomes",
        },
        "ingest_events": {
            **redis,
            "subscription": "projects/test-proj/subscriptions/events",
            "archive": "gs://bkt/archive",
            "dead_letter": "gs://bkt/bad",
            "recent_events": "true",
        },
    }


@pytest.mark.parametrize(
    "name", ["behavior_examples", "warm_store", "batch_predict", "outcome_report", "ingest_events"]
)
def test_a_main_makes_the_graph_and_ends(
    name: str, parameters: dict[str, dict[str, str]], bucket: str, tmp_path: Path
) -> None:
    """A dry run: nothing is written."""
    flags = [*DATAFLOW, "--temp_location=gs://bkt/temp", "--staging_location=gs://bkt/staging", "--dry_run=True"]
    before = sorted(tmp_path.iterdir()), list_files(bucket)
    done = run_main(name, [*argv_of(parameters[name]), *flags, IMAGE], tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (sorted(tmp_path.iterdir()), list_files(bucket)) == before


def test_a_main_tells_an_error_in_one_line(parameters: dict[str, dict[str, str]], tmp_path: Path) -> None:
    done = run_main("behavior_examples", argv_of({**parameters["behavior_examples"], "shards": "0"}), tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith("error: shards is 0; expected 1 to ")
    assert "Traceback" not in done.stderr


def test_the_launcher_writes_the_job_where_it_is_told(
    parameters: dict[str, dict[str, str]], tmp_path: Path, bucket: str
) -> None:
    """As Dataflow's launcher does it, with ``--template_location``, everything in a bucket, options files too."""
    atomic_write(f"{bucket}/cleaning.toml", "drop_bots = false\n")
    asked = parameters["behavior_examples"] | {"cleaning": f"{bucket}/cleaning.toml"}
    places = [f"--temp_location={bucket}/temp", f"--staging_location={bucket}/staging"]
    places.append(f"--template_location={bucket}/staging/template_launches/1/job_object")
    done = run_main("behavior_examples", [*argv_of(asked), *DATAFLOW, *places, IMAGE], tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert orjson.loads(done.stdout) == {"planned": f"{bucket}/examples/dataset_card.json"}
    job = json.loads(read_bytes(f"{bucket}/staging/template_launches/1/job_object"))
    assert job["name"] == "job" and job["environment"]["sdkPipelineOptions"]


def test_a_mapping_and_cleaning_rules_are_read_from_a_bucket(new_bucket: Callable[[str], str]) -> None:
    from features.adapters import get_adapter
    from features.cleaning_file import read_cleaning_rules
    from pipelines.attention_sets import read_sets

    bucket = new_bucket("flex-files")
    atomic_write(f"{bucket}/shop.toml", (ROOT / "tests/fixtures/events/shop.toml").read_text())
    atomic_write(f"{bucket}/cleaning.toml", "internal_traffic = []\n")
    atomic_write(f"{bucket}/sets.toml", "")
    local = get_adapter(str(ROOT / "tests/fixtures/events/shop.toml"))
    assert get_adapter(f"{bucket}/shop.toml") == local
    with pytest.raises(Exception, match="internal_traffic"):
        read_cleaning_rules(f"{bucket}/cleaning.toml")
    with pytest.raises(Exception, match=f"{bucket}/sets.toml"):
        read_sets(f"{bucket}/sets.toml")


def test_every_template_has_a_launch_here_or_a_reason() -> None:
    """The image families' mains make their graphs from images that their own tests have."""
    launched = {"behavior_examples", "warm_store", "batch_predict", "outcome_report", "ingest_events"}
    assert {each.name for each in TEMPLATES} - launched == {"attention_examples", "creative_examples"}
    assert template("ingest_events").streaming
