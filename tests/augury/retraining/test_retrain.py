"""A small shop's model retrained, as cron would: champion, the same again, a bad week, faults."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from augury.retraining.locks import file_lock
from augury.simulator import SimulationOptions, simulate
from models.registry import Registry
from tests.augury.retraining.tfdv import needs_tfdv

pytestmark = needs_tfdv

MODEL = ("behavior", "purchase")
APP = """\
family = "behavior"

[window]
days = 14

[data]
events = "WEEK/events"

[examples]
gap_minutes = 30
sequence_length = 8
hash_size = 64
golden = 50
test = 0.2

[train]
units = 8
embedding_units = 4
max_epochs = 2
learning_rate = 0.01

[checks]
drift = 0.3
skew = 0.5

[gates]
max_ece = 0.2
at_least = { auc = 0.4 }
margins = { auc = 0.3, log_loss = 0.3 }
slice_margin = 0.3
"""


def command(folder: Path, *words: str, app: str = "purchase") -> list[str]:
    assert folder.is_dir()
    return [sys.executable, "-c", "from augury.cli import main; main()", "retrain", "behavior", "--app", app, *words]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.environ.get("PYTHONPATH", os.getcwd())}


def retrain(folder: Path, *words: str, app: str = "purchase") -> tuple[int, str]:
    """Returns exit code and what was said on stderr."""
    done = subprocess.run(
        command(folder, *words, app=app), cwd=folder, env=environment(), capture_output=True, text=True, timeout=900
    )
    return done.returncode, done.stderr


def summaries(folder: Path, end: str) -> list[dict[str, Any]]:
    found = sorted((folder / "runs").glob(f"behavior/purchase/{end}-*/summary.json"), key=os.path.getmtime)
    return [json.loads(path.read_bytes()) for path in found]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop with a champion of its first two weeks, and a description of it."""
    folder = tmp_path_factory.mktemp("shop")
    simulate(SimulationOptions(str(folder / "weeks"), visitors=1_500, start="2026-08-01", days=14.0))
    (folder / "apps").mkdir()
    (folder / "apps" / "purchase.toml").write_text(APP.replace("WEEK", "weeks"))
    code, said = retrain(folder, "--end", "2026-08-15")
    assert code == 0, said
    return folder


def registry(shop: Path) -> Registry:
    return Registry(str(shop / "registry"))


def test_a_first_run_makes_a_champion_and_says_all_about_it(shop: Path) -> None:
    (summary,) = summaries(shop, "2026-08-15")
    champion = registry(shop).champion(*MODEL)
    assert champion is not None and champion.version == summary["version"] == summary["champion_now"]
    assert (summary["outcome"], summary["champion_before"]) == ("promoted", None)
    assert champion.reason == "retrained on 2026-08-01 to 2026-08-14"
    version = registry(shop).open_version(*MODEL, champion.version)
    told = json.loads((version / "retraining.json").read_bytes())
    assert told["key"] == summary["key"] and Path(told["examples"]["folder"], "dataset_card.json").exists()
    assert (version / told["statistics"]).stat().st_size > 1000
    card = json.loads((version / "dataset_card.json").read_bytes())
    assert card["events"]["dropped"]["outside_window"] > 0  # people come back for weeks
    assert "| golden set | passed | 50 of 50" in (Path(summary["run"]) / "summary.md").read_text()


def test_the_same_again_is_the_same_version_and_does_nothing(shop: Path) -> None:
    before = registry(shop).history(*MODEL)
    (first,) = summaries(shop, "2026-08-15")
    code, said = retrain(shop, "--end", "2026-08-15")
    assert code == 0 and "decision: done before" in said
    assert summaries(shop, "2026-08-15") == [first] and registry(shop).history(*MODEL) == before


def test_a_version_is_found_without_the_folder_of_its_run(shop: Path, tmp_path: Path) -> None:
    before = registry(shop).history(*MODEL)
    code, said = retrain(shop, "--end", "2026-08-15", "--run", str(tmp_path / "anew"))
    assert code == 0 and "is of this window and this code already" in said and "train ..." not in said
    told = json.loads((tmp_path / "anew" / "summary.json").read_bytes())
    assert told["version"] == registry(shop).versions(*MODEL)[-1] and registry(shop).history(*MODEL) == before


def test_a_folder_of_other_options_is_refused(shop: Path, tmp_path: Path) -> None:
    (run,) = (Path(one["run"]) for one in summaries(shop, "2026-08-15"))
    code, said = retrain(shop, "--end", "2026-08-14", "--run", str(run))
    assert code == 1 and f"error: {run} is the folder of another run: its window is" in said.splitlines()[-1]


