"""From gaze to a heatmap by the commands that README.md shows, in its order."""

from pathlib import Path

import cv2
import numpy as np

from tests.readme_commands import run_readme_commands

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
    assert run_readme_commands("attention", tmp_path, MORE)[-1] == "heat.png: 80 x 60 pixels\n"
    assert cv2.imread(str(tmp_path / "heat.png")).shape == (60, 80, 3)


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
