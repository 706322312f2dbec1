"""Attention and creative models retrained twice, the second time against the first's champion."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from models.registry import Registry
from tests.augury.retraining.tfdv import needs_tfdv
from tests.tiny_creative import photo, write_recognizer

pytestmark = needs_tfdv

SETS = """\
[[set]]
name = "pages"
images = "pages"
split = "split.csv"
sigma_px = 6

[[set.gaze]]
path = "{gaze}"
method = "eye"
"""

ATTENTION = """\
family = "attention"

[window]
days = 7

[data]
sets = "sets-{end}.toml"

[examples]
width = 64
height = 48
near_bits = -1

[train]
encoder = "plain"
depth = 2
width = 4
max_epochs = 1
golden_images = 2
threads = 1

[checks]
drift = 0.9
skew = 0.99

[gates]
at_least = { auc = 0.0 }
at_most = {}
margins = { cc = 1.0 }
"""

CREATIVE = """\
family = "creative"

[data]
catalogue = "photos"
recognizer = "recognizer"

[examples]
size = 32
near_bits = -1
simulate = "campaigns"
simulated_sends = SENDS
validation = 0.2
test = 0.2

[train]
trials = 0
rounds = 40
members = 4
golden_images = 2
min_products = 5
learning_rate = 0.2

[checks]
skew = 0.9
drift = 0.5
label_rate = 0.9

[gates]
at_least = { auc = 0.3, skill = -1.0 }
max_ece = 0.3
margins = { auc = 0.2, log_loss = 0.2 }
slice_margin = 0.3
"""


def retrain(folder: Path, family: str, end: str) -> dict[str, Any]:
    """Retrains in a process of its own, as cron does, and returns the summary of the run."""
    words = ["retrain", family, "--app", "it", "--end", end]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.environ.get("PYTHONPATH", os.getcwd())}
    command = [sys.executable, "-c", "from augury.cli import main; main()", *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}{_logs(folder)}"
    (found,) = (folder / "runs").glob(f"{family}/it/{end}-*/summary.json")
    return json.loads(found.read_bytes())


def _logs(folder: Path) -> str:
    return "\n".join(path.read_text()[-2000:] for path in folder.rglob("*.log"))


def judged(summary: dict[str, Any]) -> list[str]:
    return [gate["name"] for gate in summary["gates"] if gate["name"].endswith("than the champion's")]


def _write_gaze(folder: Path, end: str, images: int) -> None:
    """Writes pictures of a bright square each, at which three people look."""
    rng = np.random.default_rng(0)
    (folder / "pages").mkdir(exist_ok=True)
    gaze, splits = ["image,subject,order,x,y"], ["image,split"]
    for number in range(images):
        image = rng.integers(0, 60, (60, 80, 3), np.uint8)
        x, y = int(rng.integers(10, 60)), int(rng.integers(10, 40))
        image[y : y + 10, x : x + 10] = 255
        cv2.imwrite(str(folder / "pages" / f"{number}.png"), image)
        gaze += [f"{number}.png,{subject},{i},{x + 2 * subject},{y + 3 * i}" for subject in range(3) for i in range(3)]
        splits.append(f"{number}.png,{('train', 'validation', 'test')[0 if number % 5 < 3 else number % 5 - 2]}")
    (folder / f"gaze-{end}.csv").write_text("\n".join(gaze) + "\n")
    (folder / "split.csv").write_text("\n".join(splits) + "\n")
    (folder / f"sets-{end}.toml").write_text(SETS.format(gaze=f"gaze-{end}.csv"))


def test_a_model_of_attention_is_retrained(tmp_path: Path) -> None:
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps" / "it.toml").write_text(ATTENTION)
    _write_gaze(tmp_path, "2026-08-10", 15)
    first = retrain(tmp_path, "attention", "2026-08-10")
    assert (first["outcome"], first["comparison"], first["checks"]["rates"]) == ("promoted", None, {})
    _write_gaze(tmp_path, "2026-08-17", 20)
    second = retrain(tmp_path, "attention", "2026-08-17")
    assert (second["outcome"], second["champion_before"]) == ("promoted", first["version"])
    assert judged(second) == ["cc not worse than the champion's"]
    assert second["comparison"]["changes"].keys() >= {"cc", "kld", "nss"}
    assert second["checks"]["last_run"] == first["version"] and second["checks"]["drift_judged"]
    assert Registry(str(tmp_path / "registry")).champion("attention", "it").version == second["version"]


def test_a_model_of_conversions_is_retrained(tmp_path: Path) -> None:
    (tmp_path / "apps").mkdir()
    (tmp_path / "photos").mkdir()
    for number in range(60):
        cv2.imwrite(str(tmp_path / "photos" / f"p{number:02d}.png"), photo(f"p{number:02d}"))
    write_recognizer(tmp_path / "recognizer")
    (tmp_path / "apps" / "it.toml").write_text(CREATIVE.replace("SENDS", "20"))
    first = retrain(tmp_path, "creative", "2026-08-10")
    assert (first["outcome"], first["comparison"]) == ("promoted", None)
    assert first["checks"]["rates"].keys() == {"open_rate", "click_through", "abandoned_cart", "unsubscribed"}
    (tmp_path / "apps" / "it.toml").write_text(CREATIVE.replace("SENDS", "30"))
    second = retrain(tmp_path, "creative", "2026-08-17")
    assert (second["outcome"], second["champion_before"]) == ("promoted", first["version"])
    assert judged(second) == [
        "auc not worse than the champion's",
        "log_loss not worse than the champion's",
        "no slice surely worse than the champion's",
    ]
    assert {name.partition(", ")[0] for name, *_ in second["comparison"]["slices"]} <= second["checks"]["rates"].keys()