def test_a_folder_that_is_not_local_is_refused_and_not_made(shop: Path) -> None:
    code, said = retrain(shop, "--end", "2026-08-15", "--run", "gs://bucket/run")
    expected = "error: run is 'gs://bucket/run'; expected a local folder: checkpoints and locks are files"
    assert code == 1 and said.splitlines() == [expected]
    assert not (shop / "gs:").exists()


def test_a_week_whose_labels_collapsed_is_stopped_and_stays_stopped(shop: Path) -> None:
    (shop / "bad" / "events").mkdir(parents=True)
    for path in sorted((shop / "weeks" / "events").iterdir()):
        kept = [line for line in path.read_bytes().splitlines() if b"Order Completed" not in line]
        (shop / "bad" / "events" / path.name).write_bytes(b"\n".join(kept))
    first = next(
        line for line in (shop / "weeks/events").glob("*").__next__().read_bytes().splitlines() if b"Order" in line
    )
    assert orjson.loads(first)["event"] == "Order Completed"
    (shop / "apps" / "bad.toml").write_text('name = "purchase"\n' + APP.replace("WEEK", "bad"))
    before = registry(shop).history(*MODEL)
    code, said = retrain(shop, "--end", "2026-08-16", app="bad")
    (summary,) = summaries(shop, "2026-08-16")
    assert (code, summary["outcome"], summary["version"]) == (1, "stopped", None)
    assert said.splitlines()[-1].startswith("error: behavior/purchase was not promoted: label_rate: label 1 is 0.00%")
    assert summary["checks"]["last_run"] == registry(shop).versions(*MODEL)[-1]
    again, said = retrain(shop, "--end", "2026-08-16", app="bad")
    assert again == 1 and "checks: done before" in said
    assert registry(shop).history(*MODEL) == before


def test_a_window_without_events_is_stopped(shop: Path) -> None:
    code, said = retrain(shop, "--end", "2026-01-31")
    (summary,) = summaries(shop, "2026-01-31")
    assert (code, summary["outcome"]) == (1, "stopped") and summary["reason"].startswith("no_data: ")
    assert "but no example was made" in said.splitlines()[-1]


def test_two_at_once_exclude_each_other(shop: Path) -> None:
    with file_lock(str(shop / "registry" / ".retraining" / "behavior-purchase.lock"), "behavior/purchase"):
        code, said = retrain(shop, "--end", "2026-08-15")
    assert code == 1 and "error: behavior/purchase is being retrained already by" in said.splitlines()[-1]
    assert f"process {os.getpid()}, since 20" in said


def test_ctrl_c_is_130_and_the_same_command_goes_on(shop: Path) -> None:
    process = subprocess.Popen(
        command(shop, "--end", "2026-08-13"),
        cwd=shop,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("checks ..."):
            process.send_signal(signal.SIGINT)
            break
    _, said = process.communicate(timeout=300)
    assert process.returncode == 130, said
    (summary,) = summaries(shop, "2026-08-13")
    assert summary["outcome"] == "interrupted" and summary["version"] is None
    versions = registry(shop).versions(*MODEL)
    code, said = retrain(shop, "--end", "2026-08-13")
    assert code == 0 and "examples: done before" in said, said
    assert len(registry(shop).versions(*MODEL)) == len(versions) + 1
    (summary,) = summaries(shop, "2026-08-13")
    assert "auc not worse than the champion's" in [gate["name"] for gate in summary["gates"]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("registry", 'registry = "apps/purchase.toml"'), "a parent of it is a file, not a folder"),
        (("unknown", "[traim]\nunits = 8"), "unknown key 'traim'"),
        (("short", "[window]\ndays = 3"), "window.days is 3; expected a whole number from 7 to 60"),
    ],
)
def test_a_description_or_a_registry_that_cannot_be_is_one_line(
    shop: Path, change: tuple[str, str], message: str
) -> None:
    name, text = change
    whole = APP.replace("WEEK", "weeks")
    whole = (
        whole.replace("[window]\ndays = 14", text)
        if name == "short"
        else f"{text}\n{whole}"
        if name == "registry"
        else f"{whole}\n{text}"
    )
    (shop / "apps" / f"{name}.toml").write_text(whole)
    code, said = retrain(shop, "--end", "2026-08-15", app=name)
    assert code == 1 and message in said.splitlines()[-1] and said.splitlines()[-1].startswith("error: ")


def test_an_archive_holds_examples_and_summaries(shop: Path) -> None:
    (shop / "apps" / "kept.toml").write_text('name = "purchase"\narchive = "kept"\n' + APP.replace("WEEK", "weeks"))
    shutil.rmtree(shop / "kept", ignore_errors=True)
    started = time.monotonic()
    code, said = retrain(shop, "--end", "2026-01-30", app="kept")
    assert code == 1 and time.monotonic() > started, said
    (summary,) = (shop / "kept" / "behavior" / "purchase").glob("2026-01-30-*/summary.json")
    assert json.loads(summary.read_bytes())["outcome"] == "stopped"
