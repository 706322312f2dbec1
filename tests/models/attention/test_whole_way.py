"""From gaze to a heatmap by the commands that README.md shows, in its order."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[3]
MORE = {
    "attention-examples": "--width 64 --height 48 --near-bits -1",
    "train": "--encoder plain --depth 2 --width 4 --max-epochs 1 --golden-images 2 --threads 1",
    "promote": "--thresholds thresholds.toml",
}
"""What makes the example small; the model is too small to pass the gates' own thresholds."""

SETS = """\
[[set]]
name = "pages"
images = "pages"
split = "split.csv"
sigma_px = 6

[[set.gaze]]
path = "fixations.csv"
method = "eye"
"""


def test_the_commands_of_the_readme(tmp_path: Path) -> None:
    _write_gaze(tmp_path)
    (tmp_path / "thresholds.toml").write_text("[at_least]\nauc = 0.0\n[at_most]\n")
    printed = ""
    for command in _shown():
        name, *rest = shlex.split(command)[1:]
        argv = [sys.executable, "-m", "augury.cli", name, *rest, *shlex.split(MORE.get(name, ""))]
        done = subprocess.run(
            argv,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        printed = done.stdout
    assert printed == "heat.png: 80 x 60 pixels\n"
    assert cv2.imread(str(tmp_path / "heat.png")).shape == (60, 80, 3)


def _shown() -> list[str]:
    block = re.search(r"<!-- run: attention -->\n\n```console\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert block is not None
    return [line.removeprefix("$ ") for line in block[1].splitlines() if line.startswith("$ ")]


def _write_gaze(folder: Path) -> None:
    """Writes twelve pictures of a bright square each, at which three people look."""
    rng = np.random.default_rng(0)
    (folder / "pages").mkdir()
    gaze, splits = ["image,subject,order,x,y"], ["image,split"]
    for number in range(12):
        image = rng.integers(0, 60, (60, 80, 3), np.uint8)
        x, y = int(rng.integers(10, 60)), int(rng.integers(10, 40))
        image[y : y + 10, x : x + 10] = 255
        name = f"{number}.png"
        cv2.imwrite(str(folder / "pages" / name), image)
        gaze += [f"{name},{subject},{i},{x + 2 * subject},{y + 3 * i}" for subject in range(3) for i in range(3)]
        splits.append(f"{name},{'train' if number < 8 else 'validation' if number < 10 else 'test'}")
    cv2.imwrite(str(folder / "page.png"), image)
    (folder / "fixations.csv").write_text("\n".join(gaze) + "\n")
    (folder / "split.csv").write_text("\n".join(splits) + "\n")
    (folder / "sets.toml").write_text(SETS)
